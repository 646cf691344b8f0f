"""Masking what a real PostgreSQL writes: every format, every option, values of every awkward kind."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from narrows.core import PASS, CopyFormat, CopyPlan, Plan, Rows
from narrows.core.pure.masks import change
from narrows.wire.postgres.frontend import Bind, Execute, Parse, Query, Sync
from tests.core.streams import CONSTANT, HASH, KEEP4, NULL, copied, payloads_of, shown
from tests.servers.postgres import Postgres
from tests.wire.live import Live

AWKWARD = [
    "", " ", "\\", "\\N", "\\.", "\n", "\r\n", "\t", "\v\b\f", '"', '""', "'", ",", "|", "NULL", "a,b", 'say "hi"',
    "123-45-6789", "Žižková 🙂🙂🙂🙂🙂", "back\\slash\\", "trailing,", "\x01", "x" * 5000, '"quoted"', "\\x41",
]  # fmt: skip
COLUMNS = (PASS, KEEP4, CONSTANT, NULL, HASH)
SELECT = "select n, v, v, v, v from awkward where n >= {first} order by n"
MASKED = "select n, a as v, b as v, c as v, d as v from expected where n >= {first} order by n"

TEXT = [("", CopyPlan(COLUMNS))] + [
    (
        f", delimiter '{delimiter}', null '{null}'",
        CopyPlan(COLUMNS, delimiter=delimiter.encode(), null=null.encode()),
    )
    for delimiter, null in itertools.product(["|", ",", "\x01"], ["", "\\N", "\\NULL"])
]
CSV = [
    (
        f", format csv, delimiter '{delimiter}', quote e'\\x{ord(quote):02x}', escape e'\\x{ord(escape):02x}', null '{null}'",
        CopyPlan(COLUMNS, CopyFormat.CSV, delimiter.encode(), quote.encode(), escape.encode(), null.encode()),
    )
    for delimiter, quote, escape, null in itertools.product(
        [",", "|"], ['"', "'"], ['"', "'", "\\"], ["", "NULL"]
    )
]
BINARY = [(", format binary", CopyPlan(COLUMNS, CopyFormat.BINARY))]


@pytest.fixture(scope="module")
def live(postgres15: Postgres) -> Live:
    postgres15.admin.run("drop table if exists awkward; create table awkward (n int primary key, v text)")
    with postgres15.admin.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("insert into awkward values (%s, %s)", list(enumerate([*AWKWARD, None])))
    return Live(postgres15.admin, postgres15.superuser)


def stream(live: Live, text: str, plan: CopyPlan) -> bytes:
    """What a COPY comes out as under the plan."""
    live.send(Query(text))
    runs = [item for item in live.answers(copy_plan=plan) if isinstance(item, Rows)]
    return b"".join(payload for run in runs for payload in payloads_of(run.data))


def masked_by_hand(live: Live) -> None:
    """A table of the values as masked, so that PostgreSQL itself writes what is expected."""
    live.send(
        Query(
            "create temp table if not exists expected (n int, a text, b text, c text, d text); truncate expected"
        )
    )
    list(live.answers())
    keep, hashed = change(KEEP4), change(HASH)
    assert callable(keep)
    assert callable(hashed)
    for number, value in enumerate([*AWKWARD, None]):
        data = None if value is None else value.encode()
        row = (
            data and keep(data),
            data if data is None else b"***",
            None,
            data if data is None else hashed(data),
        )
        live.send(
            Parse("", "insert into expected values ($1, $2, $3, $4, $5)", (23, 25, 25, 25, 25)),
            Bind("", "", (), (str(number).encode(), *row)),
            Execute(""),
            Sync(),
        )
        list(live.answers())


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(("options", "plan"), TEXT + CSV + BINARY)
def test_a_masked_copy_is_what_postgresql_writes_of_masked_values(
    live: Live, options: str, plan: CopyPlan, header: bool
) -> None:
    if plan.format is CopyFormat.BINARY:
        if header:
            pytest.skip("binary has no header line")
        copy = "copy ({query}) to stdout (" + options[2:] + ")"
    else:
        copy = "copy ({query}) to stdout (header " + str(header) + options + ")"
    # In text an empty marker and an empty value (number 0) are the same field; it is taken for NULL.
    first = int(plan.format is CopyFormat.TEXT and plan.null == b"")
    masked_by_hand(live)
    plan = replace(plan, header=header)
    query, masked = (copy.format(query=query.format(first=first)) for query in (SELECT, MASKED))
    expected = stream(live, masked, CopyPlan(None))
    assert stream(live, query, plan) == expected
    assert copied(plan, [stream(live, query, CopyPlan(None))])[0] == expected


def test_rows_are_masked_in_the_text_and_the_binary_format(live: Live) -> None:
    for result_format in (0, 1):
        live.send(
            Parse("", SELECT.format(first=0)),
            Bind("", "", (), (), (0, *[result_format] * 4)),
            Execute(""),
            Sync(),
        )
        runs = [item for item in live.answers(Plan(COLUMNS)) if isinstance(item, Rows)]
        rows = [row for run in runs for row in shown(run.data)]
        keep = change(KEEP4)
        assert callable(keep)
        assert [row[0] for row in rows] == [str(n).encode() for n in range(len(AWKWARD) + 1)]
        assert [row[1] for row in rows] == [*(keep(value.encode()) for value in AWKWARD), None]
        assert [row[2:4] for row in rows] == [*((b"***", None) for _ in AWKWARD), (None, None)]
        assert sum(run.masked for run in runs) == 4 * len(AWKWARD)
