"""Two databases that differ only in secrets give equal replies to a caller who may see none.

A thousand examples in the fast run, half on each version, over a pool of random schemas; `make noninterference
ARGS="--examples 20000"` runs as many as one wants.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.noninterference import edges, run, world
from tests.noninterference.replies import Tally, told
from tests.noninterference.statements import Script, plain, script
from tests.noninterference.world import World

pytestmark = [pytest.mark.server, pytest.mark.slow]

EXAMPLES = 500
SEED = 3
FOUND_WITHIN = 150
"""Scripts, until a label that is missing shows."""


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def opened(request: pytest.FixtureRequest) -> Iterator[World]:
    with world.opened(request.param, run.pool(SEED), [edges.SCHEMA]) as found:
        yield found


@pytest.mark.parametrize("edge", edges.Edge)
def test_what_is_known_to_be_open(opened: World, edge: edges.Edge) -> None:
    """Where this fails by telling nothing, take the edge out of `edges.OPEN`: the generator tries it then."""
    pair, (schema,) = opened.fixed, opened.fixed.schemas
    turns = [plain("set search_path = edges"), *map(plain, edges.STATEMENTS[edge])]
    one, other = opened.play(pair, Script(schema, tuple(turns)))
    telling = [
        turn.shown
        for turn, a, b in zip(turns, one, other, strict=True)
        if told([a], [b], pair.names, pair.newest) is not None
    ]
    assert bool(telling) == (edge in edges.OPEN), telling


def test_replies_do_not_tell_secrets(opened: World) -> None:
    tally = Tally()
    run.hold(opened, SEED, EXAMPLES, tally)
    assert run.shortfalls(tally) == []


def test_a_gateway_without_labels_tells(opened: World) -> None:
    try:
        opened.relabel(is_bare=True)
        assert _first_told(opened, Random(SEED)) is not None
    finally:
        opened.relabel()


def test_one_missing_label_tells(opened: World) -> None:
    """The scripts of one schema find the one column that bears its label no longer."""
    random = Random(SEED)
    _, schema = random.choice(opened.schemas)
    relation, columns = random.choice(sorted(schema.labels().items()))
    hidden = (relation, random.choice(sorted(columns)))
    try:
        opened.relabel([hidden])
        assert _first_told(opened, random, schema.name) is not None, hidden
    finally:
        opened.relabel()


def _first_told(opened: World, random: Random, name: str | None = None) -> int | None:
    schemas = [(pair, schema) for pair, schema in opened.schemas if name in (None, schema.name)]
    for number in range(FOUND_WITHIN):
        pair, schema = random.choice(schemas)
        if opened.judge(pair, script(schema, random, opened.server.version, run.STATEMENTS)) is not None:
            return number
    return None
