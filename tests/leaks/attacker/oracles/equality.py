"""Guessing: is the value one of up to twenty constants? Sweeps all birthdays, in 1,279 questions to all rows at once."""

from __future__ import annotations

import random
from collections.abc import Iterable

from tests.leaks.attacker.asking import How, Say
from tests.leaks.attacker.conditions import DAYS
from tests.leaks.attacker.phrasing import Oracle, Sweep, Text
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.questions import Window
from tests.leaks.attacker.space import DOB

AT_ONCE = 20


def windows(width: int, prey: Prey, rng: random.Random) -> Iterable[Window]:
    """Every window of days once, from a random one on."""
    starts = list(range(0, DOB.size, width))
    rng.shuffle(starts)
    return (Window(DOB, start, min(start + width, DOB.size)) for start in starts)


def around(width: int, prey: Prey, rng: random.Random) -> Iterable[Window]:
    """Windows that hold birthdays that are known."""
    days = rng.sample(list(prey.own(DOB).values()), 3)
    return (Window(DOB, max(0, day - width // 2), max(0, day - width // 2) + width) for day in days)


def guesses(name: str, *texts: Text, width: int = AT_ONCE, condition: str = "in") -> Sweep:
    """Guess `width` days at a time."""
    return Sweep(
        name,
        texts,
        DAYS[condition],
        lambda prey, rng: windows(width, prey, rng),
        lambda prey, rng: around(width, prey, rng),
    )


ORACLE = Oracle(
    "equality",
    "up to twenty constants",
    (
        guesses("IN", "SELECT c.id FROM customers c WHERE <cond>"),
        guesses("= ANY", "SELECT c.id FROM customers c WHERE <cond>", condition="any"),
        guesses("OR", "SELECT c.id FROM customers c WHERE <cond>", condition="or"),
        guesses("one", "SELECT c.id FROM customers c WHERE <cond>", width=1, condition="or"),
        guesses("UPDATE RETURNING", "UPDATE customers c SET vip = vip WHERE <cond> RETURNING c.id"),
        guesses(
            "IN parameters",
            Say("SELECT c.id FROM customers c WHERE <cond>", how=How.EXTENDED),
            condition="in parameters",
        ),
        guesses("FILTER", "SELECT c.id, count(*) FILTER (WHERE <cond>) FROM customers c GROUP BY c.id"),
        guesses(
            "LEFT JOIN", "SELECT d.id, c.id FROM customers d LEFT JOIN customers c ON c.id = d.id AND <cond>"
        ),
    ),
)
