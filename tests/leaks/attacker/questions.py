"""What is asked about a secret, which answers there are, and what each leaves possible.

Law: a question knows nothing of how it is asked; `conditions` writes it in SQL.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from tests.leaks.attacker.knowledge import Possible
from tests.leaks.attacker.space import DIGITS, SSN, Space

Class = bool | int
"""The answer to a question: yes or no, or a digit."""


class Question(Protocol):
    @property
    def space(self) -> Space: ...

    def class_of(self, number: int) -> Class:
        """The true answer."""

    def left(self, possible: Possible, answer: Class) -> Possible:
        """What is still possible after that answer."""


@dataclass(frozen=True, slots=True)
class Split:
    """Is a secret that lies in [low, high) below the middle?"""

    space: Space
    low: int
    middle: int
    high: int

    def class_of(self, number: int) -> Class:
        return number < self.middle

    def left(self, possible: Possible, answer: Class) -> Possible:
        return possible.within(self.low, self.middle) if answer else possible.within(self.middle, self.high)


@dataclass(frozen=True, slots=True)
class Window:
    """Is it in [low, high)?"""

    space: Space
    low: int
    high: int

    def class_of(self, number: int) -> Class:
        return self.low <= number < self.high

    def left(self, possible: Possible, answer: Class) -> Possible:
        cut = possible.within if answer else possible.without
        return cut(self.low, self.high)


@dataclass(frozen=True, slots=True)
class DigitBelow:
    """Is the digit at that place below a limit? Asked of all rows at once, whatever their other digits."""

    at: int
    limit: int
    space: Space = SSN

    def class_of(self, number: int) -> Class:
        return digit(number, self.at) < self.limit

    def left(self, possible: Possible, answer: Class) -> Possible:
        return (
            _digits(possible, self.at, 0, self.limit)
            if answer
            else _digits(possible, self.at, self.limit, 10)
        )


@dataclass(frozen=True, slots=True)
class DigitAt:
    """Which digit stands there?"""

    at: int
    space: Space = SSN

    def class_of(self, number: int) -> Class:
        return digit(number, self.at)

    def left(self, possible: Possible, answer: Class) -> Possible:
        return _digits(possible, self.at, int(answer), int(answer) + 1)


def digit(number: int, at: int) -> int:
    return number // int(10 ** (DIGITS - 1 - at)) % 10


def _digits(possible: Possible, at: int, low: int, high: int) -> Possible:
    """Cut to digits [low, high) at a place; nothing is cut where the digits before it are not known."""
    unit = int(10 ** (DIGITS - 1 - at))
    blocks = {one // (10 * unit) for one, _ in possible.intervals}
    blocks |= {(other - 1) // (10 * unit) for _, other in possible.intervals}
    if len(blocks) != 1:
        return possible
    start = blocks.pop() * 10 * unit
    return possible.within(start + low * unit, start + high * unit)


def next_split(space: Space, possible: Possible) -> Split | None:
    """The question that halves what is possible, along digits where there are some; None where all is known."""
    low, high = possible.intervals[0][0], possible.intervals[-1][1]
    if high - low < 2:
        return None
    unit = unit_of(high - low) if space is SSN else 1
    return Split(space, low, low + (high - low) // unit // 2 * unit, high)


def unit_of(width: int) -> int:
    """The power of ten by which an interval of social security numbers is divided."""
    unit = 1
    while unit * 10 < width:
        unit *= 10
    return unit


def rehearsed(space: Space, secret: int, answer: bool, rng: random.Random) -> Split | None:
    """A question on the way to a known secret whose true answer is this, where there is one."""
    found: list[Split] = []
    possible = Possible.all_of(space)
    while (question := next_split(space, possible)) is not None:
        if question.class_of(secret) is answer:
            found.append(question)
        possible = question.left(possible, question.class_of(secret))
    return rng.choice(found) if found else None
