"""Several statements in one text: what an earlier one did shows in how a later one fares."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

ORACLE = Oracle(
    "multi-statement",
    "several statements in one text",
    (
        *by_row(
            ("count", f"SELECT 1; SELECT count(*) {OF} AND <cond>"),
            ("error ends it", f"SELECT 1 / (CASE WHEN <cond> THEN 0 ELSE 1 END) {OF}; SELECT 1"),
            ("error undoes it", f"INSERT INTO scratch (k) VALUES ('m'); SELECT 1 / (CASE WHEN <cond> THEN 0 ELSE 1 END) {OF}", "SELECT count(*) > 0 FROM scratch WHERE k = 'm'", "DELETE FROM scratch WHERE k = 'm'"),
            ("block", f"BEGIN; SELECT c.id {OF} AND <cond>; COMMIT"),
            ("aborted block", "BEGIN", f"SELECT 1 / (CASE WHEN <cond> THEN 0 ELSE 1 END) {OF}", "COMMIT"),
            ("savepoint", "BEGIN", "SAVEPOINT s", f"SELECT 1 / (CASE WHEN <cond> THEN 0 ELSE 1 END) {OF}", "RELEASE s", "ROLLBACK"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
