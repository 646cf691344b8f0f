"""Whether there is such a row, asked in a place that shows it."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

_ROW = f"SELECT 1 {OF} AND <cond>"

ORACLE = Oracle(
    "exists",
    "EXISTS, IN and scalar subqueries",
    (
        *by_row(
            ("EXISTS", f"SELECT EXISTS ({_ROW})"),
            ("NOT EXISTS", f"SELECT 1 WHERE NOT EXISTS ({_ROW})"),
            ("WHERE EXISTS", f"SELECT o.id FROM orders o WHERE o.id = 1 AND EXISTS ({_ROW})"),
            ("IN", f"SELECT 1 IN ({_ROW})"),
            ("column IN", f"SELECT o.id FROM orders o WHERE o.id IN ({_ROW})"),
            ("= ANY", f"SELECT 1 = ANY ({_ROW})"),
            ("ARRAY", f"SELECT ARRAY({_ROW})"),
            ("count of a subquery", f"SELECT count(*) FROM ({_ROW}) q"),
            ("CASE EXISTS", f"SELECT CASE WHEN EXISTS ({_ROW}) THEN 'a' ELSE 'b' END"),
            ("scalar subquery compared", "SELECT o.id FROM orders o WHERE o.id = 1 AND (SELECT <cond> FROM customers c WHERE c.id = <row>)"),
            ("WITH", f"WITH q AS ({_ROW}) SELECT count(*) FROM q"),
            ("WITH, unused", f"WITH q AS MATERIALIZED (SELECT c.id {OF} AND <cond>) SELECT o.id FROM orders o, q LIMIT 1"),
            ("join", "SELECT o.id FROM orders o JOIN customers c ON c.id = <row> AND <cond> LIMIT 1"),
            ("HAVING", f"SELECT 1 {OF} AND <cond> HAVING count(*) > 0"),
            ("bool_or", f"SELECT 1 {OF} HAVING bool_or(<cond>)"),
            ("view", "SELECT count(*) FROM (SELECT c.* FROM customers c) c WHERE c.id = <row> AND <cond>"),
            ("FOR UPDATE", f"SELECT c.id {OF} AND <cond> FOR UPDATE"),
            ("IS NOT NULL", f"SELECT (SELECT c.id {OF} AND <cond>) IS NOT NULL"),
            ("lateral", f"SELECT q.one FROM orders o LEFT JOIN LATERAL (SELECT 1 AS one {OF} AND <cond>) q ON true LIMIT 1"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
