"""What ANALYZE kept: values in pg_stats, and what the planner's estimates tell of them."""

from __future__ import annotations

import random
import re

from tests.leaks.attacker.asking import Asker, Say
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
    """The bounds of the histogram of birthdays, each found by bisection over the estimate of `dob < day`.

    Joined with large tables, so that the estimate has digits enough.
    """

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Presence | None:
        def share(day: int) -> float | None:
            answer = asker.ask([Say(text.replace("<day>", DOB.text(day)))])
            rows = re.search(r"rows=(\d+)", " ".join(row[0] or "" for row in answer.rows))
            return int(rows[1]) / most if rows and most else None

        most, start, known = 0.0, asker.used, _PUBLIC | set(prey.own(DOB).values())
        answer = asker.ask([Say(text.replace("<day>", "2030-01-01"))])
        if (whole := re.search(r"rows=(\d+)", " ".join(row[0] or "" for row in answer.rows))) is None:
            return None
        most = int(whole[1])
        learned = Presence(DOB, _ROWS)
        for bound in rng.sample(range(5, 95), 90):
            low, high = 0, DOB.size
            while high - low > 1 and asker.used - start < budget:
                if (part := share((low + high) // 2)) is None:
                    return None
                low, high = (
                    ((low + high) // 2, high) if part < bound / 100 - 1e-7 else (low, (low + high) // 2)
                )
            if asker.used - start >= budget:
                break
            if high not in known:
                learned.present.add(high)
        return learned

    return Harvest(name, collect)


_PRODUCT = "FROM customers c, pg_attribute a, pg_attribute b"

ORACLE = Oracle(
    "statistics",
    "pg_stats and the planner's estimates",
    (
        found_in("histogram", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'customers' AND attname = 'ssn'"),
        found_in("an index's", "CREATE INDEX x_ssn ON customers ((ssn || ''))", "ANALYZE customers", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'x_ssn'"),
        found_in("a temporary table's", "CREATE TEMP TABLE st AS SELECT ssn FROM customers", "ANALYZE st", "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'st'"),
        estimated("estimate", f"EXPLAIN SELECT 1 {_PRODUCT} WHERE c.dob < '<day>'"),
        estimated("estimate, prepared", f"EXPLAIN SELECT 1 {_PRODUCT} WHERE NOT c.dob >= '<day>'"),
    ),
)  # fmt: skip
