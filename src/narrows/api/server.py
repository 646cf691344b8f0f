"""The control API's listeners, inside the gateway's own loop: HTTPS on TCP, and a Unix socket that knows its peer.

Laws: no signal handler, no logging set-up and no worker of its own; a connection that does not send a whole
request in time is closed; the Unix socket exists as 0600 or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from narrows.api.application import build
from narrows.api.calls import Peer
from narrows.api.ports import Gateway
from narrows.settings import Address

REQUEST_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5
CONCURRENCY_LIMIT = 256
HEAD_LIMIT_BYTES = 32 * 1024


class ListenError(Exception):
    """A listener cannot be opened; the message names its address and the setting to change."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets, not yet served."""

    tcp: tuple[socket.socket, ...] = ()
    unix: socket.socket | None = None

    def close(self) -> None:
        for bound in (*self.tcp, *((self.unix,) if self.unix else ())):
            bound.close()


def bind(addresses: tuple[Address, ...], control_socket: Path | None) -> Listeners:
    """Bind every listener, or none: ListenError."""
    with contextlib.ExitStack() as opened:
        tcp = tuple(opened.enter_context(bind_tcp(address, "control_listen")) for address in addresses)
        unix = opened.enter_context(_bind_unix(control_socket)) if control_socket else None
        opened.pop_all()
    return Listeners(tcp, unix)


async def serve(
    gateway: Gateway, listeners: Listeners, context: ssl.SSLContext | None, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set, then finish what runs, within seconds.

    `context` is for the TCP listeners and must be there where there are any; loading another certificate
    into it takes effect for the next connection.
    """
    if listeners.tcp and context is None:
        raise ListenError("control_listen needs a certificate; set tls_certificate and tls_key")
    application = build(gateway)
    servers = [
        (_Server(_config(application, used)), sockets)
        for sockets, used in ((list(listeners.tcp), context), ([listeners.unix], None))
        if sockets and sockets[0] is not None
    ]
    path = listeners.unix.getsockname() if listeners.unix else None
    try:
        async with asyncio.TaskGroup() as tasks:
            for server, sockets in servers:
                tasks.create_task(server.serve(sockets=[bound for bound in sockets if bound]))
            await stop.wait()
            for server, _ in servers:
                server.should_exit = True
    finally:
        listeners.close()
        if path:
            Path(path).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Without signal handlers: the gateway has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """Says who the Unix socket's peer is, and closes a connection that dawdles over its request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "peer": _peer(transport.get_extra_info("socket"))}
        self._watch = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_watch)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch.cancel()
        self._watch = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_watch)

    def _on_watch(self) -> None:
        """A whole request that is being answered may take longer; anything else may not."""
        is_answering = (
            self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        )
        if is_answering:
            self._watch = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_watch)
        else:
            self.transport.abort()


def _config(application: Any, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONCURRENCY_LIMIT,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )


def _peer(connection: Any) -> Peer | None:
    """Who connected, where the connection is a Unix socket."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid=uid, pid=pid)


def bind_tcp(address: Address, setting: str) -> socket.socket:
    """A listening socket; ListenError names the setting to change."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ListenError(f"cannot listen on {address} ({setting}): {error.strerror or error}") from error
    return bound


def _bind_unix(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path)
        # The umask and not a later chmod: between bind and chmod anybody could connect.
        before = os.umask(0o177)
        try:
            bound.bind(str(path))
        finally:
            os.umask(before)
        bound.listen(128)
    except OSError as error:
        bound.close()
        why = error.strerror or str(error)
        raise ListenError(f"cannot listen on {path} (control_socket): {why}") from error
    return bound


def _remove_stale(path: Path) -> None:
    """A socket file that nobody answers at is left from a crash; one that is answered is another gateway."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError(f"{path} is not a socket; move it away or change control_socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise ListenError(f"another gateway already serves {path}; stop it first")
