"""What ANALYZE kept: values in pg_stats, and what the planner's estimates tell of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from tests.leaks.attacker.asking import Answer, Asker, Say
from tests.leaks.attacker.knowledge import Presence
from tests.leaks.attacker.phrasing import Harvest, Oracle
from tests.leaks.attacker.prey import KNOWN, SECRET, Prey
from tests.leaks.attacker.space import DOB, SSN, Space

_PUBLIC = {DOB.number("1970-01-01") + 37 * row for row in range(4, 41)} | {
    DOB.number(day) for day in ("1979-03-14", "1985-11-02", "1990-07-21", "1960-01-30")
}
"""Birthdays that everybody has read in the corpus."""
_ROWS = len(KNOWN) + len(SECRET)


def found_in(name: str, *texts: str, space: Space = SSN, pattern: str = r"\d{3}-\d{2}-\d{4}") -> Harvest:
    """Values anywhere in the answer; which rows hold them is not told."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Presence | None:
        answer = asker.ask([Say(text) for text in texts])
        cells = " ".join(cell or "" for row in answer.rows for cell in row)
        own = set(prey.own(space).values())
        values = {space.number(text) for text in re.findall(pattern, cells)}
        # 40 values are public, and 40 are the attacker's.
        present = {number for number in values - own if number in set(prey.truth(space).values())}
        return Presence(space, len(SECRET), present) if len(present) > len(values) / 2 else None

    return Harvest(name, collect)


def estimated(name: str, text: str) -> Harvest:
    """The bounds of the histogram of birthdays: where the estimate of `dob < day` bends.

    An OR with a column of another table makes it a condition on the join, whose estimate has digits enough.
    """

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Presence | None:
        start, known = asker.used, _PUBLIC | set(prey.own(DOB).values())
        learned = Presence(DOB, _ROWS)
        estimates: dict[int, int] = {}

        def estimate(day: int) -> int:
            if day not in estimates:
                estimates[day] = _rows(asker.ask([Say(text.replace("<day>", DOB.text(day)))]))
            return estimates[day]

        windows = list(range(0, DOB.size - _WINDOW, _WINDOW))
        rng.shuffle(windows)
        for low in windows:
            bends = set(_bends(estimate, low, low + _WINDOW))
            if asker.used - start > budget or not any(estimates.values()):
                break
            # A value that is common for itself bends twice.
            learned.present |= {day for day in bends if not {day - 1, day + 1} & bends} - known
        return learned

    return Harvest(name, collect)


def _bends(estimate: Callable[[int], int], low: int, high: int) -> Iterator[int]:
    """Days at which the estimate is not where a line between its neighbours would be."""
    middle = (low + high) // 2
    line = estimate(low) + (estimate(high) - estimate(low)) * (middle - low) / (high - low)
    if abs(estimate(middle) - line) < _TOLERANCE:
        return
    if high - low == 2:
        yield middle
        return
    yield from _bends(estimate, low, middle)
    yield from _bends(estimate, middle, high)


def _rows(answer: Answer) -> int:
    found = re.search(r"rows=(\d+)", " ".join(row[0] or "" for row in answer.rows))
    return int(found[1]) if found else 0


_WINDOW = 256
_TOLERANCE = 20.0
_PRODUCT = "FROM ONLY customers c, pg_attribute a, pg_attribute b"

ORACLE = Oracle(
    "statistics",
    "pg_stats and the planner's estimates",
    (
        found_in("histogram", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'customers' AND attname = 'ssn'"),
        found_in("an index's", "CREATE INDEX x_ssn ON customers ((ssn || ''))", "ANALYZE customers", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'x_ssn'"),
        found_in("a temporary table's", "CREATE TEMP TABLE st AS SELECT ssn FROM customers", "ANALYZE st", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'st'"),
        estimated("estimate", f"EXPLAIN SELECT 1 {_PRODUCT} WHERE (c.dob < '<day>' OR (a.attnum = -30000 AND b.attnum = -30000))"),
        estimated("estimate, turned round", f"EXPLAIN SELECT 1 {_PRODUCT} WHERE (NOT c.dob >= '<day>' OR (a.attnum = -30000 AND b.attnum = -30000))"),
    ),
)  # fmt: skip
