"""asyncpg works unchanged: prepared statements, its cache, cursors, COPY, types it looks up itself, timeouts."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.e2e.world import World, eventually


def _arguments(world: World, who: str) -> dict[str, Any]:
    given = world.gateway.parameters(who)
    return {
        "host": "localhost",
        "port": given["port"],
        "user": who,
        "password": given["password"],
        "database": given["dbname"],
        "ssl": ssl.create_default_context(cafile=str(world.gateway.ca_path)),
    }


@pytest.fixture
async def connection(world: World) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(**_arguments(world, "dev"))
    yield opened
    await opened.close()


async def test_fetch_in_binary(world: World, connection: Any) -> None:
    """asyncpg asks for binary wherever it can decode it; the values are the target's own."""
    direct = await asyncpg.connect(
        host="127.0.0.1",
        port=world.server.port,
        user=world.twin.app.user,
        password=world.twin.app.password,
        database=world.twin.name,
        ssl=ssl.create_default_context(cafile=str(world.server.ca_path)),
    )
    try:
        for table in ("customers", "orders", "tickets", "payroll", "api_keys", "events", "open_tickets"):
            query = f"select * from {table} order by 1, 2"
            assert [tuple(row) for row in await connection.fetch(query)] == [
                tuple(row) for row in await direct.fetch(query)
            ]
    finally:
        await direct.close()


async def test_prepared_statements(connection: Any) -> None:
    statement = await connection.prepare("select id, name, dob from customers where id = $1 or name = $2")
    assert [attribute.name for attribute in statement.get_attributes()] == ["id", "name", "dob"]
    assert [parameter.name for parameter in statement.get_parameters()] == ["int4", "text"]
    assert (await statement.fetchrow(1, ""))["dob"] == datetime.date(1985, 12, 10)
    assert await statement.fetchval(0, "Björn Beispiel") == 2
    assert await statement.executemany([(1, "a"), (2, "b")]) is None


async def test_the_statement_cache(connection: Any) -> None:
    for number in range(300):  # more than its hundred statements, so that it closes some
        assert await connection.fetchval(f"select $1::int + {number}", 1) == number + 1
    for _ in range(5):
        assert await connection.fetchval("select name from customers where id = $1", 1) == "Ada Example"


async def test_types_that_it_looks_up(connection: Any) -> None:
    """Enums, composites and domains: asyncpg reads the catalogs with a long recursive query."""
    assert await connection.fetchval("select state from tickets where id = 1") == "open"
    assert (await connection.fetchval("select c from customers c where id = 1"))["name"] == "Ada Example"
    assert (await connection.fetchval("select array_agg(t order by id) from tickets t"))[0]["id"] == 1
    await connection.execute("create domain positive as int check (value > 0)")
    try:
        assert await connection.fetchval("select 5::positive") == 5
        assert await connection.fetchval("select array[5::positive]") == [5]
    finally:
        await connection.execute("drop domain positive")
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    assert (await connection.fetchval("select profile from customers where id = 1"))["tier"] == "gold"
    assert await connection.fetchval("select int4range(1, 5)") == asyncpg.Range(1, 5)


async def test_cursors(connection: Any) -> None:
    async with connection.transaction():
        found = [
            row["g"]
            async for row in connection.cursor("select g from generate_series(1, 130) g", prefetch=20)
        ]
        assert found == [*range(1, 131)]
        cursor = await connection.cursor("select id from customers order by id")
        assert (await cursor.fetchrow())["id"] == 1
        await cursor.forward(1)
        assert [row["id"] for row in await cursor.fetch(2)] == [3, 4]


