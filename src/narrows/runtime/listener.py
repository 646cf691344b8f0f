"""Takes PostgreSQL clients in: the first bytes, TLS, the token; then a session, or a clear refusal.

Laws: a client has a limited time to sign in and only so many may be trying at once; the socket is read
directly until TLS stands, so that no byte sent before TLS can be taken for one sent inside it; one client's
failure is nobody else's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Client
from narrows.relay.machine import Close, Send
from narrows.relay.postgres.signin import Authenticate, CancelSession, ClientSignIn, Command, StartTls
from narrows.runtime.chunks import Chunks
from narrows.runtime.conduit import LINGER_S, Conduit

_TLS_HELLO = 0x16
_READ_BYTES = 16 * 1024
_BACKLOG = 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a start may take, and how many clients may be at it."""

    startup_s: float = 10.0
    unauthenticated: int = 200
    keepalive_s: float = 60.0


class Admission(Protocol):
    """Everything that is ready for a client to be told that he is in."""

    parameters: dict[str, str]
    pid: int
    key: bytes

    async def run(self, client: Conduit, first: bytes) -> None:
        """Drive the session to its end; `first` is what the client already sent."""

    def abandon(self) -> None:
        """The client went away before the session began."""


class Front(Protocol):
    """Who decides whether a client gets in."""

    async def admit(self, wanted: Authenticate, client: Client) -> Admission | Refusal: ...

    async def refused(self, refusal: Refusal, client: Client, wanted: Authenticate | None) -> None:
        """Journals a refusal that came before there was a principal."""

    def cancel(self, pid: int, key: bytes) -> None: ...


