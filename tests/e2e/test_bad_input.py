"""Bad input of every kind: a clear message in the client's own language, an entry in the journal, others go on.

`bystander` is a session that was open before and must answer after every test.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from narrows.wire.postgres import frontend
from narrows.wire.postgres.startup import Startup, build_ssl_request, build_startup
from tests.e2e import world as worlds
from tests.e2e.raw import SYNC, Raw, error_in, errors, extended, query, values
from tests.e2e.world import World, eventually
from tests.servers import gateway as gateways
from tests.servers import processes
from tests.servers.postgres import Postgres

CHANGES: dict[str, Any] = {
    **worlds.CHANGES,
    "settings": {"startup_timeout_s": 2, "failures_limit": 1000},
    "users": {**worlds.CHANGES["users"], "gone": {"groups": ["developers"], "disabled": True}, "tess": {}},
    "connections": {
        "down": {
            "host": "localhost",
            "port": 1,
            "database": "postgres",
            "tls": {"mode": "disable"},
            "credential": {"user": "shop_app", "password": "env:NOBODYS_PASSWORD"},
        },
    },
}
PERMITS = """
@id("developers-elsewhere")
permit (principal in Group::"developers", action, resource)
when { resource in Connection::"down" || resource in Connection::"refusing" || resource in Connection::"nokey" || resource in Connection::"cleartext" };
"""


def _connection(world_port: int, **more: Any) -> dict[str, Any]:
    return {
        "host": "localhost",
        "port": world_port,
        "database": "postgres",
        "tls": {"mode": "require"},
        "credential": {"user": "shop_app", "password": "env:WRONG_PASSWORD"},
        **more,
    }


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    port = postgres15.port
    changes = {
        **CHANGES,
        "connections": {
            **CHANGES["connections"],
            "refusing": _connection(port),
            "nokey": _connection(port, credential={"user": "shop_app", "password": "env:NOT_SET"}),
            "cleartext": _connection(port, tls={"mode": "verify-full"}),
        },
    }
    changes["connections"]["down"]["credential"]["password"] = "env:WRONG_PASSWORD"
    files = {**worlds.FILES, "policies/elsewhere.cedar": PERMITS}
    with worlds.started(postgres15, changes, files, {"WRONG_PASSWORD": "not-the-password"}) as started:
        yield started


@pytest.fixture(scope="module")
def open_before(world: World) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def bystander(open_before: psycopg.Connection[Any]) -> Iterator[None]:
    yield
    assert open_before.execute("select name from customers where id = 1").fetchone() == ("Ada Example",)


def _journalled(
    world: World, reason: str, kinds: tuple[str, ...] = ("sign_in", "refused", "statement")
) -> Any:
    """The newest entry with this reason; it may be written a moment after the client was told."""

    def find() -> Any:
        found = [
            e.record
            for e in world.gateway.journal()
            if e.kind in kinds and getattr(e.record, "reason", "") == reason
        ]
        return found[-1] if found else None

    return eventually(find, what=f"a journal entry for {reason}")


def _fails(world: World, dbname: str = "shop", **changes: Any) -> str:
    """What libpq says when this sign-in fails."""
    given = {**world.gateway.parameters("dev", dbname), **changes}
    with pytest.raises(psycopg.OperationalError) as failed:
        psycopg.connect(**given)
    return str(failed.value)


# sign-in


def test_a_wrong_token(world: World) -> None:
    for token in (
        "wrong",
        "nrw_aaaaaaaaaaaaaaaa_" + "b" * 43,
        world.gateway.token("dev")[:-1] + "x",
        "ü" * 5000,
    ):
        said = _fails(world, password=token)
        assert "NW030" in said
        assert "narrows tokens create" in said
        assert token not in said
    assert _journalled(world, "SIGN_IN_FAILED").is_accepted is False


def test_no_token(world: World) -> None:
    assert "password" in _fails(world, password="", passfile="/dev/null")


def test_an_expired_token(world: World) -> None:
    made = world.gateway.operate("tokens", "create", "dev", "--ttl", "1s")
    time.sleep(1.2)
    said = _fails(world, password=made["secret"])
    assert "NW031" in said
    assert "narrows tokens create" in said
    _journalled(world, "TOKEN_EXPIRED")


def test_a_revoked_token(world: World) -> None:
    made = world.gateway.operate("tokens", "create", "dev")
    world.gateway.operate("tokens", "revoke", made["id"])
    said = _fails(world, password=made["secret"])
    assert "NW03" in said
    assert "narrows tokens create" in said
    assert "revoked" in said


def test_the_token_of_somebody_else(world: World) -> None:
    said = _fails(world, user="alice")
    assert "NW036" in said
    _journalled(world, "WRONG_USER")


def test_a_user_that_nobody_declared(world: World) -> None:
    assert "NW03" in _fails(world, user="nobody")


def test_a_disabled_principal_gets_no_token(world: World) -> None:
    out = world.gateway.narrows(
        "tokens", "create", "gone", "--config", str(world.gateway.directory), is_ok=False
    )
    assert "nrw_" not in out


def test_a_principal_without_any_permit(world: World) -> None:
    said = _fails(world, user="tess", password=world.gateway.token("tess"))
    assert "NW001" in said
    assert _journalled(world, "NOT_PERMITTED").principal == "User/tess"


@pytest.mark.parametrize(
    "dbname", ["nowhere", "shop2", "postgres", "SHOP", "shop ", "a" * 63, "'; drop", "päth"]
)
def test_an_unknown_connection(world: World, dbname: str) -> None:
    said = _fails(world, dbname)
    assert "NW034" in said
    assert "narrows connections" in said
    assert _journalled(world, "UNKNOWN_CONNECTION").connection == dbname


@pytest.mark.parametrize("dbname", ["shop/postgres", "shop/template1", "shop/../x"])
def test_an_unknown_database(world: World, dbname: str) -> None:
    assert "NW035" in _fails(world, dbname)
    _journalled(world, "UNKNOWN_DATABASE")


def test_nothing_is_said_of_connections_before_the_token_is_good(world: World) -> None:
    said = [_fails(world, dbname, password="wrong") for dbname in ("shop", "nowhere", "down")]
    assert len({text.split("FATAL")[1] for text in said}) == 1


def test_no_tls(world: World) -> None:
    said = _fails(world, sslmode="disable")
    assert "NW033" in said
    assert "sslmode=verify-full" in said
    _journalled(world, "TLS_REQUIRED")


# the target


def test_the_target_is_down(world: World) -> None:
    said = _fails(world, "down")
    assert "NW02" in said
    assert "operator" in said or "target" in said
    assert _journalled(world, "FACTS_UNAVAILABLE", ("refused", "statement")) or _journalled(
        world, "UPSTREAM_UNAVAILABLE"
    )


def test_the_target_refuses_the_password(world: World) -> None:
    said = _fails(world, "refusing")
    assert "NW02" in said
    assert "not-the-password" not in said
    assert "shop_app" not in said, "whom the gateway is at the target is not the caller's business"
    assert "password authentication failed" in world.gateway.log or "password" in world.gateway.log


def test_the_credential_cannot_be_read(world: World) -> None:
    said = _fails(world, "nokey")
    assert "NW03" in said or "NW02" in said
    assert "NOT_SET" not in said


def test_the_certificate_of_the_target_does_not_hold(world: World) -> None:
    said = _fails(world, "cleartext")
    assert "NW02" in said


def test_the_target_goes_away_in_the_middle(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        ((pid,),) = connection.execute("select pg_backend_pid()").fetchall()
        world.shop.query("select pg_terminate_backend(%s)", [pid])
        with pytest.raises(psycopg.OperationalError):
            for _ in range(20):
                connection.execute("select 1")
                time.sleep(0.1)


# statements


def test_a_nul_in_a_statement(world: World) -> None:
    async def run() -> None:
        raw = await _signed_in(world)
        raw.write(b"Q" + struct.pack("!I", 4 + 18) + b"select 1\0; drop x\0")
        (error,) = errors(await raw.until(b"Z"))
        assert error["C"] in ("NW019", "08P01")
        assert "NUL" in error["M"] or "message" in error["M"].lower()
        raw.close()

    asyncio.run(run())


def test_a_nul_in_a_parse(world: World) -> None:
    async def run() -> None:
        raw = await _signed_in(world)
        body = b"\0select 1\0 from x\0\0\0"
        raw.write(b"P" + struct.pack("!I", 4 + len(body)) + body)
        raw.send(SYNC)
        data = await raw.until(b"Z")
        assert errors(data)
        raw.close()

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["simple", "extended"])
def test_a_statement_over_16_mib(world: World, kind: str) -> None:
    text = "select '" + "x" * (16 * 1024 * 1024) + "'"
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as refused:
            if kind == "simple":
                psycopg.ClientCursor(connection).execute(text)
            else:
                connection.execute(text + " || %s", ["y"])
        assert refused.value.sqlstate == "NW011"
        if not connection.closed:
            assert connection.execute("select 1").fetchone() == (1,)
    assert _journalled(world, "TOO_LARGE")
    assert not any(len(entry.text) > 1_000_000 for entry in world.server.statements(database=world.shop.name))


def test_a_statement_of_many_mib_that_is_within_the_limit(world: World) -> None:
    """It is analysed in a process of its own while others are served."""
    text = "select length('" + "x" * (8 * 1024 * 1024) + "')"
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        assert connection.execute(text).fetchone() == (8 * 1024 * 1024,)


@pytest.mark.parametrize(
    "text",
    [
        "select " + "(" * 5000 + "1" + ")" * 5000,
        "select " + "not " * 20_000 + "true",
        "select " + "1 + (" * 3000 + "1" + ")" * 3000,
        "select " + "case when true then " * 2000 + "1" + " end" * 2000,
        "select " + "array[" * 4000 + "1" + "]" * 4000,
        "select * from " + "(select * from " * 1500 + "customers" + " c) c" * 1500,
        " union all ".join(["select 1"] * 10_000),
    ],
    ids=lambda text: text[7:18],
)
def test_a_statement_that_is_nested_deeply(world: World, text: str) -> None:
    """Refused, or whatever the target makes of it; the gateway stays what it was."""
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        try:
            connection.execute(text)
        except psycopg.Error as refused:
            code = refused.sqlstate or ""
            assert code in ("NW010", "NW012", "54001", "54000", "42601"), refused
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("text", ["selec", "select 1 from", "", ";;;", "/* open", "select 'open", '"', "$$"])
def test_texts_that_are_no_sql(world: World, text: str) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        try:
            psycopg.ClientCursor(connection).execute(text)
        except psycopg.Error as refused:
            assert refused.sqlstate in ("NW010", "42601", "NW019")
        assert connection.execute("select 1").fetchone() == (1,)


async def test_bytes_that_are_not_utf_8(world: World) -> None:
    raw = await _signed_in(world)
    body = b"select '\xff\xfe' as x\0"
    raw.write(b"Q" + struct.pack("!I", 4 + len(body)) + body)
    assert errors(await raw.until(b"Z"))
    assert values(await raw.ask(query("select 1"))) == [(b"1",)]
    raw.close()


async def test_a_function_call(world: World) -> None:
    raw = await _signed_in(world)
    found = await raw.ask(frontend.FunctionCall(1299, (), (), 0))
    (error,) = errors(found)
    assert error["C"] in ("NW013", "0A000")
    assert "function" in error["M"].lower()
    assert values(await raw.ask(query("select 1"))) == [(b"1",)]
    raw.close()


# the protocol


async def _signed_in(world: World) -> Raw:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    assert (await raw.sign_in("dev", "shop", world.gateway.token("dev")))[-1].kind == b"Z"
    return raw


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\x04\x05",
        b"z\x00\x00\x00\x04",
        b"Q\x00\x00\x00\x03",
        b"Q\xff\xff\xff\xff" + b"x" * 100,
        b"Q\x7f\xff\xff\xff" + b"x" * 100,
        b"Q\x00\x00\x00\x08abcd",
        b"B\x00\x00\x00\x0a\x00\x00\xff\xff\x00\x00",
        b"B\x00\x00\x00\x10\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0",
        b"P\x00\x00\x00\x08\0\0\x7f\xff",
        b"E\x00\x00\x00\x05\0",
        b"D\x00\x00\x00\x06X\0",
        b"C\x00\x00\x00\x06X\0",
        b"S\x00\x00\x00\x08abcd",
        b"p\x00\x00\x00\x08abc\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=lambda data: data[:6].hex(),
)
async def test_malformed_messages(world: World, data: bytes) -> None:
    """The session may end, with a FATAL error that says so; nothing else happens."""
    before = _closed(world)
    raw = await _signed_in(world)
    raw.write(data)
    try:
        message = await asyncio.wait_for(raw.message(), 5)
    except TimeoutError:
        pytest.fail("neither an answer nor an end")
    assert message.kind == b"E"
    (error,) = errors([message])
    assert error["S"] in ("ERROR", "FATAL")
    assert error["C"] in ("08P01", "NW013", "NW011", "NW019", "54000")
    if error["S"] == "FATAL":
        assert await raw.rest() == b""
    raw.close()
    assert await asyncio.to_thread(eventually, lambda: _closed(world) > before)


def _closed(world: World) -> int:
    return len(worlds.entries(world.gateway, "session_closed"))


async def test_copy_messages_outside_a_copy_are_ignored(world: World) -> None:
    """As PostgreSQL does: they may be what is left of a COPY that failed."""
    raw = await _signed_in(world)
    raw.write(b"d\x00\x00\x00\x08abcd" + b"c\x00\x00\x00\x04" + b"f\x00\x00\x00\x05\0")
    assert values(await raw.ask(query("select 1"))) == [(b"1",)]
    raw.close()


async def test_protocol_2(world: World) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(build_startup(Startup(2, 0, {"user": "dev", "database": "shop"})))
    error = error_in(await raw.rest())
    assert error["C"] == "0A000"
    assert "2.0" in error["M"]
    assert "UNSUPPORTED" in [e.record.reason for e in await _until_refused(world)]


async def _until_refused(world: World) -> list[Any]:
    return await asyncio.to_thread(
        eventually, lambda: worlds.entries(world.gateway, "refused", reason="UNSUPPORTED")
    )


@pytest.mark.parametrize("value", ["database", "true", "on", "1"])
async def test_replication(world: World, value: str) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    (error,) = errors(await raw.sign_in("dev", "shop", "x", replication=value))
    assert "replication" in error["M"]
    assert error["S"] == "FATAL"


async def test_a_start_up_packet_over_10_kb(world: World) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(
        build_startup(Startup(3, 0, {"user": "dev", "database": "shop", "application_name": "x" * 11_000}))
    )
    error = error_in(await raw.rest())
    assert error["S"] == "FATAL"
    assert error["C"] == "54000"
    await _until_refused(world)


@pytest.mark.parametrize(
    "packet",
    [
        b"\0\0\0\0",
        b"\0\0\0\x07abc",
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\x09\0\x03\0\0x",
        b"\0\0\0\x0e\0\x03\0\0user\0\0",
    ],
)
async def test_start_up_packets_that_are_none(world: World, packet: bytes) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(packet)
    data = await raw.rest()
    assert data == b"" or error_in(data)["S"] == "FATAL"


async def test_protocol_3_9_and_unknown_options_are_negotiated_down(world: World) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    found = await raw.sign_in("dev", "shop", world.gateway.token("dev"), minor=9, **{"_pq_.what": "x"})
    assert found[0].kind == b"v"
    assert b"_pq_.what" in found[0].payload
    assert found[-1].kind == b"Z"
    raw.close()


async def test_gss_encryption_is_declined_and_tls_goes_on(world: World) -> None:
    plain = socket.create_connection(("127.0.0.1", world.gateway.port))
    plain.sendall(struct.pack("!II", 8, 80877104))
    assert plain.recv(1) == b"N"
    plain.sendall(build_ssl_request())
    assert plain.recv(1) == b"S"
    plain.close()


async def test_bytes_behind_the_request_for_tls(world: World) -> None:
    """They would be read as if they had come inside: refused, before any handshake."""
    raw = await Raw.plain(world.gateway.port)
    raw.write(build_ssl_request() + build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})))
    data = await raw.rest()
    assert data[:1] == b"E"
    assert error_in(data)["C"] == "08P01"
    await _until_refused(world)


async def test_a_start_that_takes_too_long(world: World) -> None:
    """The setting is 2 s here: silence, a byte at a time, and a handshake that stops half-way."""
    silent, slow, half = [await Raw.plain(world.gateway.port) for _ in range(3)]
    half.write(b"\x16\x03\x01")
    started = time.monotonic()

    async def dribble() -> None:
        for byte in build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})):
            slow.write(bytes([byte]))
            await asyncio.sleep(0.5)

    task = asyncio.create_task(dribble())
    await asyncio.gather(silent.rest(), half.rest(), slow.rest())
    assert 1.5 < time.monotonic() - started < 6
    task.cancel()
    late = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    late.write(build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})))
    await late.message()
    error = error_in(await late.rest())
    assert "2 seconds" in error["M"]
    assert worlds.entries(world.gateway, "refused", reason="TIMED_OUT")


async def test_bytes_before_the_start_are_not_a_session(world: World) -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"SSH-2.0-x\r\n", b"\0" * 64):
        raw = await Raw.plain(world.gateway.port)
        raw.write(data)
        await raw.rest()


async def test_a_password_that_is_too_long(world: World) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})))
    await raw.until(b"R")
    raw.write(b"p" + struct.pack("!I", 70_000) + b"x" * 69_995 + b"\0")
    data = await raw.rest()
    assert data == b"" or error_in(data)["S"] == "FATAL"


async def test_another_message_in_the_place_of_the_password(world: World) -> None:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})))
    await raw.until(b"R")
    raw.send(query("select 1"))
    assert error_in(await raw.rest())["C"] == "08P01"


async def test_statements_sent_before_the_password_was_answered(world: World) -> None:
    """Some drivers write ahead; what follows the token waits for the session."""
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    raw.write(build_startup(Startup(3, 0, {"user": "dev", "database": "shop"})))
    await raw.until(b"R")
    raw.send(
        frontend.PasswordMessage(world.gateway.token("dev")),
        query("select 'ahead'"),
        *extended("select 2"),
        SYNC,
    )
    found = await raw.until(b"Z", 3)
    assert values(found) == [(b"ahead",), (b"2",)]
    raw.close()


# configuration


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("narrows.yaml", "settings: [1, 2"),
        ("narrows.yaml", "users: {dev: {groups: [nobody-declared]}}\nconnections: {}\n"),
        ("labels.yaml", "columns: {shop: {public.customers: {ssn: no_such_label}}}\n"),
        ("policies/developers.cedar", "permit (principal, action, resource"),
        ("policies/developers.cedar", 'permit (principal in Group::"developrs", action, resource);'),
        ("policies/developers.cedar", '@id("x") permit (principal in Group::"developrs", action, resource);'),
        ("policies/developers.cedar", '@id("x") permit (principal, action == Action::"selct", resource);'),
        ("policies/developers.cedar", '@id("no-drop-database") permit (principal, action, resource);'),
    ],
    ids=[
        "yaml",
        "unknown-group",
        "unknown-label",
        "cedar",
        "no-id",
        "undeclared-id",
        "unknown-action",
        "same-id",
    ],
)
def test_a_configuration_that_does_not_validate_changes_nothing(world: World, name: str, text: str) -> None:
    gateway = world.gateway
    path = gateway.directory / name
    before = path.read_text()
    path.write_text(text)
    try:
        out = gateway.narrows("reload", "--config", str(gateway.directory), is_ok=False)
        assert worlds.entries(gateway, "config_loaded", is_accepted=False)[-1].record.faults
        assert gateway.psql("dev", "select name from customers where id = 1").stdout == "Ada Example\n"
        assert "no-drop-database" in gateway.psql("dev", "drop database x").stderr
        assert out is not None
    finally:
        path.write_text(before)
        gateway.reload()


def test_a_configuration_that_does_not_validate_is_not_served(world: World) -> None:
    """At the start there is nothing to go on with: every fault is named, and the code is not 0."""
    import subprocess

    directory = processes.scratch_directory("bad") / "gateway"
    gateways.prepare(directory, world.shop)
    (directory / "policies" / "bad.cedar").write_text("permit (principal, action, resource")
    (directory / "labels.yaml").write_text("columns: {shop: {public.customers: {ssn: nope}}}\n")
    done = subprocess.run(
        [gateways.NARROWS, "serve", "--config", str(directory)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory.parent)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert "bad.cedar" in done.stdout + done.stderr
    assert "labels.yaml" in done.stdout + done.stderr
