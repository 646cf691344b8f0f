"""One oracle against one door: every attempt is tried, the best one gets the budget, bits are counted.

Law: the figure of an oracle is its best attempt's; what the others told is kept by name.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.leaks.attacker.asking import Asker
from tests.leaks.attacker.knowledge import Knowledge
from tests.leaks.attacker.phrasing import Attempt, Harvest, Oracle
from tests.leaks.attacker.prey import Prey

TRIAL = 12
"""Statements that each attempt gets before the best of them gets the rest."""
TRIAL_OF_A_HARVEST = 100
"""One may need many before the first value is whole; most need one."""
PER = 1000

NewAsker = Callable[[], Asker]


@dataclass(frozen=True, slots=True)
class Told:
    """What one attempt learned with how many statements."""

    attempt: str
    bits: float
    statements: int

    @property
    def rate(self) -> float:
        """Bits per 1,000 statements."""
        return self.bits * PER / self.statements if self.statements else 0.0


@dataclass(frozen=True)
class Measured:
    """One oracle, measured."""

    best: Told
    telling: tuple[Told, ...] = field(default=())
    """Every attempt that told anything in its trial."""
    attempts: int = 0


def measure(oracle: Oracle, first: NewAsker, again: NewAsker, prey: Prey, budget: int) -> Measured:
    """Try everything through `first`, then the best through `again`, in a copy that no trial has changed."""
    asker, trials = first(), list[tuple[Told, Attempt]]()
    try:
        for attempt in oracle.attempts:
            trial = TRIAL_OF_A_HARVEST if isinstance(attempt, Harvest) else TRIAL
            trials.append((tell(oracle, attempt, asker, prey, min(trial, budget)), attempt))
            if isinstance(attempt, Harvest):
                asker.close()
    finally:
        asker.close()
    telling = tuple(told for told, _ in trials if told.bits > 0)
    best, attempt = max(trials, key=lambda each: each[0].rate)
    if telling and budget > TRIAL:
        asker = again()
        try:
            best = tell(oracle, attempt, asker, prey, budget)
        finally:
            asker.close()
    return Measured(best, telling, len(trials))


def tell(oracle: Oracle, attempt: Attempt, asker: Asker, prey: Prey, budget: int) -> Told:
    """One attempt from a clean slate."""
    before = asker.used
    rng = random.Random(f"{prey.seed} {oracle.name} {attempt.name}")
    learned = attempt.run(asker, prey, budget, rng)
    return Told(attempt.name, count(learned, prey), asker.used - before)


def count(learned: Knowledge | None, prey: Prey) -> float:
    """Bits, checked against the secrets themselves; never less than none."""
    return max(0.0, learned.bits(prey.truth(learned.space))) if learned is not None else 0.0
