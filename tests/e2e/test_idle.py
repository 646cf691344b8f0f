"""A thousand sessions in one process: all of them idle but usable, in little memory, and nobody else slowed down.

The target is a stub: PostgreSQL itself would need 1,000 processes.
"""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e import world as worlds
from tests.e2e.raw import Raw, query
from tests.e2e.world import World
from tests.servers import stub
from tests.servers.postgres import Postgres

SESSIONS = 1_000
AT_ONCE = 50

PERMIT = '@id("developers-elsewhere") permit (principal in Group::"developers", action, resource);\n'


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    with stub.process() as target:
        changes: dict[str, Any] = {
            **worlds.CHANGES,
            "settings": {"sessions_limit": 1100, "sessions_per_principal": SESSIONS},
            "connections": {
                "stub": {
                    "host": "127.0.0.1",
                    "port": target.port,
                    "database": "stub",
                    "tls": {"mode": "disable"},
                    "credential": {"user": "nobody", "password": "env:STUB_PASSWORD"},
                }
            },
        }
        files = {**worlds.FILES, "policies/elsewhere.cedar": PERMIT}
        with worlds.started(postgres15, changes, files, {"STUB_PASSWORD": "unused"}) as started:
            yield started


@pytest.fixture(autouse=True)
def _enough_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


async def test_a_thousand_idle_sessions(world: World) -> None:
    token, gateway = world.gateway.token("dev"), world.gateway
    limit = asyncio.Semaphore(AT_ONCE)

    async def connect() -> Raw:
        async with limit:
            raw = await Raw.secure(gateway.port, gateway.ca_path)
            assert (await raw.sign_in("dev", "stub", token))[-1].kind == b"Z"
            return raw

    first = await connect()
    before = _resident_kib(gateway.pid)
    clients = [first, *await asyncio.gather(*[connect() for _ in range(SESSIONS - 1)])]
    each_kib = (_resident_kib(gateway.pid) - before) / SESSIONS
    assert each_kib < 256, f"{each_kib:.0f} KiB of memory for each session"

    # One more is refused in words, and others are not affected.
    refused = await Raw.secure(gateway.port, gateway.ca_path)
    found = await refused.sign_in("dev", "stub", token)
    assert found[-1].kind == b"E"
    assert b"53300" in found[-1].payload
    refused.close()

    def somebody_else() -> float:
        with psycopg.connect(**gateway.parameters("alice"), autocommit=True) as connection:
            connection.execute("select 1")
            started = time.monotonic()
            for _ in range(20):
                assert connection.execute("select name from customers where id = 1").fetchone() == (
                    "Ada Example",
                )
            return (time.monotonic() - started) / 20

    assert await asyncio.to_thread(somebody_else) < 0.1

    # All of them still answer, all at once.
    async def use(raw: Raw) -> bytes:
        return (await raw.ask(query("select 'idle'")))[-1].kind

    assert set(await asyncio.gather(*[use(raw) for raw in clients])) == {b"Z"}
    assert len(gateway.operate("sessions", "list")) == SESSIONS
    for raw in clients:
        raw.close()

    def are_gone() -> bool:
        return not gateway.operate("sessions", "list")

    deadline = time.monotonic() + 15
    while not await asyncio.to_thread(are_gone):
        assert time.monotonic() < deadline, "sessions outlive their clients"
        await asyncio.sleep(0.2)
    closed = worlds.entries(gateway, "session_closed")
    assert len(closed) >= SESSIONS