class PostgresListener:
    """Accepts on bound sockets until closed; sessions it started go on."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        front: Front,
        context: Callable[[], ssl.SSLContext],
        limits: Limits,
        allows_plaintext: bool = False,
    ) -> None:
        self._sockets = sockets
        self._front = front
        self._context = context
        self._limits = limits
        self._allows_plaintext = allows_plaintext
        self._starting = 0
        self._is_open = True

    @property
    def starting(self) -> int:
        """Clients that have not signed in yet."""
        return self._starting

    async def serve(self) -> None:
        """Run until cancelled; ends every session it started with it."""
        async with asyncio.TaskGroup() as sessions:
            for listening in self._sockets:
                listening.setblocking(False)
                listening.listen(_BACKLOG)
                sessions.create_task(self._accept(listening, sessions))

    def close(self) -> None:
        """Take nobody else in."""
        self._is_open = False
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket, sessions: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while self._is_open:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                if not self._is_open:
                    return
                log.warning("accept_failed", error=str(error))
                await asyncio.sleep(0.1)  # out of file descriptors: let some close
                continue
            if self._starting >= self._limits.unauthenticated:
                accepted.close()
                log.warning("too_many_starting", limit=self._limits.unauthenticated)
                continue
            self._starting += 1
            sessions.create_task(self._serve_one(accepted, _address(address)))

    async def _serve_one(self, accepted: socket.socket, address: str) -> None:
        """One client from its first byte to its last; never raises but for cancellation."""
        start = _Start(accepted, address, self._front, self._context, self._allows_plaintext)
        try:
            try:
                self._prepare(accepted)
                admitted = await self._sign_in(start)
                if admitted is not None:
                    await admitted.run(*start.hand_over())
            finally:
                start.close()
        except (OSError, ssl.SSLError) as error:
            log.info("client_lost", address=address, error=str(error) or type(error).__name__)
        except Exception:
            log.exception("client_failed", address=address)

    async def _sign_in(self, start: _Start) -> Admission | None:
        try:
            async with asyncio.timeout(self._limits.startup_s):
                wanted = await start.until_presented()
            return await start.admit(wanted) if wanted else None
        except TimeoutError:
            message = f"no sign-in within {self._limits.startup_s:g} seconds"
            await start.refuse(Refusal(Reason.TIMED_OUT, message, sqlstate="57P03"))
            return None
        finally:
            self._starting -= 1

    def _prepare(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(self._limits.keepalive_s))


class _Start:
    """One client's start: carries bytes to the sign-in machine, before and after TLS."""

    def __init__(
        self,
        accepted: socket.socket,
        address: str,
        front: Front,
        context: Callable[[], ssl.SSLContext],
        allows_plaintext: bool,
    ) -> None:
        self.machine = ClientSignIn(has_tls=True, allows_plaintext=allows_plaintext)
        self._socket: socket.socket | None = accepted
        self._address = address
        self._front = front
        self._context = context
        self._conduit: Conduit | None = None
        self._chunks: Chunks | None = None
        self._wanted: Authenticate | None = None
        self._admission: Admission | None = None
        self._is_over = False
        self._is_taken = False
        self._is_tls = False

    async def until_presented(self) -> Authenticate | None:
        """Who wants in with which token; None where the client was sent away or left."""
        if await self._begins_with_tls():
            await self._carry_out(self.machine.receive(bytes([_TLS_HELLO])))
        while not self._is_over and self._wanted is None:
            data = await self._read()
            if not data:
                return None
            await self._carry_out(self.machine.receive(data))
        return self._wanted

    async def admit(self, wanted: Authenticate) -> Admission | None:
        """Ask the front, and tell the client the answer."""
        if self._conduit is None:
            await self._adopt(None)
        answer = await self._front.admit(wanted, self._client())
        if isinstance(answer, Refusal):
            await self._carry_out(self.machine.refuse(answer))
            return None
        self._admission = answer
        await self._carry_out(self.machine.welcome(answer.parameters, answer.pid, answer.key))
        return answer

    async def refuse(self, refusal: Refusal) -> None:
        """Send the client away; tell it why where it can still be told."""
        if self._wanted is not None:
            await self._front.refused(refusal, self._client(), self._wanted)
        await self._carry_out(self.machine.refuse(refusal))

    def hand_over(self) -> tuple[Conduit, bytes]:
        """The client's conduit and what the client already sent, for the session."""
        assert self._conduit is not None
        assert self._chunks is not None
        self._is_taken = True
        return self._conduit, self.machine.take_rest() + self._chunks.unread()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        elif self._conduit is not None and not self._is_taken:
            self._conduit.close()
            asyncio.get_running_loop().call_later(LINGER_S, self._conduit.abort)
        if self._admission is not None and not self._is_taken:
            self._admission.abandon()

    # -- inside

    def _client(self) -> Client:
        application = self._wanted.application if self._wanted else ""
        return Client(self._address, self._is_tls, application)

    async def _begins_with_tls(self) -> bool:
        """Look at the first byte and leave it where it is: a TLS hello belongs to the TLS library."""
        assert self._socket is not None
        await _readable(self._socket)
        first = self._socket.recv(1, socket.MSG_PEEK)
        return bool(first) and first[0] == _TLS_HELLO

    async def _read(self) -> bytes:
        if self._chunks is not None:
            return await self._chunks.read()
        assert self._socket is not None
        return await asyncio.get_running_loop().sock_recv(self._socket, _READ_BYTES)

    async def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Send(_, data):
                    await self._write(data)
                case StartTls():
                    await self._start_tls()
                case Authenticate():
                    self._wanted = command
                case CancelSession(pid, key):
                    self._front.cancel(pid, key)
                case Close(reason):
                    self._is_over = True
                    if self._wanted is None and self.machine.refusal is not None:
                        await self._front.refused(self.machine.refusal, self._client(), None)
                    log.debug("start_ended", address=self._address, reason=reason)

    async def _write(self, data: bytes) -> None:
        if self._conduit is not None:
            self._conduit.write(data)
        elif self._socket is not None:
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _start_tls(self) -> None:
        await self._adopt(self._context())
        assert self._conduit is not None
        session = self._conduit.transport.get_extra_info("ssl_object")
        self._is_tls = True
        await self._carry_out(self.machine.tls_started(session.selected_alpn_protocol()))

    async def _adopt(self, context: ssl.SSLContext | None) -> None:
        """The socket becomes a conduit, inside TLS or not."""
        accepted, self._socket = self._socket, None
        assert accepted is not None
        conduit = Conduit()  # uvloop answers with its TLS protocol, not with what the factory made
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: conduit, accepted, ssl=context)
        except BaseException:
            accepted.close()
            raise
        self._conduit = conduit
        self._chunks = Chunks(conduit)


async def _readable(sock: socket.socket) -> None:
    """Wait until something, or the end, has arrived."""
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    def on_readable() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(sock, on_readable)
    try:
        await arrived
    finally:
        loop.remove_reader(sock)


def _address(address: object) -> str:
    """The peer's IP address."""
    return str(address[0]) if isinstance(address, tuple) else str(address)
