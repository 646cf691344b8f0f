"""Runs examples: Hypothesis chooses a schema of the pool and makes a script over it.

Law: an example is one schema with one script; what a failing one prints is enough to see it: the script's turns, both
replies, and the definitions that it reads.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.noninterference.pool import schema
from tests.noninterference.replies import Tally, Told
from tests.noninterference.schema import Schema
from tests.noninterference.statements import Script, script
from tests.noninterference.world import World

PAIRS, SCHEMAS = 8, 5
"""Pairs of databases, and schemas in each: what the gateway tells policy grows with the labels of a database."""
STATEMENTS = 5
"""Of one script, at most."""

LEAST_ANSWERED, LEAST_MASKED = 0.45, 0.07
"""Shares of the statements that are answered with rows, and with rows in which the constant mask stands."""


def pool(number: int) -> list[list[Schema]]:
    """The schemas of a seed, by pairs of databases."""
    return [[schema(at * SCHEMAS + each, number) for each in range(SCHEMAS)] for at in range(PAIRS)]


def hold(world: World, number: int, examples: int, tally: Tally) -> None:
    """The property, over so many examples of that seed; AssertionError with the smallest script that tells."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(place=st.integers(0, len(world.schemas) - 1), random=st.randoms(use_true_random=False))
    def replies_are_equal(place: int, random: Random) -> None:
        pair, over = world.schemas[place]
        made = script(over, random, world.server.version, STATEMENTS)
        told = world.judge(pair, made, tally)
        assert told is None, explained(over, made, told, number)

    replies_are_equal()


def explained(over: Schema, made: Script, told: Told | None, number: int) -> str:
    """A failing example."""
    if told is None:
        return ""
    text = str(made)
    definitions = "\n".join(
        each
        for each in over.definitions()
        if any(f"{over.name}.{name}" in each for name in _mentioned(over, text))
    )
    return (
        f"seed {number}, schema {over.name}, labelled {over.labels()}\n{definitions}\n\n{text}\n\n"
        f"turn {told.turn} tells:\n  one:\n{told.one}\n  other:\n{told.other}"
    )


def _mentioned(over: Schema, text: str) -> list[str]:
    return [source.alias for source in over.sources if source.alias in text]


def shortfalls(tally: Tally) -> list[str]:
    """What says that too little was seen: a gateway that refuses everything tells nothing."""
    shares = (
        ("answered with rows", tally.answered, LEAST_ANSWERED),
        ("answered with masks", tally.masked, LEAST_MASKED),
    )
    return [
        f"{count} of {tally.statements} statements were {what}, less than {least:.0%}"
        for what, count, least in shares
        if count < least * tally.statements
    ]
