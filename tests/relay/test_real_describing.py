"""Statements with effects at a real PostgreSQL 15: described first, a client is told what it is told without a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import pytest

from narrows.inspect.sql.analysis import View
from narrows.model.label import DatabaseLabels, Label, Labels, Rung
from narrows.model.snapshot import Column, Function, Relation, RelationKind, Snapshot
from narrows.wire.postgres import frontend
from narrows.wire.postgres.message import Message
from tests.relay.conftest import INTACT, USER, rows
from tests.relay.pump import Gate, Pump
from tests.relay.raw import (
    FLUSH,
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

UPDATE = "update t set b = 'x' where a = 1 returning a"
LABELS = DatabaseLabels({("public", "t", "b"): frozenset({"pii"})})


def _view(database: Database) -> View:
    """What is known of `t` and of the functions, as they are now."""
    columns = database.query(
        "select attrelid::int, attname, attnum, atttypid::int, format_type(atttypid, null) from pg_attribute"
        " where attrelid = 't'::regclass and attnum > 0"
    )
    oid = columns[0][0]
    t = Relation(oid, "public", "t", RelationKind.TABLE, tuple(Column(*rest) for _, *rest in columns))
    functions = {
        ("public", name): (Function(1, "public", name, kind, "plpgsql", "v"),)
        for name, kind in (("next_of", "p"), ("bump", "f"))
    }
    snapshot = Snapshot(
        f"s{oid}", "shop", "relay", True, 150000, 0.0, {oid: t}, {("public", "t"): t}, functions=functions,
        schemas=frozenset({"public"}),
    )  # fmt: skip
    return View(snapshot, LABELS)


@dataclass
class Both:
    """The same session with and without a gateway."""

    through: RawClient
    direct: RawClient
    pump: Pump
    table: Database


@pytest.fixture
async def both(table: Database) -> AsyncIterator[Both]:
    table.run(
        "create or replace procedure next_of(inout n int) language plpgsql as 'begin n := n + 1; end';"
        "create or replace function bump() returns int language plpgsql as"
        " $$ begin update t set b = 'bumped' where a = 2; return 2; end $$"
    )
    labels = Labels({"pii": Label("pii")}, {("shop", "relay"): LABELS})
    address = (table.server.host, table.server.port)
    async with Pump(address, lambda: _view(table), Gate(rung=Rung.RAW), labels).listening() as pump:
        through = await RawClient.connect(pump.port, USER, "relay")
        direct = await RawClient.connect(address[1], USER, "relay")
        yield Both(through, direct, pump, table)
        through.close()
        direct.close()


SCRIPTS: dict[str, list[list[frontend.FrontendMessage]]] = {
    "twice": [[query(UPDATE)], [query(UPDATE)]],
    "a missing column": [[query("update t set b = 'x' returning c")], [query("select 1")]],
    "a missing column in a block": [
        [query("begin")],
        [query("savepoint s")],
        [query("update t set b = 'x' returning c")],
        [query(UPDATE)],
        [query("rollback to s")],
        [query(UPDATE)],
        [query("commit")],
    ],
    "it fails when it runs": [[query("update t set a = 1/(a-1) returning a")], [query(UPDATE)]],
    "isolation": [[query("begin")], [query("set transaction isolation level serializable")], [query(UPDATE)], [query("rollback")]],
    "in an aborted block": [[query("begin")], [query("select 1/0")], [query(UPDATE)], [query("commit")]],
    "with": [[query("with gone as (delete from t where a = 3 returning a, b) select * from gone")]],
    "a parameter": [[query("update t set b = $1 returning a")]],
    "a procedure": [[query("call next_of(1)")], [query("call next_of(1)")], [*extended("call next_of(2)"), SYNC]],
    "a function": [[query("select bump()")], [*extended("select bump()"), SYNC]],
    "prepared by SQL": [[query(f"prepare u as {UPDATE}")], [query("execute u")], [bind("", "u"), execute(), SYNC]],
    "explain": [[query(f"explain (analyze, costs off, timing off, summary off) {UPDATE}")]],
    "behind an open series": [
        [*extended(UPDATE), FLUSH, query("update t set b = 'y' where a = 1 returning b")],
        [*extended(UPDATE), FLUSH, query("update t set b = 'y' returning c")],
        [query("select b from t order by a")],
    ],
    "a pipeline": [[query(UPDATE), query("select 1"), *extended(UPDATE), query(UPDATE), *extended("select 2"), SYNC]],
    "described by the client": [[parse(UPDATE, "s"), frontend.Describe("S", "s"), SYNC], [bind("", "s"), execute(), SYNC]],
    "row by row": [[query("begin")], [parse(UPDATE), bind("p"), execute("p", 1), execute("p", 1), SYNC], [query("commit")]],
    "a long name": [[query(f"update t set b = 'x' where a = 1 returning a as {'n' * 70}")]],
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_the_client_is_told_what_it_is_told_without(
    both: Both, script: list[list[frontend.FrontendMessage]]
) -> None:
    said = await _said(both.direct, script)
    left = rows(both.table)
    both.table.run("truncate t; insert into t values (1, 'one'), (2, 'two'), (3, 'three')")
    assert await _said(both.through, script) == said
    assert rows(both.table) == left
    assert len(both.pump.gate.outcomes) == len(both.pump.gate.records)


async def _said(client: RawClient, script: list[list[frontend.FrontendMessage]]) -> list[Message]:
    found: list[Message] = []
    for step in script:
        client.send(*step)
        ends = sum(isinstance(message, frontend.Query | frontend.Sync) for message in step)
        found += await client.until_ready(ends)
    return found


async def test_a_swapped_table_refuses_the_update_and_the_retry_passes(both: Both) -> None:
    """Its columns have other numbers now, and only the target knows."""
    client, table = both.through, both.table
    await client.ask(query("select a from t"))
    for ask in ([query(UPDATE)], [*extended(UPDATE + ", b"), SYNC]):
        table.run(
            f"drop table t; create table t (z int, b text, a int); grant all on t to {USER};"
            "insert into t values (0, 'one', 1)"
        )
        found = await client.ask(*ask)
        assert errors(found) == ["NW018"]
        assert statuses(found) == "I"
        assert rows(table) == [(1, "one")]
        assert values(await client.ask(*ask)) in ([(b"1",)], [(b"1", b"x")])
        assert rows(table) == [(1, "x")]


async def test_a_cancel_while_our_parse_waits_for_a_lock(both: Both) -> None:
    with both.table.connect() as locker:
        locker.execute("begin")
        locker.execute("lock table t")
        both.through.send(query(UPDATE))
        await _until_it_waits(both.table)
        (driver,) = both.pump.drivers
        driver.run(driver.session.cancel())
        found = await both.through.until_ready()
    assert (errors(found), kinds(found)) == (["57014"], "EZ")
    assert rows(both.table) == INTACT


async def test_a_client_that_goes_while_our_parse_waits_for_a_lock(both: Both) -> None:
    with both.table.connect() as locker:
        locker.execute("begin")
        locker.execute("lock table t")
        both.through.send(query(UPDATE))
        await _until_it_waits(both.table)
        both.through.close()
        async with asyncio.timeout(20):
            while both.pump.drivers:
                await asyncio.sleep(0.01)
        assert [outcome.status for outcome in both.pump.gate.outcomes] == ["lost"]
    assert rows(both.table) == INTACT


async def _until_it_waits(database: Database) -> None:
    async with asyncio.timeout(20):
        while not database.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'"):
            await asyncio.sleep(0.01)


async def test_drivers_see_nothing_of_it(both: Both) -> None:
    address: dict[str, Any] = {"host": "127.0.0.1", "port": both.pump.port, "user": USER}
    async with await psycopg.AsyncConnection.connect(
        **address, dbname="relay", sslmode="disable", gssencmode="disable", autocommit=True
    ) as connection:
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            for text, given in ((UPDATE, None), ("update t set b = %s where a = 1 returning b", ["y"])):
                await cursor.execute(text, given)
                assert len(await cursor.fetchall()) == 1
        async with connection.pipeline():
            cursors = [
                await connection.execute("insert into t values (%s, 'p') returning a", [100 + n])
                for n in range(20)
            ]
        assert [await each.fetchone() for each in cursors] == [(100 + n,) for n in range(20)]
    plain = await asyncpg.connect(**address, database="relay", ssl=False)
    try:
        assert await plain.fetchval("update t set b = $1 where a = 1 returning b", "z") == "z"
        assert await plain.fetch(UPDATE)
    finally:
        await plain.close()
    assert both.pump.gate.own.count(UPDATE) == 1
