"""What the attacker still thinks possible, and how many bits that is.

Laws: only what was observed narrows; a row whose true secret was excluded is worth nothing, and costs what a guess
of that size would have earned on average, so that guessing earns nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.leaks.attacker.space import Space


@dataclass(frozen=True, slots=True)
class Possible:
    """A set of numbers, as intervals in order without the upper end."""

    intervals: tuple[tuple[int, int], ...]

    @classmethod
    def all_of(cls, space: Space) -> Possible:
        return cls(((0, space.size),))

    @property
    def size(self) -> int:
        return sum(high - low for low, high in self.intervals)

    def __contains__(self, number: int) -> bool:
        return any(low <= number < high for low, high in self.intervals)

    def within(self, low: int, high: int) -> Possible:
        """Those of them in the interval."""
        cut = ((max(one, low), min(other, high)) for one, other in self.intervals)
        return Possible(tuple((one, other) for one, other in cut if one < other))

    def without(self, low: int, high: int) -> Possible:
        """Those of them outside the interval."""
        below, above = self.within(0, low).intervals, self.within(high, _END).intervals
        if below and above and below[-1][1] == above[0][0]:
            return Possible((*below[:-1], (below[-1][0], above[0][1]), *above[1:]))
        return Possible(below + above)


_END = 1 << 62
Rows = Mapping[int, int]
"""A row's id -> its true secret."""


@dataclass
class Values:
    """What is possible of each row of one column."""

    space: Space
    possible: dict[int, Possible] = field(default_factory=dict)

    def of(self, row: int) -> Possible:
        return self.possible.get(row) or Possible.all_of(self.space)

    def learn(self, row: int, possible: Possible) -> None:
        """Nothing at all possible is a contradiction: the row stays as it was."""
        if possible.intervals:
            self.possible[row] = possible

    def bits(self, truth: Rows) -> float:
        return sum(_bits(self.space.size, each, truth[row]) for row, each in self.possible.items())


def _bits(size: int, possible: Possible, secret: int) -> float:
    share = possible.size / size
    bits = -math.log2(share)
    if secret in possible:
        return bits
    return -bits * share / (1 - share) if share < 1 else 0.0


@dataclass
class Presence:
    """Which values are somewhere in a column that holds `rows` of them, each once, in no known place."""

    space: Space
    rows: int
    present: set[int] = field(default_factory=set)
    absent: list[tuple[int, int]] = field(default_factory=list)
    """Intervals that hold none but those that are `present`."""

    def bits(self, truth: Rows) -> float:
        """Of how many sets of values it was one, and of how many it is now; nothing where any of it is untrue."""
        there = set(truth.values())
        swept = Possible(_merged(self.absent))
        if self.present - there or any(each in swept for each in there - self.present):
            return 0.0
        gone = swept.size - sum(each in swept for each in self.present)
        left = _log2_choose(self.space.size - len(self.present) - gone, max(self.rows - len(self.present), 0))
        return _log2_choose(self.space.size, self.rows) - left


@dataclass
class Order:
    """The rows in the order of their secrets, between values that the attacker knows."""

    space: Space
    rows: Sequence[int]
    known: Rows
    """Rows of his own among them: each tells where its neighbours are."""

    def bits(self, truth: Rows) -> float:
        """Gap by gap; one that is not as it is claimed is worth nothing."""
        total, low, gap = 0.0, 0, list[int]()
        for row in self.rows:
            if row not in self.known:
                gap.append(row)
                continue
            total += self._gap(gap, low, self.known[row] + 1, truth)
            low, gap = self.known[row], []
        return total + self._gap(gap, low, self.space.size, truth)

    def _gap(self, rows: list[int], low: int, high: int, truth: Rows) -> float:
        secrets = [truth[row] for row in rows]
        if not rows or secrets != sorted(secrets) or secrets[0] < low or secrets[-1] >= high:
            return 0.0
        return len(rows) * math.log2(self.space.size / (high - low)) + math.lgamma(len(rows) + 1) / math.log(
            2
        )


Knowledge = Values | Presence | Order


def _merged(intervals: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _log2_choose(of: int, these: int) -> float:
    if these < 0 or these > of:
        return 0.0
    return (math.lgamma(of + 1) - math.lgamma(these + 1) - math.lgamma(of - these + 1)) / math.log(2)
