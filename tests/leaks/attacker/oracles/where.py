"""What the oracles about conditions in a WHERE share: one row by a count, all rows by the ids that come."""

from __future__ import annotations

import random
from collections.abc import Iterable

from tests.leaks.attacker.conditions import BELOW, SPLITS, Condition
from tests.leaks.attacker.phrasing import Bisect, Sweep, by_row
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.questions import DigitBelow, Split
from tests.leaks.attacker.space import SSN

ALL = "SELECT c.id FROM customers c WHERE <cond>"
OF = "FROM customers c WHERE c.id = <row>"
TWICE = "FROM customers c, (VALUES (1), (2)) v(n) WHERE c.id = <row>"
EITHER = "((<cond>) AND v.n = 1)"
"""Of the two copies of a row, both are alike where the condition does not hold."""
_STEPS = 64


def below(prey: Prey, rng: random.Random) -> Iterable[DigitBelow]:
    """Every limit of every digit, the first digit first."""
    return (DigitBelow(at, limit) for at in range(9) for limit in range(1, 10))


def some_below(prey: Prey, rng: random.Random) -> Iterable[DigitBelow]:
    return (DigitBelow(rng.randrange(9), limit) for limit in (3, 5, 7))


def thresholds(prey: Prey, rng: random.Random) -> Iterable[Split]:
    """The whole range in equal steps."""
    return (Split(SSN, 0, SSN.size // _STEPS * step, SSN.size) for step in range(1, _STEPS))


def some_thresholds(prey: Prey, rng: random.Random) -> Iterable[Split]:
    return (Split(SSN, 0, SSN.size // 10 * step, SSN.size) for step in (3, 5, 7))


def by_digits(name: str, *texts: str, conditions: Iterable[Condition] = tuple(BELOW.values())) -> list[Sweep]:
    """All rows at once, digit by digit."""
    return [Sweep(f"{name}, {each.name}", texts, each, below, some_below) for each in conditions]


def by_range(name: str, *texts: str) -> Sweep:
    """All rows at once, in steps."""
    return Sweep(name, texts, SPLITS["range"], thresholds, some_thresholds)


def counted(*names: str) -> list[Bisect]:
    """One row at a time, with these conditions."""
    return by_row(("WHERE", f"SELECT count(*) {OF} AND <cond>"), conditions=[SPLITS[name] for name in names])
