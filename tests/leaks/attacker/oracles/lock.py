"""Locks taken by a value in one session and seen in another."""

from __future__ import annotations

from tests.leaks.attacker.asking import Say
from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_TRY = Say("SELECT " + ", ".join(f"pg_try_advisory_xact_lock_shared(7700, {n})" for n in range(10)), "b")
_HELD = Say("SELECT objid FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1", "b")

ORACLE = Oracle(
    "lock",
    "advisory and row locks seen from another session",
    (
        *by_digit(
            ("advisory", "BEGIN", f"SELECT pg_advisory_xact_lock(7700, <digit>::int) {OF}", _TRY, "ROLLBACK"),
            ("advisory, pg_locks", "BEGIN", f"SELECT pg_advisory_xact_lock(7700, <digit>::int) {OF}", _HELD, "ROLLBACK"),
            ("advisory, try", "BEGIN", f"SELECT pg_try_advisory_xact_lock(7700, <digit>::int) {OF}", _TRY, "ROLLBACK"),
        ),
        *by_row(
            ("advisory CASE", "BEGIN", f"SELECT CASE WHEN <cond> THEN pg_advisory_xact_lock(7700, 1) END {OF}", _TRY, "ROLLBACK"),
            ("advisory WHERE", "BEGIN", f"SELECT pg_advisory_xact_lock(7700, 1) {OF} AND <cond>", _TRY, "ROLLBACK"),
            ("own session", "BEGIN", f"SELECT CASE WHEN <cond> THEN pg_advisory_lock(7701, 1) END {OF}", "SELECT pg_advisory_unlock(7701, 1)", "ROLLBACK"),
            ("row", "BEGIN", f"SELECT c.id {OF} AND <cond> FOR UPDATE", Say("SELECT id FROM customers WHERE id = <row> FOR UPDATE SKIP LOCKED", "b"), "ROLLBACK"),
            ("row of another table", "BEGIN", "SELECT o.id FROM orders o JOIN customers c ON <cond> WHERE c.id = <row> AND o.id = 1 FOR UPDATE OF o", Say("SELECT id FROM orders WHERE id = 1 FOR UPDATE SKIP LOCKED", "b"), "ROLLBACK"),
            ("NOWAIT", "BEGIN", f"SELECT c.id {OF} AND <cond> FOR UPDATE", Say("SELECT id FROM customers WHERE id = <row> FOR UPDATE NOWAIT", "b"), "ROLLBACK"),
            conditions=(SPLITS["range"], SPLITS["regex"], SPLITS["substr"]),
        ),
    ),
)  # fmt: skip
