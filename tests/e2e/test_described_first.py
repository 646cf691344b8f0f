"""The schema changes behind the gateway's back, and nothing polls it: an UPDATE ... RETURNING that no longer is what was
analysed is refused with nothing changed, and the next try passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres

CHANGES: dict[str, Any] = {**worlds.CHANGES, "settings": {"snapshot_poll_s": "1h"}}
SWAP = """
alter table if exists parcels rename to {old};
create table parcels ({columns});
grant all on parcels to shop_app;
insert into parcels (id, place) values (1, 'here'), (2, 'there')
"""
SHAPES = ("id int, place text", "note text, place text, id int", "id int, note text, place text")
UPDATE = "update parcels set place = 'gone' where id = 1 returning *"


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    with worlds.started(postgres15, CHANGES, worlds.FILES) as started:
        started.shop.run(SWAP.format(old="nothing", columns=SHAPES[0]))
        assert started.gateway.psql("dev", "select id from parcels").stdout == "1\n2\n"
        yield started


def _swap(world: World, number: int) -> None:
    world.shop.run(SWAP.format(old=f"parcels_{number}", columns=SHAPES[number]))


def _places(world: World) -> list[tuple[Any, ...]]:
    return world.shop.query("select id, place from parcels order by id")


INTACT, CHANGED = [(1, "here"), (2, "there")], [(1, "gone"), (2, "there")]


def test_psql_is_refused_and_the_retry_passes(world: World) -> None:
    _swap(world, 1)
    done = world.gateway.psql("dev", UPDATE, options=("-X", "-A", "-t", "-v", "VERBOSITY=verbose"))
    assert "NW018" in done.stderr
    assert "retryable: yes" in done.stderr
    assert _places(world) == INTACT
    (refused,) = worlds.entries(world.gateway, "statement", text=UPDATE)
    (outcome,) = worlds.eventually(lambda: worlds.entries(world.gateway, "outcome", record=refused.id))
    assert (outcome.record.status, outcome.record.sqlstate) == ("refused", "NW018")
    assert [each.record.purpose for each in worlds.entries(world.gateway, "own", text=UPDATE)] == [
        "describe a statement with effects before it runs"
    ]
    assert world.gateway.psql("dev", UPDATE).stdout.startswith("|gone|1\n")
    assert _places(world) == CHANGED


def test_a_driver_s_transaction_is_refused_and_runs_again(world: World) -> None:
    text = "update parcels set place = %s where id = %s returning *"
    with psycopg.connect(**world.gateway.parameters("dev")) as connection:
        _swap(world, 2)
        with pytest.raises(psycopg.Error) as caught, connection.transaction():
            connection.execute("insert into parcels (id, place) values (3, 'new')")
            connection.execute(text, ["gone", 1])
        assert caught.value.sqlstate == "NW018"
        assert _places(world) == INTACT
        with connection.transaction():
            assert connection.execute(text, ["gone", 1]).fetchall() == [(1, None, "gone")]
    assert _places(world) == CHANGED
