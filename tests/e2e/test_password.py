"""The target's password is nowhere a caller can reach or an operator would look.

One gateway at log level debug with real traffic and every kind of failure; then everything that it wrote, said or
keeps is searched for the password, plain and in the forms that it could hide in.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from narrows.wire.postgres import frontend
from tests.e2e import world as worlds
from tests.e2e.raw import SYNC, Raw, extended, query
from tests.e2e.world import World
from tests.servers.postgres import Postgres

FROM_ENVIRONMENT = "env-password-7f3a9c1e5b"
FROM_FILE = "file-password-2b8d4e6f0a"

CHANGES: dict[str, Any] = {**worlds.CHANGES, "settings": {"log_level": "debug", "journal_checkpoint_s": 1}}
PERMIT = '@id("developers-elsewhere") permit (principal in Group::"developers", action, resource);\n'


def _elsewhere(server: Postgres, password: str) -> dict[str, Any]:
    return {
        "host": "localhost",
        "port": server.port,
        "database": "postgres",
        "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
        "credential": {"user": "shop_app", "password": password},
    }


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    connections = {
        "byenv": _elsewhere(postgres15, "env:TARGET_PASSWORD"),
        "byfile": _elsewhere(postgres15, "file:secret"),
    }
    files = {**worlds.FILES, "policies/elsewhere.cedar": PERMIT}
    environment = {"TARGET_PASSWORD": FROM_ENVIRONMENT}
    with worlds.started(postgres15, {**CHANGES, "connections": connections}, files, environment) as started:
        secret = started.gateway.directory / "secret"
        secret.write_text(FROM_FILE)
        secret.chmod(0o600)
        started.wire = _traffic(started)  # type: ignore[attr-defined]
        yield started


def _traffic(world: World) -> bytes:
    """Every way to use the gateway and to fail; the bytes that clients were sent."""
    taken = bytearray()

    async def talk() -> None:
        raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
        await raw.sign_in("dev", "shop", world.gateway.token("dev"), minor=2, application_name="seeker")
        for text in (
            "select * from customers",
            "show all",
            "select * from pg_stat_activity",
            "select * from pg_settings",
            "select * from pg_hba_file_rules",
            "select rolname, rolpassword from pg_authid",
            "select passwd from pg_shadow",
            "select 1/0",
            "selec",
            "drop database x",
            "\\password",
            "select current_setting('password')",
            "alter role postgres password 'new'",
            "copy customers to stdout",
            "select pg_sleep(0)",
        ):
            await raw.ask(query(text))
            await raw.ask(*extended(text), SYNC)
        raw.send(frontend.Terminate())
        await raw.rest()
        taken.extend(raw.taken)
        for user, database, password in (
            ("dev", "shop", "wrong"),
            ("dev", "byenv", world.gateway.token("dev")),
            ("dev", "byfile", world.gateway.token("dev")),
            ("dev", "nowhere", world.gateway.token("dev")),
        ):
            raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
            await raw.sign_in(user, database, password)
            raw.close()
            taken.extend(raw.taken)

    asyncio.run(talk())
    gateway = world.gateway
    for arguments in (
        ("credentials", "list"),
        ("connections",),
        ("doctor",),
        ("sessions", "list"),
        ("tokens", "list"),
        ("journal", "list"),
        ("reload",),
        ("whoami",),
    ):
        for more in ((), ("--json",)):
            out = gateway.narrows(*arguments, "--config", str(gateway.directory), *more, is_ok=False)
            taken.extend(out.encode())
    gateway.psql("dev", "\\d", "\\conninfo", "\\du+")
    # A stored credential for a host that it is not bound to.
    gateway.narrows(
        "credentials", "set", "shop", "--connection", "byenv", "--config", str(gateway.directory),
        stdin="other\n", is_ok=False,
    )  # fmt: skip
    gateway.operate(
        "credentials", "set", "shop", "--connection", "shop", stdin=world.shop.app.password + "\n"
    )
    return bytes(taken)


def _forms(secret: str) -> list[bytes]:
    """The secret, and what it looks like encoded or hashed without a key."""
    raw = secret.encode()
    encoded = base64.b64encode(raw)
    found = [
        raw,
        raw.hex().encode(),
        encoded.rstrip(b"=")[:-1],
        raw[::-1],
        secret.encode("utf-16-le"),
        raw[2:-2],
    ]
    return [*found, *(hashlib.new(name, raw).hexdigest().encode() for name in ("md5", "sha1", "sha256"))]


def _secrets(world: World) -> list[bytes]:
    return [
        form for secret in (world.shop.app.password, FROM_ENVIRONMENT, FROM_FILE) for form in _forms(secret)
    ]


def _clean(world: World, data: bytes, where: str) -> None:
    for form in _secrets(world):
        assert form not in data, f"{form!r} stands in {where}"


def test_the_traffic_was_real(world: World) -> None:
    wire: bytes = world.wire  # type: ignore[attr-defined]
    assert b"Ada Example" in wire
    assert b"28P01" in wire
    assert b"NW002" in wire
    assert len(wire) > 50_000


def test_not_on_the_wire(world: World) -> None:
    _clean(world, world.wire, "what clients and the command line were told")  # type: ignore[attr-defined]


def test_not_in_the_log(world: World) -> None:
    log = world.gateway.log
    assert '"level": "debug"' in log
    _clean(world, log.encode(), "the log")


def test_not_in_the_journal(world: World) -> None:
    files = list((world.gateway.directory / "state" / "journal").rglob("*"))
    assert any(path.suffix == ".jsonl" for path in files)
    for path in files:
        if path.is_file():
            _clean(world, path.read_bytes(), str(path))
    _clean(
        world,
        world.gateway.narrows("journal", "export", str(world.gateway.directory), is_ok=False).encode(),
        "an export",
    )


def test_not_in_the_store(world: World) -> None:
    """The database, its write-ahead file, its shared memory: the stored credential is there, sealed."""
    state = world.gateway.directory / "state"
    names = {path.name for path in state.glob("narrows.db*")}
    assert "narrows.db" in names
    assert "narrows.db-wal" in names
    for path in state.glob("narrows.db*"):
        _clean(world, path.read_bytes(), path.name)


def test_not_anywhere_in_the_directory(world: World) -> None:
    for path in world.gateway.directory.rglob("*"):
        if path.is_file() and path.name != "secret":
            _clean(world, path.read_bytes(), str(path))


def test_not_in_ps(world: World) -> None:
    """In no command line, and in the environment only where the operator put it."""
    for pid in _family(world.gateway.pid):
        process = Path(f"/proc/{pid}")
        _clean(world, (process / "cmdline").read_bytes(), f"cmdline of {pid}")
        _clean(world, (process / "comm").read_bytes(), f"comm of {pid}")
        environment = (process / "environ").read_bytes()
        _clean(world, environment.replace(FROM_ENVIRONMENT.encode(), b""), f"environ of {pid}")


def _family(pid: int) -> list[int]:
    """A process and all below it; large statements have one of their own."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def test_a_worker_process_is_not_given_the_environment(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        connection.execute("select '" + "x" * 40_000 + "'")
        below = _family(world.gateway.pid)[1:]
        assert below
        for pid in below:
            _clean(world, Path(f"/proc/{pid}/environ").read_bytes(), f"environ of {pid}")
            _clean(world, Path(f"/proc/{pid}/cmdline").read_bytes(), f"cmdline of {pid}")


def test_not_at_the_target_where_a_caller_looks(world: World) -> None:
    """What the gateway tells the target of itself can be read there by others."""
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        told = repr(connection.execute("select * from pg_stat_activity").fetchall())
        told += repr(connection.execute("select * from pg_settings").fetchall())
    _clean(world, told.encode(), "pg_stat_activity and pg_settings")


def test_not_in_a_crash(world: World) -> None:
    """What is written at the end by a kill is searched as well, and no core is left."""
    world.gateway.kill()
    for path in world.gateway.directory.parent.rglob("*"):
        if path.is_file() and path.name != "secret":
            _clean(world, path.read_bytes(), str(path))
    world.gateway.start_again()
    assert world.gateway.psql("dev", "select 1").stdout == "1\n"


def test_private_files_are_private(world: World) -> None:
    state = world.gateway.directory / "state"
    assert state.stat().st_mode & 0o077 == 0
    for path in state.rglob("*"):
        is_key = path.suffix in (".key", ".pem") and "pub" not in path.name
        if path.is_file() and (is_key or "narrows.db" in path.name):
            assert path.stat().st_mode & 0o077 == 0, path
