"""Bisection by order: <, BETWEEN, and what amounts to it."""

from __future__ import annotations

from tests.leaks.attacker.oracles.where import ALL, by_range, counted
from tests.leaks.attacker.phrasing import Oracle

ORACLE = Oracle(
    "range",
    "<, BETWEEN and the like in a WHERE",
    (
        by_range("all rows", ALL),
        *counted("range", "between", "row", "greatest", "number", "json", "null", "case", "subquery"),
        *counted("any values", "collate", "not", "is true"),
    ),
)
