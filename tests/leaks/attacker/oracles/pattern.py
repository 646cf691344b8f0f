"""Prefixes and patterns: LIKE, regular expressions, and what amounts to them."""

from __future__ import annotations

from tests.leaks.attacker.conditions import BELOW
from tests.leaks.attacker.oracles.where import ALL, by_digits, counted
from tests.leaks.attacker.phrasing import Oracle

ORACLE = Oracle(
    "pattern",
    "LIKE, regular expressions and prefixes in a WHERE",
    (
        *by_digits("all rows", ALL, conditions=(BELOW["regex"], BELOW["like"])),
        *counted("regex", "like", "starts with", "caret", "like any", "ilike", "similar", "regexp"),
        *counted("whole row"),
    ),
)
