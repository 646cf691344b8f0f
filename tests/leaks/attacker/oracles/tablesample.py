"""The size of a sample taken from a value."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_CASE = "(SELECT CASE WHEN <cond> THEN 100 ELSE 0 END FROM customers c WHERE c.id = <row>)"

ORACLE = Oracle(
    "tablesample",
    "TABLESAMPLE size",
    (
        *by_row(
            ("BERNOULLI", f"SELECT count(*) FROM orders TABLESAMPLE BERNOULLI ({_CASE})"),
            ("SYSTEM", f"SELECT count(*) FROM orders TABLESAMPLE SYSTEM ({_CASE})"),
            ("rows", f"SELECT id FROM orders TABLESAMPLE BERNOULLI ({_CASE}) LIMIT 1"),
            ("seed", f"SELECT id FROM orders TABLESAMPLE BERNOULLI (20) REPEATABLE ({_CASE})"),
            ("lateral", "SELECT count(*) FROM customers c, LATERAL (SELECT 1 FROM orders TABLESAMPLE BERNOULLI (CASE WHEN <cond> THEN 100 ELSE 0 END)) x WHERE c.id = <row>"),
            conditions=USUAL,
        ),
        *by_digit(
            ("seed of a digit", "SELECT id FROM orders TABLESAMPLE BERNOULLI (20) REPEATABLE ((SELECT <digit>::int FROM customers c WHERE c.id = <row>))"),
        ),
    ),
)  # fmt: skip
