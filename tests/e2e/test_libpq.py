"""libpq's options work unchanged: TLS modes, protocol versions, start-up settings, Ctrl-C and cancel keys."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psycopg
import pytest

from narrows.wire.postgres.startup import build_cancel_request
from tests.e2e import terminal
from tests.e2e.raw import Raw, errors, query, values
from tests.e2e.world import World, eventually
from tests.servers import postgres, processes

VERSIONS = pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])


@pytest.mark.parametrize(
    ("version", "extra"),
    [
        (15, {"PGSSLMODE": "verify-full"}),
        (18, {"PGSSLMODE": "verify-full"}),
        (15, {"PGSSLMODE": "verify-ca"}),
        (15, {"PGSSLMODE": "require"}),
        (15, {"PGSSLMODE": "prefer", "PGSSLROOTCERT": ""}),
        (15, {"PGGSSENCMODE": "prefer"}),
        (15, {"PGCHANNELBINDING": "prefer"}),
        (15, {"PGTARGETSESSIONATTRS": "read-write"}),
        (15, {"PGTARGETSESSIONATTRS": "primary"}),
        (18, {"PGSSLNEGOTIATION": "direct"}),
        (18, {"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2"}),
        (18, {"PGMAXPROTOCOLVERSION": "3.0"}),
        (18, {"PGMAXPROTOCOLVERSION": "latest"}),
        (18, {"PGSSLNEGOTIATION": "direct", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2"}),
        (18, {"PGREQUIREAUTH": "password"}),
        (18, {"PGSSLMINPROTOCOLVERSION": "TLSv1.3"}),
        (15, {"PGSSLMINPROTOCOLVERSION": "TLSv1.2", "PGSSLMAXPROTOCOLVERSION": "TLSv1.2"}),
    ],
    ids=lambda value: (
        str(value) if isinstance(value, int) else ",".join(f"{k}={v}" for k, v in value.items())
    ),
)
def test_connection_options(world: World, version: int, extra: dict[str, str]) -> None:
    done = world.psql("dev", "select 6 * 7 as answer;\n", version, ("-X", "-A", "-t"), extra=extra)
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)


@VERSIONS
def test_start_up_settings(world: World, version: int) -> None:
    """What libpq puts into the start-up packet holds as it would at the target, and RESET returns to it."""
    extra = {
        "PGOPTIONS": r"-c statement_timeout=4s --work_mem=8MB -c search_path=public,pg_catalog -c geqo=off",
        "PGTZ": "Asia/Tokyo",
        "PGDATESTYLE": "German, DMY",
        "PGCLIENTENCODING": "UTF8",
    }
    text = """
show statement_timeout; show work_mem; show search_path; show geqo; show timezone; show datestyle;
set statement_timeout = '1s'; reset statement_timeout; show statement_timeout;
show client_encoding;
"""
    direct = world.direct_psql(text, version, ("-X", "-A", "-t"), extra)
    through = world.psql("dev", text, version, ("-X", "-A", "-t"), extra=extra)
    assert (through.stdout, through.stderr) == (direct.stdout, direct.stderr)
    assert through.stdout.split("\n")[:4] == ["4s", "8MB", "public,pg_catalog", "off"]


@pytest.mark.parametrize(
    "options",
    ["-c session_preload_libraries=evil", "-c no_such_thing=1", "-d 5", "-c role=shop_owner", "-c"],
)
def test_start_up_settings_that_are_refused(world: World, options: str) -> None:
    done = world.psql("dev", "select 1;\n", extra={"PGOPTIONS": options})
    assert done.returncode == 2
    assert "FATAL" in done.stderr
    assert done.stdout == ""


def test_the_target_is_told_who_it_is(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), application_name="nightly") as connection:
        connection.execute("select 1")
        ((_, _, _, application),) = eventually(lambda: world.activity("application_name like '%nightly'"))
    assert application.startswith("dev s-")


def test_a_second_host_is_tried(world: World) -> None:
    extra = {"PGHOST": "localhost,localhost", "PGPORT": f"{processes.free_port()},{world.gateway.port}"}
    done = world.psql("dev", "select 1;\n", extra=extra)
    assert done.returncode == 0


def test_a_passfile_and_a_uri(world: World, tmp_path: Path) -> None:
    gateway = world.gateway
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"localhost:{gateway.port}:shop:dev:{gateway.token('dev')}\n")
    passfile.chmod(0o600)
    uri = f"postgresql://dev@localhost:{gateway.port}/shop?sslmode=verify-full&sslrootcert={gateway.ca_path}"
    extra = {"PGPASSWORD": "", "PGPASSFILE": str(passfile)}
    done = world.psql("dev", "select 1;\n", options=("-X", uri), extra=extra)
    assert (done.returncode, done.stderr) == (0, "")


def _programs(world: World, version: int) -> tuple[list[str], dict[str, str]]:
    programs = postgres.programs(version)
    environment = {**world.gateway.environ("dev"), **programs.environment}
    return [programs.path("psql"), "-X", "--no-readline"], environment


@pytest.mark.parametrize(
    ("version", "extra"),
    [
        (15, {}),
        (18, {}),
        (18, {"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2"}),
        (18, {"PGSSLNEGOTIATION": "direct"}),
    ],
    ids=["psql15", "psql18", "psql18-protocol-3.2", "psql18-direct"],
)
def test_control_c(world: World, version: int, extra: dict[str, str]) -> None:
    """A real SIGINT cancels at the target, and only the statement; the session and its transaction's rules stay."""
    command, environment = _programs(world, version)
    with terminal.opened(command, environment | extra) as psql:
        psql.until("=> ")
        psql.type("select pg_sleep(33);\n")
        eventually(lambda: world.activity("query like '%pg_sleep(33)%' and state = 'active'"))
        started = time.monotonic()
        psql.interrupt()
        psql.until("canceling statement due to user request")
        assert time.monotonic() - started < 3
        assert not world.activity("state = 'active'")
        psql.type("begin;\n")
        psql.until("BEGIN")
        psql.type("select pg_sleep(33);\n")
        eventually(lambda: world.activity("query like '%pg_sleep(33)%' and state = 'active'"))
        psql.interrupt()
        psql.until("canceling statement")
        psql.type("select 1;\n")
        psql.until("current transaction is aborted")
        psql.type("rollback;\nselect 'still' || ' here';\n")
        psql.until("still here")
        psql.type("\\q\n")


