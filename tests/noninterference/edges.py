"""What the gateway is known to let through under strict, each with a statement that shows it.

Law: the generator avoids what is in OPEN and tries everything else; `test_noninterference.py` holds OPEN to the gateway
in both directions, so what was closed is taken out of it and is tried from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from tests.noninterference.schema import TWINS, Column, Row, Schema, Table, View


class Edge(Enum):
    """A way in which a secret shows without being read."""

    FAILURES = "whether an expression over a secret fails, after how many rows, and with which class of error"
    CASTS = "whether a secret column, as it stands, can be cast to a type"
    ESTIMATES = "what the planner makes of the statistics of a secret: widths, costs, rows"
    LOOKS = (
        "what an expression in a view tells of rows that a secret selects: EXISTS, FILTER, ARRAY, a subquery"
    )
    VIEW_ROWS = (
        "which rows a view has, and in what order, where its definition selects or sorts them by a secret"
    )


STATEMENTS: Mapping[Edge, tuple[str, ...]] = {
    Edge.FAILURES: (
        "select 1 / n from t0",
        "select left(s, 2)::int from t0 where id = 2",
        "select chr(n * 2000000) from t0",
    ),
    Edge.CASTS: ("select s::numeric from t0 where id = 2", "select s::jsonb from t0 where id = 2"),
    Edge.ESTIMATES: ("explain select s from t0", "explain (verbose, format json) select n, s from t0"),
    Edge.LOOKS: (
        "select x from with_exists",
        "select x from with_filter",
        "select x from with_array",
        "select x from with_subquery",
    ),
    Edge.VIEW_ROWS: (
        "select id from with_where",
        "select id from with_order",
        "select count(*) from with_join",
    ),
}
"""Over SCHEMA, analysed."""

OPEN = frozenset({Edge.CASTS, Edge.ESTIMATES, Edge.LOOKS, Edge.VIEW_ROWS})

_VIEWS = {
    "with_exists": "select id, exists (select from edges.t0 as u where u.n > t.n) as x from edges.t0 as t",
    "with_filter": "select count(*) filter (where s like 'x%') as x from edges.t0",
    "with_array": "select array(select id from edges.t0 where s like 'x%') as x",
    "with_subquery": "select (select max(id) from edges.t0 where n = 0) as x",
    "with_where": "select id from edges.t0 where n = 0",
    "with_order": "select id from edges.t0 order by n",
    "with_join": "select t.id from edges.t0 as t join edges.t0 as u on t.n = u.id",
}


def _rows(twin: str) -> tuple[Row, ...]:
    numbers = {"a": ("1", "0", "1"), "b": ("1", "2", "0")}[twin]
    words = {"a": ("x", "17", "y"), "b": ("a longer word", "z", "another one")}[twin]
    return tuple(
        {"id": str(at), "n": number, "s": word}
        for at, (number, word) in enumerate(zip(numbers, words, strict=True), 1)
    )


SCHEMA = Schema(
    "edges",
    (
        Table(
            "t0",
            (
                Column("id", "int", "int", more="primary key"),
                Column("n", "int", "int", is_secret=True, is_tainted=True),
                Column("s", "text", "text", is_secret=True, is_tainted=True),
            ),
            ("n", "s"),
            ("create table edges.t0 (id int primary key, n int, s text)",),
            {twin: _rows(twin) for twin in TWINS},
        ),
    ),
    tuple(View(name, (), f"create view edges.{name} as {text}") for name, text in _VIEWS.items()),
    (),
)
"""Small, and of values that differ in what the statements make of them."""
