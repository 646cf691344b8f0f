"""Analysis is bounded by counted steps: inline it gives up early, in a worker it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.inspect.sql import redact
from narrows.inspect.sql.limits import INLINE_LIMITS
from tests.inspect.sql.sample import VIEW, reason

COLUMNS = ", ".join(f"1 c{index}" for index in range(300))

HOSTILE = {
    "natural joins": f"WITH w AS (SELECT {COLUMNS}) SELECT 1 FROM w a" + " NATURAL JOIN w" * 80,
    "nested joins": f"WITH w AS (SELECT {COLUMNS}) SELECT 1 FROM " + "(w NATURAL JOIN " * 80 + "w" + ")" * 80,
    "common tables": f"WITH w AS (SELECT {COLUMNS}) SELECT 1 FROM " + ",".join(f"w w{i}" for i in range(200)),
    "statements": ";".join(["end"] * 200),
    "copied trees": "SELECT " + ",".join(["(SELECT a)"] * 390),
    "names in open sources": "SELECT "
    + ",".join(f"z{i}" for i in range(300))
    + " FROM "
    + ",".join(["x"] * 200),
    "long": "SELECT '" + "x" * 5000 + "'",
    "long in bytes": "SELECT '" + "é" * 3000 + "'",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_much_work_is_not_done_inline(text: str) -> None:
    assert sql.analyse_inline(text, VIEW) is None
    assert sql.analyse(text, VIEW).refusal is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM customers WHERE id = $1",
        "SELECT o.id, c.name FROM orders o JOIN customers c USING (id) WHERE c.id = 5 ORDER BY o.id LIMIT 10",
        "INSERT INTO orders (id, amount) VALUES " + ", ".join(["($1, $2)"] * 100),
        "; ".join(["UPDATE orders SET amount = 1 WHERE id = 1"] * 40),
        "SELECT " + ", ".join(f"o.id AS column_{index}" for index in range(150)) + " FROM orders o",
    ],
)
def test_everyday_work_is_done_inline(text: str) -> None:
    found = sql.analyse_inline(text, VIEW)
    assert found is not None
    assert found == sql.analyse(text, VIEW)


def test_a_short_text_that_runs_a_long_one_is_not_parsed_inline() -> None:
    long = "PREPARE p AS SELECT 1 WHERE 1 IN (" + ",".join("1" * 30_000) + ")"
    inner = sql.analyse(long, VIEW).parts[0].effects[0].inner  # type: ignore[union-attr]
    state = sql.SessionState(prepared={"p": inner})
    for text in ("EXECUTE p", "EXPLAIN EXECUTE p", "EXPLAIN ANALYZE EXECUTE p"):
        assert sql.analyse_inline(text, VIEW, state) is None
        assert reason(sql.analyse(text, VIEW, state)) is None


def test_without_another_process_it_is_refused() -> None:
    limits = replace(INLINE_LIMITS, is_inline=False)
    assert reason(sql.analyse(HOSTILE["natural joins"], VIEW, None, limits)) == "TOO_COMPLEX"


@pytest.mark.parametrize(
    ("literal", "is_hidden"),
    [
        ("a://u:p@h", True),
        ("a://u:p b@h", False),
        ("a://u@h", False),
        ("a://u:@h", False),
        ("x a://u:p@ y", True),
        ("://" * 1_000_000, False),
        ("://a" * 1_000_000, False),
        ("://a:b" * 700_000, False),
        ("pwd = x", True),
    ],
)
def test_urls_with_passwords_are_found_in_one_pass(literal: str, is_hidden: bool) -> None:
    found = [*redact._in_urls(literal), *redact._announced(literal, redact._NAMED)]
    assert bool(found) is is_hidden
