"""Our own SHOW after unseen code, at a real PostgreSQL 15: silent where nothing changed, the end where it did."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from narrows.inspect.sql.analysis import View
from narrows.model.snapshot import Function, Snapshot
from tests.relay.conftest import USER
from tests.relay.pump import Gate, Pump
from tests.relay.raw import (
    SYNC,
    RawClient,
    bind,
    errors,
    execute,
    extended,
    kinds,
    parse,
    query,
    statuses,
    values,
)
from tests.servers.postgres import Database

pytestmark = pytest.mark.server

NAMES = ("harmless", "moves_path")
VIEW = View(
    Snapshot(
        "s1",
        "shop",
        "relay",
        True,
        150000,
        0.0,
        functions={("public", name): (Function(1, "public", name, "f", "plpgsql", "v"),) for name in NAMES},
        schemas=frozenset({"public"}),
    )
)


@pytest.fixture
async def client(table: Database) -> AsyncIterator[RawClient]:
    table.run(
        "create or replace function harmless() returns int language plpgsql as 'begin return 1; end';"
        "create or replace function moves_path() returns text language sql as"
        " $$ select set_config('search_path', 'evil', false) $$"
    )
    async with Pump((table.server.host, table.server.port), lambda: VIEW, Gate()).listening() as pump:
        made = await RawClient.connect(pump.port, USER, "relay")
        made.pump = pump  # type: ignore[attr-defined]
        yield made
        made.close()


async def test_nothing_shows_where_nothing_changed(client: RawClient) -> None:
    await client.ask(parse("select 7"), SYNC)
    assert kinds(await client.ask(query("begin"))) == "CZ"
    assert values(await client.ask(query("select harmless()"))) == [(b"1",)]
    found = await client.ask(query("set transaction isolation level serializable"))
    assert errors(found) == ["25001"], "the function took a snapshot, our SHOW is not to blame"
    await client.ask(query("rollback"))
    await client.ask(parse("select 7"), SYNC)
    found = await client.ask(*extended("select harmless()"), *extended("select 8"), SYNC)
    assert values(found) == [(b"1",), (b"8",)]
    assert statuses(found) == "I"
    await client.ask(parse("select 9"), bind(), execute(), SYNC)
    assert client.pump.gate.own.count("SHOW search_path") == 2  # type: ignore[attr-defined]


async def test_our_show_leaves_the_unnamed_statement_alone(client: RawClient) -> None:
    await client.ask(*extended("select harmless()"), SYNC)
    await client.ask(parse("select 7"), SYNC)
    assert values(await client.ask(bind(), execute(), SYNC)) == [(b"7",)]


async def test_a_path_moved_unseen_ends_the_session(client: RawClient) -> None:
    await client.ask(query("select moves_path()"))
    client.send(query("select b from t"))
    assert errors(await client.until_closed()) == ["NW018"]