@VERSIONS
def test_control_c_ends_watch(world: World, version: int) -> None:
    command, environment = _programs(world, version)
    with terminal.opened(command, environment) as psql:
        psql.until("=> ")
        psql.type("select 'tick' || 'tock' \\watch 0.1\n")
        psql.until("(?s)ticktock.*ticktock.*ticktock")
        psql.interrupt()
        psql.until("=> ")
        psql.type("select 'after' || 'wards';\n")
        psql.until("afterwards")


def test_control_c_during_a_copy(world: World) -> None:
    command, environment = _programs(world, 15)
    with terminal.opened(command, environment) as psql:
        psql.until("=> ")
        psql.type("\\copy (select g, repeat('x', 100) from generate_series(1, 100000000) g) to '/dev/null'\n")
        eventually(lambda: world.activity("query ilike 'copy%' and state = 'active'"))
        psql.interrupt()
        psql.until("canceling statement due to user request")
        psql.type("select 'after' || 'wards';\n")
        psql.until("afterwards")


@pytest.mark.parametrize("minor", [0, 2], ids=["protocol-3.0", "protocol-3.2"])
async def test_cancel_keys(world: World, minor: int) -> None:
    """Keys are the gateway's own: a forged one is ignored, in or outside TLS; the right one cancels, once."""
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    found = await raw.sign_in("dev", "shop", world.gateway.token("dev"), minor=minor)
    (key_data,) = [message.payload for message in found if message.kind == b"K"]
    pid, key = int.from_bytes(key_data[:4], "big"), key_data[4:]
    assert len(key) == (4 if minor == 0 else 32)
    assert pid in [row[0] for row in world.activity()], (
        "what the client takes for its backend is not the target's"
    )
    raw.send(query("select pg_sleep(1.5), 'slept'"))
    running = "state = 'active' and query like '%pg_sleep(1.5)%'"
    await asyncio.to_thread(eventually, lambda: world.activity(running))
    for forged in (bytes(len(key)), bytes([key[0] ^ 1]) + key[1:], key + b"x", key[:-1]):
        for other in (
            await Raw.plain(world.gateway.port),
            await Raw.secure(world.gateway.port, world.gateway.ca_path),
        ):
            other.write(build_cancel_request(pid, forged))
            assert await other.rest() == b""
    other = await Raw.plain(world.gateway.port)
    other.write(build_cancel_request(pid + 1, key))
    assert await other.rest() == b""
    assert values(await raw.until(b"Z"))[0][1] == b"slept"
    raw.send(query("select pg_sleep(30)"))
    await asyncio.to_thread(
        eventually, lambda: world.activity("state = 'active' and query like '%pg_sleep(30)%'")
    )
    other = await Raw.plain(world.gateway.port)
    other.write(build_cancel_request(pid, key))
    assert await other.rest() == b""
    assert [error["C"] for error in errors(await raw.until(b"Z"))] == ["57014"]
    assert values(await raw.ask(query("select 'still here'"))) == [(b"still here",)]
    raw.close()
