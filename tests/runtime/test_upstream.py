"""The way to real targets, under both loops, and to targets that misbehave."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.relay.postgres.upstream import Fault
from narrows.runtime import tls
from narrows.runtime import upstream as upstream_module
from narrows.runtime.conduit import Conduit
from narrows.runtime.upstream import (
    Deadlines,
    Upstream,
    UpstreamUnavailable,
    cancel_upstream,
    open_upstream,
)
from narrows.wire.postgres import backend, frontend
from tests.servers import adversity, stub
from tests.servers.postgres import Database, Login, Postgres

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the:pytest.PytestDeprecationWarning")

SHORT = Deadlines(connect_s=0.3, total_s=0.5)
PARAMETERS = {"application_name": "narrows test"}

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import uvloop

    _POLICIES = {"asyncio": asyncio.DefaultEventLoopPolicy, "uvloop": uvloop.EventLoopPolicy}


@pytest.fixture(params=sorted(_POLICIES))
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Everything here runs on both loops: they implement TLS upgrades separately."""
    policy: asyncio.AbstractEventLoopPolicy = _POLICIES[request.param]()
    return policy


def target_of(
    database: Database, login: Login, mode: TlsMode = TlsMode.VERIFY_FULL, port: int | None = None
) -> Target:
    server = database.server
    return Target("shop", "localhost", port or server.port, database.name, login.user, mode, server.ca_pem)


async def opened(target: Target, login: Login) -> Upstream:
    return await open_upstream(target, Secret(login.password), PARAMETERS)


async def fault_of(attempt: Awaitable[object]) -> Fault:
    """Why it failed; it must fail."""
    with pytest.raises(UpstreamUnavailable) as caught:
        await attempt
    return caught.value.failed.fault


class Collector:
    """Takes a conduit over and keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = asyncio.Event()
        self._more = asyncio.Event()

    def on_bytes(self, conduit: Conduit, data: bytes) -> None:
        self.data += data
        self._more.set()

    def on_end(self, conduit: Conduit, error: Exception | None) -> None:
        self.ended.set()

    def on_writable(self, conduit: Conduit, is_writable: bool) -> None: ...

    async def until(self, wanted: bytes) -> bytes:
        async with asyncio.timeout(10):
            while wanted not in self.data:
                self._more.clear()
                await self._more.wait()
        return bytes(self.data)


def query(text: str) -> bytes:
    return frontend.build(frontend.Query(text))


READY = backend.build(backend.ReadyForQuery("I"))


@pytest.mark.parametrize("mode", TlsMode)
async def test_every_mode_ends_in_a_session_that_can_be_taken_over(
    shared_shop: Database, mode: TlsMode
) -> None:
    """After sign-in the transport belongs to whoever takes the conduit, and nothing was lost or read ahead."""
    upstream = await opened(target_of(shared_shop, shared_shop.app, mode), shared_shop.app)
    owner = Collector()
    upstream.conduit.give_to(owner)
    upstream.conduit.want(True)
    upstream.conduit.write(query("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))
    reply = await owner.until(READY)
    upstream.conduit.close()
    assert (upstream.tls_version is not None) == (mode is not TlsMode.DISABLE)
    assert upstream.is_verified == (mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL))
    assert backend.build(backend.DataRow((b"f" if mode is TlsMode.DISABLE else b"t",))) in reply
    assert upstream.parameters["server_version"].startswith(str(shared_shop.server.version))
    assert upstream.address == "127.0.0.1"


async def test_a_large_result_arrives_whole_after_the_hand_over(shared_shop: Database) -> None:
    upstream = await opened(target_of(shared_shop, shared_shop.app), shared_shop.app)
    owner = Collector()
    upstream.conduit.give_to(owner)
    upstream.conduit.want(True)
    upstream.conduit.write(query("select repeat('x', 1000) from generate_series(1, 5000)"))
    reply = await owner.until(READY)
    upstream.conduit.close()
    assert reply.count(b"x" * 1000) == 5000


async def test_scram_is_bound_to_the_channel(shared_shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password check that is relayed by somebody in between fails, for it names another certificate."""
    target = target_of(shared_shop, shared_shop.app)
    await close(await opened(target, shared_shop.app))
    monkeypatch.setattr(upstream_module, "_end_point", lambda session: b"another certificate's digest")
    assert await fault_of(opened(target, shared_shop.app)) is Fault.NOT_ADMITTED


@pytest.mark.parametrize("role", ["md5_app", "plain_app", "trusted_app", "tls_app"])
async def test_every_way_to_sign_in_that_a_target_may_ask_for(shared_shop: Database, role: str) -> None:
    login = shared_shop.server.login(role)
    await close(await opened(target_of(shared_shop, login), login))


async def close(upstream: Upstream) -> None:
    """Close and see it closed."""
    owner = Collector()
    upstream.conduit.give_to(owner)
    upstream.conduit.want(True)
    upstream.conduit.write(frontend.build(frontend.Terminate()))
    await asyncio.wait_for(owner.ended.wait(), 5)


