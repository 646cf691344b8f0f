"""Rows of one's own with every value, in the labelled column itself: an equality join between columns of one label then
shows, by the id of the planted row, what the other row holds.
"""

from __future__ import annotations

import random

from tests.leaks.attacker.asking import Asker
from tests.leaks.attacker.conditions import Written
from tests.leaks.attacker.knowledge import Values
from tests.leaks.attacker.phrasing import Harvest, Oracle, fill, values_of
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.space import DOB

_FIRST = 400_000
_AT_ONCE = 1000
_BY_CONSTANTS = (
    f"DELETE FROM customers WHERE id >= {_FIRST}",
    *(
        "INSERT INTO customers (id, name, dob) VALUES "
        + ", ".join(
            f"({_FIRST + day}, 'x', '{DOB.text(day)}')" for day in range(low, min(low + _AT_ONCE, DOB.size))
        )
        for low in range(0, DOB.size, _AT_ONCE)
    ),
)
_BY_SERIES = (
    f"DELETE FROM customers WHERE id >= {_FIRST}",
    (
        f"INSERT INTO customers (id, name, dob) SELECT {_FIRST} + g, 'x', date '{DOB.text(0)}' + g"
        f" FROM generate_series(0, {DOB.size - 1}) g"
    ),
)
_BY_COPIES = (
    "CREATE TEMP TABLE days<n> AS SELECT g AS n, date '1940-01-01' + g AS d FROM generate_series(0, 25567) g",
    f"DELETE FROM customers WHERE id >= {_FIRST}",
    f"INSERT INTO customers (id, name, dob) SELECT {_FIRST} + n, 'x', d FROM days<n>",
)
"""Written out, made, and kept first in a table of one's own."""


def planted(name: str, *texts: str) -> Harvest:
    """Ids, each with the id of the planted row of the same value."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        rows = asker.ask(fill(texts, 0, Written(""))).rows
        numbers = [
            (int(r[0]), int(r[1]))
            for r in rows
            if len(r) > 1 and r[0] and r[1] and r[0].isdigit() and r[1].isdigit()
        ]
        pairs = ((row, DOB.text(other - _FIRST)) for row, other in numbers if 0 <= other - _FIRST < DOB.size)
        return values_of(DOB, prey, pairs)

    return Harvest(name, collect)


_THEIRS = f"c.id BETWEEN 501 AND 2000 AND p.id >= {_FIRST}"

ORACLE = Oracle(
    "planted-join",
    "equality with rows of one's own in the labelled column",
    (
        planted("join, of a series", *_BY_SERIES, f"SELECT c.id, p.id FROM customers c JOIN customers p ON c.dob = p.dob WHERE {_THEIRS}"),
        planted("join", *_BY_CONSTANTS, f"SELECT c.id, p.id FROM customers c JOIN customers p ON c.dob = p.dob WHERE {_THEIRS}"),
        planted("join, of a table", *_BY_COPIES, f"SELECT c.id, p.id FROM customers c JOIN customers p ON c.dob = p.dob WHERE {_THEIRS}"),
        planted("USING", *_BY_CONSTANTS, f"SELECT c.id, p.id FROM customers c JOIN customers p USING (dob) WHERE {_THEIRS}"),
        planted("WHERE", *_BY_CONSTANTS, f"SELECT c.id, p.id FROM customers c, customers p WHERE c.dob = p.dob AND {_THEIRS}"),
        planted("scalar subquery", *_BY_CONSTANTS, f"SELECT c.id, (SELECT min(p.id) FROM customers p WHERE p.dob = c.dob AND p.id >= {_FIRST}) FROM customers c WHERE c.id BETWEEN 501 AND 2000"),
        planted("window", *_BY_CONSTANTS, "SELECT q.id, q.p FROM (SELECT id, max(id) OVER (PARTITION BY dob) p FROM customers) q WHERE q.id BETWEEN 501 AND 2000"),
        planted("GROUP BY", *_BY_CONSTANTS, "SELECT unnest(array_agg(id ORDER BY id)), max(id) FROM customers WHERE id > 500 GROUP BY dob HAVING min(id) <= 2000"),
        planted("UPDATE FROM", *_BY_CONSTANTS, f"UPDATE customers c SET vip = c.vip FROM customers p WHERE c.dob = p.dob AND {_THEIRS} RETURNING c.id, p.id"),
    ),
)  # fmt: skip
