"""Opens the way to a target: TCP, TLS, sign-in; then a conduit that a session's driver takes over.

Laws: every step has a deadline; a connection that fails half-way is closed; what the target said goes into
`Failed.detail` for the operator, and the caller gets `Failed.refusal()`.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.relay.postgres.upstream import (
    Failed,
    Fault,
    SignedIn,
    SignIn,
    StartTls,
    State,
    Step,
    Write,
    read_tls_answer,
)
from narrows.runtime import tls
from narrows.runtime.chunks import Chunks
from narrows.runtime.conduit import Conduit
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import startup

# Building one reads the system's store, which takes 10 ms.
_context = functools.lru_cache(maxsize=64)(tls.client_context)


class UpstreamUnavailable(Exception):
    """The target cannot be used; `failed.fault` says why and `failed.detail` tells the operator more."""

    def __init__(self, failed: Failed, address: str = "") -> None:
        super().__init__(
            f"{failed.fault.message}: {failed.detail}" if failed.detail else failed.fault.message
        )
        self.failed = failed
        self.address = address


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds."""

    connect_s: float = 5.0
    """One attempt at one address."""
    total_s: float = 10.0
    """Everything up to the end of the sign-in."""
    keepalive_s: float = 60.0
    """Idle time before the kernel asks whether the target still lives, so that nobody cuts an idle session."""


DEADLINES = Deadlines()


class UpstreamConduit(Conduit):
    """A conduit that can go over to TLS."""

    async def upgrade(self, context: ssl.SSLContext, server_name: str, limit_s: float) -> ssl.SSLObject:
        """TLS as the client, before anything more is read."""
        self.want(False)
        upgraded = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_hostname=server_name, ssl_handshake_timeout=limit_s
        )
        if upgraded is None:
            raise ConnectionResetError("the target closed the connection during the handshake")
        self.connection_made(upgraded)
        session: ssl.SSLObject = upgraded.get_extra_info("ssl_object")
        return session


@dataclass(frozen=True, slots=True)
class Upstream:
    """A signed-in connection to a target, ready for the first query; `conduit.give_to(owner)` takes it over."""

    conduit: UpstreamConduit = field(repr=False)
    target: Target
    address: str
    """The numeric address that was reached."""
    parameters: Mapping[str, str]
    """What the target reported: server_version, client_encoding, ..."""
    pid: int | None
    key: bytes = field(repr=False)
    tls_version: str | None = None
    """Such as TLSv1.3; None where the connection is not encrypted."""

    @property
    def is_verified(self) -> bool:
        """The target's certificate was checked."""
        return self.tls_version is not None and self.target.tls is not TlsMode.REQUIRE


async def open_upstream(
    target: Target, password: Secret, parameters: Mapping[str, str], deadlines: Deadlines = DEADLINES
) -> Upstream:
    """Sign in to a target; `parameters` go into its start-up message. Raises only UpstreamUnavailable."""
    progress = _Progress(target)
    try:
        async with asyncio.timeout(deadlines.total_s):
            sign_in = SignIn(target, password, parameters, secrets.token_urlsafe(18))
            conduit = await _connect(target, target.host, deadlines, progress)
            return await _sign_in(conduit, sign_in, deadlines, progress)
    except TimeoutError:
        raise progress.failure(Fault.TIMED_OUT, f"while {progress.doing}") from None
    except ProtocolError as error:
        raise progress.failure(Fault.PROTOCOL, error.message) from error
    finally:
        progress.end()


async def cancel_upstream(
    target: Target, pid: int, key: bytes, *, address: str | None = None, deadlines: Deadlines = DEADLINES
) -> None:
    """Ask the target to cancel what session `pid` runs, over TLS as configured; it never says whether it did.

    `address` is the session's `Upstream.address`: behind one name there may be several servers. Raises only
    UpstreamUnavailable.
    """
    progress = _Progress(target)
    try:
        async with asyncio.timeout(deadlines.total_s):
            conduit = await _connect(target, address or target.host, deadlines, progress)
            reader = Chunks(conduit)
            if target.tls is not TlsMode.DISABLE:
                conduit.write(startup.build_ssl_request())
                answer = read_tls_answer(await progress.read(reader))
                if isinstance(answer, Failed):
                    raise UpstreamUnavailable(answer, progress.address)
                await _secure(conduit, target, deadlines, progress)
            conduit.write(startup.build_cancel_request(pid, key))
            progress.doing = "waiting for the end of a cancel request"
            await reader.read()
    except TimeoutError:
        raise progress.failure(Fault.TIMED_OUT, f"while {progress.doing}") from None
    except ProtocolError as error:
        raise progress.failure(Fault.PROTOCOL, error.message) from error
    finally:
        progress.is_kept = False
        progress.end()