@pytest.mark.parametrize("mode", [TlsMode.DISABLE, TlsMode.REQUIRE])
async def test_a_cleartext_password_needs_verified_tls(shared_shop: Database, mode: TlsMode) -> None:
    login = shared_shop.server.login("plain_app")
    target = target_of(shared_shop, login, mode)
    assert await fault_of(opened(target, login)) is Fault.CLEARTEXT_WANTED
    await close(await opened(replace(target, allows_cleartext=True), login))


async def test_what_a_target_refuses_is_told_by_kind(shared_shop: Database) -> None:
    server, app = shared_shop.server, shared_shop.app
    barred = server.login("barred_app")
    wrong = Login(app.user, "wrong")
    good = target_of(shared_shop, app)
    assert await fault_of(opened(good, wrong)) is Fault.PASSWORD_REFUSED
    assert await fault_of(opened(replace(good, database="absent"), app)) is Fault.DATABASE_MISSING
    assert await fault_of(opened(target_of(shared_shop, barred), barred)) is Fault.NOT_ADMITTED
    assert await fault_of(opened(replace(good, host="no-such-host.invalid"), app)) is Fault.NAME_UNKNOWN


async def test_the_password_is_in_no_error(shared_shop: Database) -> None:
    wrong = Login(shared_shop.app.user, "a-very-secret-password")
    with pytest.raises(UpstreamUnavailable) as caught:
        await opened(target_of(shared_shop, wrong), wrong)
    assert wrong.password not in f"{caught.value!r} {caught.value} {caught.value.failed}"


async def test_a_certificate_is_verified_against_the_pinned_authority(shared_shop: Database) -> None:
    other = tls.make_authority("another").certificate.decode()
    target = target_of(shared_shop, shared_shop.app)
    for mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        attempt = opened(replace(target, tls=mode, ca_pem=other), shared_shop.app)
        assert await fault_of(attempt) is Fault.TLS_UNVERIFIED
    attempt = opened(replace(target, ca_pem=None), shared_shop.app)
    assert await fault_of(attempt) is Fault.TLS_UNVERIFIED
    attempt = opened(replace(target, ca_pem="rubbish"), shared_shop.app)
    assert await fault_of(attempt) is Fault.TLS_FAILED


async def test_verify_full_wants_the_name_too(shared_shop: Database) -> None:
    """`127.1` is the same address by a name that is not in the certificate."""
    target = replace(target_of(shared_shop, shared_shop.app), host="127.1")
    assert await fault_of(opened(target, shared_shop.app)) is Fault.TLS_UNVERIFIED
    await close(await opened(replace(target, tls=TlsMode.VERIFY_CA), shared_shop.app))


async def test_cancel_reaches_the_statement(shared_shop: Database) -> None:
    target = target_of(shared_shop, shared_shop.app)
    upstream = await opened(target, shared_shop.app)
    owner = Collector()
    upstream.conduit.give_to(owner)
    upstream.conduit.want(True)
    upstream.conduit.write(query("select pg_sleep(30)"))
    assert upstream.pid is not None
    # The target drops a request that comes before the statement has begun; it never says so.
    async with asyncio.timeout(10):
        while b"57014" not in owner.data:
            await cancel_upstream(target, upstream.pid, upstream.key, address=upstream.address)
            await asyncio.sleep(0.05)
    await owner.until(READY)
    upstream.conduit.close()


async def test_nothing_listens() -> None:
    async with stub.started() as server:
        port = server.port
    target = Target("shop", "127.0.0.1", port, "shop", "app", TlsMode.DISABLE)
    assert await fault_of(open_upstream(target, Secret("x"), {})) is Fault.NOT_LISTENING
    assert await fault_of(cancel_upstream(target, 1, b"1234")) is Fault.NOT_LISTENING


async def test_a_target_without_tls_is_refused_and_told() -> None:
    async with stub.started() as server:
        target = Target("shop", "127.0.0.1", server.port, "shop", "app", TlsMode.REQUIRE)
        assert await fault_of(open_upstream(target, Secret("x"), {})) is Fault.TLS_ABSENT
        assert await fault_of(cancel_upstream(target, 1, b"1234")) is Fault.TLS_ABSENT
        assert server.startups == []


async def test_the_name_is_resolved_and_the_next_address_tried() -> None:
    """`localhost` may be ::1 first, where nothing listens."""
    async with stub.started() as server:
        target = Target("shop", "localhost", server.port, "shop", "app", TlsMode.DISABLE)
        upstream = await open_upstream(target, Secret("x"), PARAMETERS)
        assert upstream.address == "127.0.0.1"
        assert server.startups[0].parameters["application_name"] == "narrows test"
        await close(upstream)


