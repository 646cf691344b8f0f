"""A real PostgreSQL 15 behind the machine, with a gate that is a rule over the text (`refuse_me` is refused)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from narrows.inspect.sql.analysis import View
from narrows.model.snapshot import Snapshot
from tests.relay.pump import Gate, Pump
from tests.relay.raw import RawClient
from tests.servers.postgres import Database, Postgres

USER = "trusted_app"
PSQL = "/usr/lib/postgresql/15/bin/psql"


@pytest.fixture(scope="module")
def database(postgres15: Postgres) -> Iterator[Database]:
    postgres15.login(USER)
    made = postgres15.create_database("relay")
    made.run(f"grant all on schema public to {USER}; alter database relay set log_min_messages = 'warning'")
    yield made
    postgres15.drop_database("relay")


@pytest.fixture
def table(database: Database) -> Iterator[Database]:
    """`t (a int primary key, b text)` with three rows."""
    database.run(
        f"drop table if exists t; create table t (a int primary key, b text); grant all on t to {USER};"
        "insert into t values (1, 'one'), (2, 'two'), (3, 'three')"
    )
    yield database


@pytest.fixture
async def pump(table: Database) -> AsyncIterator[Pump]:
    view = View(Snapshot("s1", "shop", "relay", True, 150000, 0.0))
    async with Pump((table.server.host, table.server.port), lambda: view, Gate()).listening() as made:
        yield made


@pytest.fixture
async def client(pump: Pump) -> AsyncIterator[RawClient]:
    made = await RawClient.connect(pump.port, USER, "relay")
    yield made
    made.close()


async def psql(pump: Pump, script: str, *options: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(PSQL, "-X", "-At", "-h", "127.0.0.1", "-p", str(pump.port), "-U", USER, *options, "relay"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "PGSSLMODE": "disable"},
    )
    said, _ = await asyncio.wait_for(process.communicate(script.encode()), 30)
    return said.decode()


def rows(database: Database) -> list[tuple[object, ...]]:
    return database.query("select a, b from t order by a")


INTACT = [(1, "one"), (2, "two"), (3, "three")]
"""The rows of `t` where nothing was changed."""