@dataclass
class _Progress:
    """How far an attempt came; closes what it opened unless it is kept."""

    target: Target
    doing: str = "resolving the name"
    address: str = ""
    conduit: UpstreamConduit | None = None
    is_kept: bool = False

    def failure(self, fault: Fault, detail: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(Failed(fault, detail), self.address)

    async def read(self, reader: Chunks) -> bytes:
        data = await reader.read()
        if not data:
            raise self.failure(Fault.LOST, f"while {self.doing}")
        return data

    def end(self) -> None:
        if self.conduit is not None and not self.is_kept:
            self.conduit.abort()


async def _connect(target: Target, host: str, deadlines: Deadlines, progress: _Progress) -> UpstreamConduit:
    """TCP to the first address that answers; the fault of the last where none does."""
    failure: UpstreamUnavailable | None = None
    for address in await _resolve(host, target.port, progress):
        progress.address, progress.doing = address, f"connecting to {address}"
        try:
            async with asyncio.timeout(deadlines.connect_s):
                _, conduit = await asyncio.get_running_loop().create_connection(
                    UpstreamConduit, address, target.port
                )
        except TimeoutError:
            failure = progress.failure(Fault.TIMED_OUT, f"while {progress.doing}")
        except ConnectionRefusedError:
            failure = progress.failure(
                Fault.NOT_LISTENING, f"nothing listens at {address} port {target.port}"
            )
        except OSError as error:
            failure = progress.failure(Fault.UNREACHABLE, f"{address}: {error.strerror or error}")
        else:
            progress.conduit = conduit
            _keep_alive(conduit, deadlines.keepalive_s)
            return conduit
    assert failure is not None
    raise failure


async def _resolve(host: str, port: int, progress: _Progress) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise progress.failure(Fault.NAME_UNKNOWN, f"{host}: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _keep_alive(conduit: Conduit, idle_s: float) -> None:
    end = conduit.transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(idle_s)))


async def _sign_in(
    conduit: UpstreamConduit, sign_in: SignIn, deadlines: Deadlines, progress: _Progress
) -> Upstream:
    target, reader = progress.target, Chunks(conduit)
    session: ssl.SSLObject | None = None
    steps: list[Step] = sign_in.start()
    progress.doing = "signing in"
    while True:
        for step in steps:
            match step:
                case Write(data):
                    conduit.write(data)
                case StartTls():
                    session = await _secure(conduit, target, deadlines, progress)
                case Failed():
                    raise UpstreamUnavailable(step, progress.address)
                case SignedIn(parameters, pid, key, rest):
                    conduit.release(rest)
                    progress.is_kept = True
                    version = session.version() if session else None
                    return Upstream(conduit, target, progress.address, parameters, pid, key, version)
        if steps and isinstance(steps[-1], StartTls):
            assert session is not None
            steps = sign_in.secured(_end_point(session))
        else:
            data = await progress.read(reader)
            # SCRAM's key takes 2 ms and more, as many as the target asks for: not on the loop.
            is_slow = sign_in.state is State.CHALLENGE
            steps = await asyncio.to_thread(sign_in.receive, data) if is_slow else sign_in.receive(data)


async def _secure(
    conduit: UpstreamConduit, target: Target, deadlines: Deadlines, progress: _Progress
) -> ssl.SSLObject:
    progress.doing = "shaking hands for TLS"
    try:
        context = _context(target.tls, target.ca_pem)
        assert context is not None
        session = await conduit.upgrade(context, target.host, deadlines.total_s)
    except ssl.SSLCertVerificationError as error:
        raise progress.failure(Fault.TLS_UNVERIFIED, error.verify_message) from error
    except TimeoutError:
        raise
    except (OSError, RuntimeError, tls.TlsFileError) as error:  # RuntimeError: uvloop, on a closed transport
        raise progress.failure(Fault.TLS_FAILED, str(error)) from error
    progress.doing = "signing in"
    return session


def _end_point(session: ssl.SSLObject) -> bytes | None:
    certificate = session.getpeercert(binary_form=True)
    return tls.server_end_point(certificate) if certificate else None
