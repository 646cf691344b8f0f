"""Guessing with lists far longer than anybody writes: half of all birthdays in one list halves what is possible."""

from __future__ import annotations

from tests.leaks.attacker.asking import How, Say
from tests.leaks.attacker.conditions import DAYS
from tests.leaks.attacker.oracles.equality import guesses
from tests.leaks.attacker.phrasing import Oracle, by_row

_COUNT = "SELECT count(*) FROM customers c WHERE c.id = <row> AND <cond>"

ORACLE = Oracle(
    "in-list",
    "lists of 100 to 100,000 constants",
    (
        guesses("IN 100", "SELECT c.id FROM customers c WHERE <cond>", width=100),
        guesses("IN 2,000", "SELECT c.id FROM customers c WHERE <cond>", width=2000),
        guesses("= ANY 2,000", "SELECT c.id FROM customers c WHERE <cond>", width=2000, condition="any"),
        guesses(
            "= ANY parameter",
            Say("SELECT c.id FROM customers c WHERE <cond>", how=How.EXTENDED),
            width=2000,
            condition="any parameter",
        ),
        *by_row(("half", _COUNT), conditions=(DAYS["any"], DAYS["in"], DAYS["any array"])),
        *by_row(("half by parameter", Say(_COUNT, how=How.EXTENDED)), conditions=(DAYS["any parameter"],)),
    ),
)
