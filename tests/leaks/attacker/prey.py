"""The secrets of one run: rows that nobody but the harness knows, and rows of the attacker's own among them.

Law: the same seed gives the same secrets, on every server.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import psycopg

from tests.leaks.attacker.knowledge import Rows
from tests.leaks.attacker.space import CARD, DOB, SPACES, SSN, Space
from tests.leaks.world import LeakServer

TEMPLATE = "leak_prey"
KNOWN = range(501, 541)
"""Rows whose secrets the attacker knows: he was a customer himself."""
SECRET = range(1001, 2001)


@dataclass(frozen=True)
class Prey:
    """What there is to be learned."""

    seed: int
    secrets: dict[str, dict[int, int]]
    """Column -> row -> number."""
    known: dict[str, dict[int, int]]

    def truth(self, space: Space) -> Rows:
        return self.secrets[space.column]

    def own(self, space: Space) -> Rows:
        return self.known[space.column]


def draw(seed: int) -> Prey:
    """All secrets of a run."""
    rng = random.Random(seed)
    rows = [*KNOWN, *SECRET]
    drawn: dict[str, dict[int, int]] = {}
    for space in SPACES:
        if space is CARD:
            numbers = rng.sample(range(space.size), len(rows))
        else:
            numbers = [rng.randrange(space.size) for _ in rows]
        drawn[space.column] = dict(zip(rows, numbers, strict=True))
    return Prey(
        seed,
        {column: {row: found[row] for row in SECRET} for column, found in drawn.items()},
        {column: {row: found[row] for row in KNOWN} for column, found in drawn.items()},
    )


def plant(server: LeakServer, prey: Prey) -> None:
    """A database that the attacker's are copied from."""
    database = server.server.create_database(TEMPLATE, "leak_a")
    with database.connect() as connection:
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in (*KNOWN, *SECRET):
                copy.write_row((row, f"Customer {row}", f"u{row}@corp.example", *_texts(prey, row), False))
        connection.execute("vacuum analyze")


def copied(server: LeakServer, name: str) -> None:
    server.server.create_database(name, TEMPLATE)


def dropped(server: LeakServer, name: str) -> None:
    server.server.drop_database(name)


def _texts(prey: Prey, row: int) -> list[str]:
    return [space.text({**prey.own(space), **prey.truth(space)}[row]) for space in (SSN, DOB, CARD)]


_COPY: psycopg.sql.SQL | str = "COPY customers (id, name, email, ssn, dob, card, vip) FROM STDIN"
