"""LIMIT and OFFSET taken from a value."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_DIGIT = "(SELECT <digit>::int FROM customers c WHERE c.id = <row>)"
_CASE = "(SELECT CASE WHEN <cond> THEN 1 ELSE 0 END FROM customers c WHERE c.id = <row>)"

ORACLE = Oracle(
    "limit",
    "LIMIT and OFFSET from a value",
    (
        *by_digit(
            ("LIMIT", f"SELECT id FROM orders ORDER BY id LIMIT {_DIGIT}"),
            ("OFFSET", f"SELECT id FROM orders ORDER BY id OFFSET {_DIGIT}"),
            ("FETCH FIRST", f"SELECT id FROM orders ORDER BY id FETCH FIRST {_DIGIT} ROWS ONLY"),
            ("WITH", "WITH q AS (SELECT <digit>::int AS d FROM customers c WHERE c.id = <row>) SELECT id FROM orders ORDER BY id LIMIT (SELECT d FROM q)"),
            ("lateral", "SELECT x.id FROM customers c, LATERAL (SELECT id FROM orders ORDER BY id LIMIT <digit>::int) x WHERE c.id = <row>"),
            ("subquery", f"SELECT count(*) FROM (SELECT id FROM orders LIMIT {_DIGIT}) q"),
            ("ascii", "SELECT id FROM orders ORDER BY id LIMIT (SELECT ascii(<digit>) FROM customers c WHERE c.id = <row>)"),
        ),
        *by_row(
            ("LIMIT CASE", f"SELECT id FROM orders ORDER BY id LIMIT {_CASE}"),
            ("LIMIT count", "SELECT id FROM orders ORDER BY id LIMIT (SELECT count(*) FROM customers c WHERE c.id = <row> AND <cond>)"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
