"""Work that is done only where the condition holds, and takes long enough to be seen."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

_COUNT = "(SELECT count(*) FROM generate_series(1, 300000) g)"
_EACH = "(SELECT count(*) FROM generate_series(1, 300000 + c.id * 0) g)"

ORACLE = Oracle(
    "heavy",
    "work that takes long",
    (
        *by_row(
            ("CASE", f"SELECT CASE WHEN <cond> THEN {_COUNT} END {OF}"),
            ("CASE of the column", f"SELECT CASE WHEN <cond> THEN c.ssn || {_COUNT} ELSE c.ssn END {OF}"),
            ("AND", f"SELECT 1 {OF} AND <cond> AND {_EACH} > 0"),
            ("WHERE", f"SELECT {_COUNT} {OF} AND <cond>"),
            ("repeat", f"SELECT md5(repeat('x', CASE WHEN <cond> THEN 30000000 ELSE 1 END)) {OF}"),
            ("repeat of the value", f"SELECT md5(repeat(c.ssn, CASE WHEN <cond> THEN 3000000 ELSE 1 END)) {OF}"),
            ("digest", f"SELECT encode(digest(repeat('x', CASE WHEN <cond> THEN 20000000 ELSE 1 END), 'sha256'), 'hex') {OF}"),
            ("factorial", f"SELECT factorial(CASE WHEN <cond> THEN 6000 ELSE 1 END) {OF}"),
            ("EXISTS", f"SELECT 1 WHERE EXISTS (SELECT 1 {OF} AND <cond>) AND {_COUNT} > 0"),
            ("coalesce", f"SELECT coalesce(nullif(NOT (<cond>), true)::text, {_COUNT}::text) {OF}"),
            ("series", "SELECT count(*) FROM customers c, generate_series(1, CASE WHEN <cond> THEN 300000 ELSE 1 END) WHERE c.id = <row>"),
            ("aggregate FILTER", "SELECT count(md5(g::text)) FILTER (WHERE <cond>) FROM customers c, generate_series(1, 100000) g WHERE c.id = <row>"),
            ("UPDATE", f"UPDATE customers c SET ssn = CASE WHEN <cond> AND {_COUNT} > 0 THEN c.ssn ELSE c.ssn END WHERE c.id = <row>"),
            conditions=(SPLITS["range"], SPLITS["regex"]),
            is_timed=True,
        ),
    ),
)  # fmt: skip
