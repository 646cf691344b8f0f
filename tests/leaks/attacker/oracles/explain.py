"""EXPLAIN ANALYZE: actual rows, rows removed, loops, whether a part of the plan ran at all."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import EITHER, OF, TWICE
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_EXPLAIN = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF, BUFFERS OFF)"

ORACLE = Oracle(
    "explain-analyze",
    "actual rows in plans",
    (
        *by_row(
            ("rows", f"{_EXPLAIN} SELECT 1 {OF} AND <cond>"),
            ("rows, JSON", f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF, BUFFERS OFF, FORMAT JSON) SELECT 1 {OF} AND <cond>"),
            ("never executed", f"{_EXPLAIN} SELECT CASE WHEN <cond> THEN (SELECT count(*) FROM orders) END {OF}"),
            ("one-time filter", f"{_EXPLAIN} SELECT o.id FROM orders o WHERE (SELECT <cond> {OF})"),
            ("UPDATE", "BEGIN", f"{_EXPLAIN} UPDATE customers c SET vip = c.vip WHERE c.id = <row> AND <cond>", "ROLLBACK"),
            ("group", f"{_EXPLAIN} SELECT count(*) {TWICE} GROUP BY {EITHER}"),
            ("prepared", f"PREPARE x<n> AS SELECT 1 {OF} AND <cond>", f"{_EXPLAIN} EXECUTE x<n>", "DEALLOCATE x<n>"),
            ("WITH", f"{_EXPLAIN} WITH q AS MATERIALIZED (SELECT 1 {OF} AND <cond>) SELECT count(*) FROM q"),
            ("buffers", f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, COSTS OFF) SELECT CASE WHEN <cond> THEN (SELECT count(*) FROM orders) END {OF}"),
            conditions=USUAL,
        ),
        *by_digit(
            ("rows of a digit", f"{_EXPLAIN} SELECT generate_series(1, <digit>::int) {OF}"),
        ),
    ),
)  # fmt: skip
