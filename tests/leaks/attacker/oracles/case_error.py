"""A CASE that divides by zero where the condition holds: the error is the answer."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

_FAIL = "CASE WHEN <cond> THEN 1 / (c.id - c.id) ELSE 1 END"

ORACLE = Oracle(
    "case-error",
    "CASE WHEN ... THEN 1/0",
    (
        *by_row(
            ("output", f"SELECT {_FAIL} {OF}"),
            ("WHERE", f"SELECT 1 {OF} AND {_FAIL} = 1"),
            ("ORDER BY", f"SELECT 1 FROM customers c WHERE c.id = <row> ORDER BY {_FAIL}"),
            ("GROUP BY", f"SELECT 1 {OF} GROUP BY {_FAIL}"),
            ("HAVING", f"SELECT 1 {OF} GROUP BY c.id, c.ssn HAVING {_FAIL} = 1"),
            ("aggregate", f"SELECT count({_FAIL}) {OF}"),
            ("ON", f"SELECT 1 FROM orders o JOIN customers c ON o.id = {_FAIL} WHERE c.id = <row>"),
            ("subquery", f"SELECT (SELECT {_FAIL} {OF})"),
            ("EXISTS", f"SELECT EXISTS (SELECT 1 {OF} AND {_FAIL} = 1)"),
            ("unused WITH", f"WITH q AS MATERIALIZED (SELECT {_FAIL} AS x {OF}) SELECT count(*) FROM q"),
            ("LIMIT", f"SELECT 1 LIMIT (SELECT {_FAIL} {OF})"),
            ("window", f"SELECT rank() OVER (ORDER BY {_FAIL}) {OF}"),
            ("VALUES", f"VALUES ((SELECT {_FAIL} {OF}))"),
            ("UPDATE", f"UPDATE customers c SET vip = ({_FAIL} = 1) WHERE c.id = <row>"),
            ("UPDATE of a labelled column", f"UPDATE customers c SET ssn = CASE WHEN {_FAIL} = 1 THEN c.ssn ELSE c.ssn END WHERE c.id = <row>"),
            ("RETURNING", f"UPDATE customers c SET vip = c.vip WHERE c.id = <row> RETURNING {_FAIL}"),
            ("INSERT", f"INSERT INTO scratch (k) SELECT ({_FAIL})::text {OF}"),
            ("COPY", f"COPY (SELECT {_FAIL} {OF}) TO STDOUT"),
            ("UNION", f"SELECT {_FAIL} {OF} UNION ALL SELECT 1"),
            ("and masked", f"SELECT CASE WHEN {_FAIL} = 1 THEN c.ssn END {OF}"),
            ("coalesce", f"SELECT coalesce(nullif(NOT (<cond>), true)::int, 1 / (c.id - c.id)) {OF}"),
            ("error only where it holds", f"SELECT 1 / (c.id - c.id) {OF} AND <cond>"),
            ("EXPLAIN ANALYZE", f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT {_FAIL} {OF}"),
            ("prepared", f"PREPARE e<n> AS SELECT {_FAIL} {OF}", "EXECUTE e<n>", "DEALLOCATE e<n>"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
