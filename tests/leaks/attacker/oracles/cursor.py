"""Cursors: how many rows FETCH and MOVE find."""

from __future__ import annotations

from tests.leaks.attacker.asking import How, Say
from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_DECLARE = f"DECLARE k CURSOR FOR SELECT c.id {OF} AND <cond>"

ORACLE = Oracle(
    "cursor",
    "FETCH and MOVE counts",
    (
        *by_row(
            ("FETCH", "BEGIN", _DECLARE, "FETCH ALL k", "ROLLBACK"),
            ("MOVE", "BEGIN", _DECLARE, "MOVE ALL k", "ROLLBACK"),
            ("MOVE ABSOLUTE", "BEGIN", f"DECLARE k SCROLL CURSOR FOR SELECT c.id {OF} AND <cond>", "MOVE ABSOLUTE 1 k", "ROLLBACK"),
            ("WITH HOLD", f"DECLARE k<n> CURSOR WITH HOLD FOR SELECT c.id {OF} AND <cond>", "FETCH ALL k<n>", "CLOSE k<n>"),
            ("masked", "BEGIN", f"DECLARE k CURSOR FOR SELECT nullif(<cond>, true) {OF}", "FETCH ALL k", "ROLLBACK"),
            ("CURRENT OF", "BEGIN", f"DECLARE k CURSOR FOR SELECT c.id {OF} AND <cond> FOR UPDATE", "FETCH 1 k", "UPDATE customers SET vip = vip WHERE CURRENT OF k", "ROLLBACK"),
            ("one row at a time", Say(f"SELECT 1 {OF} AND <cond>", how=How.ONE_ROW)),
            conditions=USUAL,
        ),
        *by_digit(
            ("MOVE of a set", "BEGIN", f"DECLARE k CURSOR FOR SELECT generate_series(1, <digit>::int) {OF}", "MOVE ALL k", "ROLLBACK"),
            ("FETCH of a set", "BEGIN", f"DECLARE k CURSOR FOR SELECT generate_series(1, <digit>::int) {OF}", "FETCH ALL k", "ROLLBACK"),
        ),
    ),
)  # fmt: skip