async def test_copy_records(connection: Any) -> None:
    await connection.execute("create temp table freight (id int, note text, price numeric, at date)")
    day = datetime.date(2026, 3, 4)
    records = [(n, None if n % 5 == 0 else f"n{n}", decimal.Decimal(n) / 4, day) for n in range(1000)]
    assert await connection.copy_records_to_table("freight", records=records) == "COPY 1000"
    assert [tuple(r) for r in await connection.fetch("select * from freight order by id")] == records
    taken: list[bytes] = []

    async def take(data: bytes) -> None:
        taken.append(bytes(data))

    assert (
        await connection.copy_from_query("select id, note from freight order by id limit 3", output=take)
        == "COPY 3"
    )
    assert b"".join(taken) == b"0\t\\N\n1\tn1\n2\tn2\n"
    taken.clear()
    assert (
        await connection.copy_from_table("freight", columns=["id"], output=take, format="csv") == "COPY 1000"
    )


async def test_executemany_is_one_transaction(connection: Any) -> None:
    await connection.execute("create temp table many (id int primary key)")
    await connection.executemany("insert into many values ($1)", [(n,) for n in range(500)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany("insert into many values ($1)", [(1000,), (1001,), (1,), (1002,)])
    assert await connection.fetchval("select count(*) from many") == 500


async def test_transactions(connection: Any) -> None:
    await connection.execute("create temp table t (id int primary key)")
    async with connection.transaction(isolation="serializable"):
        await connection.execute("insert into t values (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("insert into t values (2)")
                await connection.execute("insert into t values (1)")
        await connection.execute("insert into t values (3)")
    assert [r["id"] for r in await connection.fetch("select id from t order by id")] == [1, 3]


async def test_several_statements_and_an_empty_one(connection: Any) -> None:
    await connection.execute("create temp table s (id int)")
    text = "insert into s values (1); insert into s values (2), (3)"
    assert await connection.execute(text) == "INSERT 0 2"
    assert await connection.execute("select 1;;") == "SELECT 1"
    assert await connection.fetch("") == []


async def test_a_timeout_cancels_at_the_target(world: World, connection: Any) -> None:
    await connection.fetch("select pg_sleep(0)")  # what is read and analysed once is by now
    with pytest.raises(asyncio.TimeoutError):
        await connection.fetch("select pg_sleep(31)", timeout=0.5)
    running = "state = 'active' and query like '%pg_sleep(31)%'"
    await asyncio.to_thread(eventually, lambda: not world.activity(running))
    assert await connection.fetchval("select 7") == 7


async def test_a_refusal(world: World) -> None:
    connection = await asyncpg.connect(**_arguments(world, "alice"))
    try:
        for _ in range(2):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.fetch("select salary from payroll where employee_id = $1", 1)
            assert caught.value.sqlstate == "NW002"
            assert await connection.fetchval("select ssn from customers where id = $1", 1) == "*******1120"
    finally:
        await connection.close()


async def test_reset_and_pool(world: World) -> None:
    """A pool resets each connection: advisory locks, cursors, LISTEN and settings."""
    async with asyncpg.create_pool(**_arguments(world, "dev"), min_size=2, max_size=4) as pool:

        async def one(number: int) -> int:
            async with pool.acquire() as connection:
                await connection.execute("set work_mem to '9MB'")
                return await connection.fetchval("select $1::int", number)  # type: ignore[no-any-return]

        assert await asyncio.gather(*[one(n) for n in range(20)]) == [*range(20)]
        async with pool.acquire() as connection:
            assert await connection.fetchval("show work_mem") == "4MB"


async def test_listeners(world: World, connection: Any) -> None:
    """Who notified is said by the number that its own client knows."""
    heard: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    await connection.add_listener("tick", lambda _c, pid, channel, _payload: heard.put_nowait((pid, channel)))
    other = await asyncpg.connect(**_arguments(world, "dev"))
    assert other.get_server_pid() == await other.fetchval("select pg_backend_pid()")
    await other.execute("notify tick")
    await other.close()
    assert await asyncio.wait_for(heard.get(), 5) == (other.get_server_pid(), "tick")
    await connection.remove_listener("tick", lambda *_: None)
