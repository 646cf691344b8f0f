"""psycopg 3 works unchanged: text and binary, pipelines, server-side cursors, COPY, prepared statements, async."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Jsonb

from tests.e2e.world import World

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(world: World) -> Iterator[Connection]:
    with psycopg.connect(**world.gateway.parameters("dev")) as opened:
        yield opened
        opened.rollback()


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_every_type_of_the_shop(world: World, connection: Connection, binary: bool) -> None:
    """The same values as straight from the twin, whatever the format."""
    with world.twin.connect(world.twin.app) as direct:
        for table in (
            "customers",
            "orders",
            "order_items",
            "tickets",
            "employees",
            "payroll",
            "api_keys",
            "events",
        ):
            query = sql.SQL("select * from {} order by 1, 2").format(sql.Identifier(table))
            expected = direct.cursor(binary=binary).execute(query).fetchall()
            assert connection.cursor(binary=binary).execute(query).fetchall() == expected
            assert expected


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_travel_there_and_back(connection: Connection, binary: bool) -> None:
    values = [
        7,
        2**40,
        decimal.Decimal("12.340"),
        1.5,
        True,
        "Grüße 漢字 \n 'quoted'",
        b"\x00\xff\x01",
        datetime.date(2026, 2, 28),
        datetime.datetime(2026, 2, 28, 12, 30, tzinfo=datetime.UTC),
        datetime.timedelta(days=1, seconds=5),
        uuid.UUID("11111111-1111-4111-8111-111111111111"),
        [1, 2, 3],
        ["a", None, "c"] if binary else [1.5, None],  # an array of text has no type of its own in text
        None,
    ]
    for value in values:
        placeholder = "%b" if binary and value is not None else "%s"
        cursor = connection.cursor(binary=binary)
        row = cursor.execute(f"select {placeholder} as it, 1 as one", [value]).fetchone()
        assert row is not None
        assert row[0] == value
    document = {"a": [1, {"b": None}], "ü": "x"}
    assert connection.execute("select %s::jsonb", [Jsonb(document)]).fetchone() == (document,)


def test_row_factories_and_description(connection: Connection) -> None:
    cursor = connection.cursor(row_factory=dict_row)
    assert cursor.execute("select id, name from customers where id = 1").fetchone() == {
        "id": 1,
        "name": "Ada Example",
    }
    named = connection.cursor(row_factory=namedtuple_row).execute("select 1 as one, 'x' as two").fetchone()
    assert named is not None
    assert (named._asdict()) == {"one": 1, "two": "x"}
    assert [column.name for column in cursor.description or []] == ["id", "name"]
    assert cursor.statusmessage == "SELECT 1"


def test_a_statement_is_prepared_after_a_while(connection: Connection) -> None:
    for number in range(12):
        row = connection.execute("select id + %s from customers where id = 1", [number]).fetchone()
        assert row == (1 + number,)
    assert connection.execute("select 5", prepare=True).fetchone() == (5,)
    names = connection.execute("select name from pg_prepared_statements").fetchall()
    assert any(name.startswith("_pg3_") for (name,) in names)
    connection.prepare_threshold = 0
    for _ in range(3):
        assert connection.execute("select name from customers where id = %s", [2]).fetchone() == (
            "Björn Beispiel",
        )


def test_a_schema_change_under_a_prepared_statement(world: World) -> None:
    with psycopg.connect(
        **world.gateway.parameters("dev"), autocommit=True, prepare_threshold=0
    ) as connection:
        connection.execute("create table shape (a int)")
        try:
            connection.execute("insert into shape values (1)")
            assert connection.execute("select * from shape").fetchall() == [(1,)]
            connection.execute("alter table shape add column b int default 2")
            try:
                found = connection.execute("select * from shape").fetchall()
            except psycopg.errors.FeatureNotSupported:  # as at the target: cached plan must not change
                found = connection.execute("select * from shape -- again").fetchall()
            assert found == [(1, 2)]
        finally:
            connection.execute("drop table shape")


def test_a_server_side_cursor(connection: Connection) -> None:
    with connection.cursor(name="big", scrollable=True) as cursor:
        cursor.itersize = 7
        cursor.execute("select g, 'row ' || g from generate_series(1, 50) g")
        assert [row[0] for row in cursor] == [*range(1, 51)]
        cursor.scroll(10, mode="absolute")
        assert cursor.fetchmany(3) == [(11, "row 11"), (12, "row 12"), (13, "row 13")]
    with connection.cursor(name="binary", binary=True) as cursor:
        cursor.execute("select id, balance from customers order by id")
        assert cursor.fetchone() == (1, decimal.Decimal("120.50"))


def test_streaming(connection: Connection) -> None:
    rows = list(connection.cursor().stream("select g from generate_series(1, 200) g"))
    assert rows == [(g,) for g in range(1, 201)]


@pytest.mark.parametrize("options", ["", " (format csv)", " (format binary)"], ids=["text", "csv", "binary"])
def test_copy_there_and_back(connection: Connection, options: str) -> None:
    connection.execute("create temp table freight (id int, note text, at timestamptz)")
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    rows: list[tuple[Any, ...]] = [(n, None if n % 3 == 0 else f"no,te\t{n}\n\\", at) for n in range(500)]
    connection.execute("create temp table landed (id int, note text, at timestamptz)")
    with connection.cursor() as cursor:
        if options == " (format csv)":
            cursor.execute("insert into freight select g, 'n' || g, now() from generate_series(1, 500) g")
        else:
            with cursor.copy(f"copy freight from stdin{options}") as into:
                if "binary" in options:
                    into.set_types(["int4", "text", "timestamptz"])
                for row in rows:
                    into.write_row(row)
            assert cursor.execute("select * from freight order by id").fetchall() == rows
        with cursor.copy(f"copy (select * from freight) to stdout{options}") as out:
            data = b"".join(bytes(block) for block in out)
        with cursor.copy(f"copy landed from stdin{options}") as into:
            into.write(data)
        assert (
            cursor.execute(
                "(table freight except table landed) union all (table landed except table freight)"
            ).fetchall()
            == []
        )
        assert cursor.execute("select count(*) from landed").fetchone() == (500,)


def test_a_copy_that_the_client_gives_up(connection: Connection) -> None:
    connection.execute("create temp table freight (id int)")
    connection.commit()
    with (
        pytest.raises(ZeroDivisionError),
        connection.cursor() as cursor,
        cursor.copy("copy freight from stdin") as into,
    ):
        into.write_row((1,))
        raise ZeroDivisionError
    connection.rollback()
    assert connection.execute("select count(*) from freight").fetchone() == (0,)


def test_executemany(connection: Connection) -> None:
    connection.execute("create temp table many (id int, name text)")
    with connection.cursor() as cursor:
        cursor.executemany("insert into many values (%s, %s)", [(n, f"n{n}") for n in range(300)])
        assert cursor.rowcount == 300
        cursor.executemany(
            "insert into many values (%s, 'r') returning id", [(n,) for n in (900, 901)], returning=True
        )
        assert cursor.fetchone() == (900,)
        assert cursor.nextset()
        assert cursor.fetchone() == (901,)


def test_pipeline_mode(connection: Connection) -> None:
    connection.execute("create temp table p (id int primary key)")
    connection.commit()
    with connection.pipeline():
        for number in range(200):
            connection.execute("insert into p values (%s)", [number])
        counted = connection.execute("select count(*) from p")
        names = connection.execute("select name from customers where id = 1")
    assert counted.fetchone() == (200,)
    assert names.fetchone() == ("Ada Example",)
    connection.commit()
    with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline():
        connection.execute("insert into p values (1000)")
        connection.execute("insert into p values (1)")
        connection.execute("insert into p values (1001)")
    connection.rollback()
    assert connection.execute("select count(*) from p where id >= 1000").fetchone() == (0,)


def test_transactions_and_savepoints(connection: Connection) -> None:
    connection.execute("create temp table t (id int primary key)")
    with connection.transaction():
        connection.execute("insert into t values (1)")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("insert into t values (2)")
            connection.execute("insert into t values (1)")
        connection.execute("insert into t values (3)")
        with connection.transaction(force_rollback=True):
            connection.execute("insert into t values (4)")
    assert connection.execute("select id from t order by id").fetchall() == [(1,), (3,)]


def test_isolation_and_read_only(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev")) as connection:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.read_only = True
        connection.deferrable = True
        assert connection.execute("show transaction_isolation").fetchone() == ("serializable",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("insert into products (sku, title, price) values ('x', 'x', 1)")


def test_errors_are_those_of_the_target(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as unique:
        connection.execute("insert into products (sku, title, price) values ('MUG-1', 'again', 1)")
    assert unique.value.diag.constraint_name == "products_sku_key"
    assert "(sku)=(MUG-1)" in (unique.value.diag.message_detail or "")
    connection.rollback()
    with pytest.raises(psycopg.errors.UndefinedColumn) as undefined:
        connection.execute("select nope from customers")
    assert undefined.value.diag.statement_position == "8"
    connection.rollback()


def test_a_refusal_is_an_error_with_its_own_state(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("alice"), autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("select * from payroll")
        assert caught.value.sqlstate == "NW002"
        diag = caught.value.diag
        assert diag.severity == "ERROR"
        assert "payroll-is-finance-only" in (diag.message_primary or "")
        assert "rule: payroll-is-finance-only" in (diag.message_detail or "")
        assert diag.message_hint
        assert connection.execute("select 1").fetchone() == (1,)


def test_notices(connection: Connection) -> None:
    heard: list[str] = []
    connection.add_notice_handler(lambda diag: heard.append(diag.message_primary or ""))
    connection.execute("do $$ begin raise notice 'one'; end $$")
    assert heard == ["one"]


def test_cancel_from_another_thread(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        timer.join()
        assert connection.execute("select 1").fetchone() == (1,)


async def test_async(world: World) -> None:
    parameters = world.gateway.parameters("dev")
    async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as connection:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute("select id, dob from customers order by id")
            assert [row[0] async for row in cursor] == [1, 2, 3, 4, 5, 50]
        async with connection.pipeline():
            cursors = [await connection.execute("select %s::int", [n]) for n in range(50)]
        assert [(await c.fetchone() or [None])[0] for c in cursors] == [*range(50)]
        running = asyncio.create_task(connection.execute("select pg_sleep(30)"))
        await asyncio.sleep(0.3)
        await connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running


async def test_many_sessions_at_once(world: World) -> None:
    parameters = world.gateway.parameters("dev")

    async def work(number: int) -> int:
        async with await psycopg.AsyncConnection.connect(**parameters) as connection:
            total = 0
            for step in range(10):
                row = await (await connection.execute("select %s::int * %s", [number, step])).fetchone()
                assert row is not None
                total += row[0]
            return total

    assert await asyncio.gather(*[work(n) for n in range(40)]) == [n * 45 for n in range(40)]