@pytest.mark.parametrize("answer", [b"", b"S"])
@pytest.mark.parametrize("mode", [TlsMode.DISABLE, TlsMode.REQUIRE])
async def test_a_silent_target_is_left_in_time(answer: bytes, mode: TlsMode) -> None:
    """At every stage: before the answer to SSLRequest, within the handshake, during sign-in."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        await reader.read()

    async with scripted(script) as target:
        attempt = open_upstream(replace(target, tls=mode), Secret("x"), {}, SHORT)
        assert await fault_of(attempt) is Fault.TIMED_OUT


async def test_a_dribbling_target_is_good_enough(shared_shop: Database) -> None:
    async with adversity.proxy("127.0.0.1", shared_shop.server.port) as way:
        way.to_client.chunk_bytes = 1
        target = target_of(shared_shop, shared_shop.app, port=way.port)
        await close(await opened(target, shared_shop.app))


@pytest.mark.parametrize("mode", [TlsMode.DISABLE, TlsMode.VERIFY_FULL])
async def test_a_connection_that_is_cut_anywhere_is_a_clean_failure(
    shared_shop: Database, mode: TlsMode
) -> None:
    """Wherever it breaks, the one exception, and no connection left open."""
    async with adversity.proxy("127.0.0.1", shared_shop.server.port) as way:
        target = target_of(shared_shop, shared_shop.app, mode, way.port)
        for count in (0, 1, 2, 30, 200, 600, 1000, 1500):
            way.to_client.cut_after(count)
            try:
                await close(await opened(target, shared_shop.app))
            except UpstreamUnavailable as unavailable:
                kinds = (Fault.LOST, Fault.TLS_FAILED)
                assert unavailable.failed.fault in kinds, (count, unavailable)
            except TimeoutError:
                pytest.fail(f"cut after {count}: still open")


async def test_a_cancelled_attempt_leaves_nothing_open() -> None:
    """A client that goes away while we sign in does not cost a connection."""
    async with stub.started() as server, adversity.proxy("127.0.0.1", server.port) as way:
        way.to_client.stall()
        target = Target("shop", "127.0.0.1", way.port, "shop", "app", TlsMode.DISABLE)
        attempt = asyncio.create_task(open_upstream(target, Secret("x"), {}))
        async with asyncio.timeout(5):
            while server.open == 0:
                await asyncio.sleep(0.01)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        way.to_client.resume()
        async with asyncio.timeout(5):
            while server.open:
                await asyncio.sleep(0.01)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Target]:
    """A target that does what the script says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Target("shop", "127.0.0.1", port, "shop", "app", TlsMode.REQUIRE)
    finally:
        server.close()


async def test_bytes_stuffed_before_tls_are_refused() -> None:
    """An attacker in between adds a greeting in clear behind the server's S (CVE-2021-23222)."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S" + backend.build(backend.AuthenticationOk()))
        await reader.read()

    async with scripted(script) as target:
        assert await fault_of(open_upstream(target, Secret("x"), {})) is Fault.PROTOCOL


async def test_bytes_stuffed_a_moment_later_break_the_handshake() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(backend.build(backend.AuthenticationOk()) + READY)
        await reader.read()

    async with scripted(script) as target:
        assert await fault_of(open_upstream(target, Secret("x"), {})) is Fault.TLS_FAILED


@pytest.mark.parametrize("is_expired", [True, False])
async def test_an_expired_certificate_is_refused(tmp_path: Path, is_expired: bool) -> None:
    authority = tls.make_authority()
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=40 if is_expired else 20)
    context = context_of(tls.make_certificate(authority, days=30, now=made), tmp_path)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(context)
        await reader.read(1)
        writer.write(backend.build(backend.AuthenticationOk()) + READY)
        await writer.drain()
        await reader.read()

    async with scripted(script) as target:
        pinned = replace(target, tls=TlsMode.VERIFY_FULL, ca_pem=authority.certificate.decode())
        attempt = open_upstream(pinned, Secret("x"), {})
        if is_expired:
            assert await fault_of(attempt) is Fault.TLS_UNVERIFIED
        else:
            upstream = await attempt
            assert upstream.is_verified
            upstream.conduit.abort()


def context_of(issued: tls.Issued, directory: Path) -> ssl.SSLContext:
    certificate, key = directory / "server.crt", directory / "server.key"
    certificate.write_bytes(issued.certificate)
    key.write_bytes(issued.key)
    return tls.server_context(certificate, key)


async def test_a_web_server_is_no_postgresql() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with scripted(script) as target:
        assert await fault_of(open_upstream(target, Secret("x"), {})) is Fault.PROTOCOL
        plain = replace(target, tls=TlsMode.DISABLE)
        assert await fault_of(open_upstream(plain, Secret("x"), {})) is Fault.PROTOCOL


@pytest.fixture(params=[15, 18], ids=["pg15", "pg18"])
def shared_shop(
    request: pytest.FixtureRequest, shared_shop15: Database, shared_shop18: Database, postgres15: Postgres
) -> Database:
    """Either version's shop; only read here."""
    return shared_shop15 if request.param == 15 else shared_shop18
