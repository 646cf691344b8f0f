"""Equality of a part of the value: a digit has few values to guess from."""

from __future__ import annotations

from tests.leaks.attacker.conditions import BELOW
from tests.leaks.attacker.oracles.where import ALL, by_digits, counted
from tests.leaks.attacker.phrasing import Oracle

ORACLE = Oracle(
    "part",
    "substr, left and the like in a WHERE",
    (
        *by_digits("all rows", ALL, conditions=(BELOW["substr"],)),
        *counted("substr", "left", "strpos", "any array", "array overlap"),
    ),
)
