"""The machine between psycopg and asyncpg and a real PostgreSQL 15: unchanged drivers, text and binary."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.relay.conftest import INTACT, USER, rows
from tests.relay.pump import Pump
from tests.servers.postgres import Database

pytestmark = pytest.mark.server


def _connect(pump: Pump, **options: Any) -> Any:
    return psycopg.AsyncConnection.connect(
        host="127.0.0.1",
        port=pump.port,
        user=USER,
        dbname="relay",
        sslmode="disable",
        gssencmode="disable",
        **options,
    )


async def test_psycopg_text_and_binary(pump: Pump) -> None:
    async with await _connect(pump) as connection:
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            await cursor.execute("select a, b from t where a > %s order by a", [1])
            assert await cursor.fetchall() == INTACT[1:]


async def test_psycopg_rolls_back_what_a_refusal_spoiled(pump: Pump, table: Database) -> None:
    async with await _connect(pump) as connection:
        with pytest.raises(psycopg.Error) as caught:
            async with connection.transaction():
                await connection.execute("update t set b = 'x'")
                await connection.execute("select 'refuse_me'")
        assert caught.value.sqlstate == "NW002"
        await connection.execute("insert into t values (7, 'seven')")
        await connection.commit()
    assert rows(table) == [*INTACT, (7, "seven")]


async def test_psycopg_pipeline(pump: Pump, table: Database) -> None:
    async with await _connect(pump, autocommit=True) as connection:
        async with connection.pipeline() as pipeline:
            cursors = [
                await connection.execute("select %s::int + a from t where a = 1", [n]) for n in range(300)
            ]
            await pipeline.sync()
            assert [(await cursor.fetchone())[0] for cursor in cursors] == [n + 1 for n in range(300)]
        with pytest.raises(psycopg.Error) as caught:
            async with connection.pipeline():
                await connection.execute("insert into t values (8, 'eight')")
                await connection.execute("select 'refuse_me'")
        assert caught.value.sqlstate == "NW002"
        assert (await (await connection.execute("select 1")).fetchone())[0] == 1
    assert rows(table) == INTACT


async def test_psycopg_copy_and_server_cursor(pump: Pump, table: Database) -> None:
    async with await _connect(pump) as connection:
        async with connection.cursor() as cursor, cursor.copy("copy t from stdin") as copy:
            for number in range(10, 20):
                await copy.write_row((number, f"v{number}"))
        async with (
            connection.cursor() as cursor,
            cursor.copy("copy (select a from t where a >= 10) to stdout") as out,
        ):
            assert [row async for row in out.rows()] == [(str(number),) for number in range(10, 20)]
        async with connection.cursor(name="big") as cursor:
            await cursor.execute("select a from t order by a")
            assert [row[0] async for row in cursor][:4] == [1, 2, 3, 10]


async def test_psycopg_cancel(pump: Pump) -> None:
    async with await _connect(pump, autocommit=True) as connection:
        running = asyncio.create_task(
            connection.execute("select count(*) from generate_series(1, 1000000000)")
        )
        await asyncio.sleep(0.2)
        await connection.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running
        assert (await (await connection.execute("select 1")).fetchone())[0] == 1


async def test_asyncpg(pump: Pump, table: Database) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=pump.port, user=USER, database="relay", ssl=False
    )
    try:
        for _ in range(3):  # prepared, then from its cache
            assert [
                tuple(row) for row in await connection.fetch("select a, b from t where a < $1", 3)
            ] == INTACT[:2]
        with pytest.raises(asyncpg.PostgresError) as caught:
            async with connection.transaction():
                await connection.execute("update t set b = $1", "x")
                await connection.fetch("select 'refuse_me'")
        assert caught.value.sqlstate == "NW002"
        async with connection.transaction():
            await connection.executemany(
                "insert into t values ($1, $2)", [(n, str(n)) for n in range(50, 60)]
            )
            assert [
                row["a"] async for row in connection.cursor("select a from t where a >= 50 order by a")
            ] == [*range(50, 60)]
        await connection.copy_records_to_table("t", records=[(70, "seventy")])
        assert await connection.fetchval("select count(*) from t") == 14
    finally:
        await connection.close()
    assert len(rows(table)) == 14
