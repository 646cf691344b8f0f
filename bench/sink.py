"""A client that takes a result as fast as it comes and looks at nothing but its end.

Python, but at the speed of C: large `recv_into` calls into one buffer, so that what is timed is the way to it.
Every target gets the same one. It knows no SCRAM: the direct target's role needs no password. It tells the end
by its last six bytes, which no value of the bench's own table can look like.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.targets import Target

_BUFFER_BYTES = 256 * 1024
_TAIL_BYTES = 400
_TIMEOUT_S = 120
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_READY = b"Z\0\0\0\x05I"
_AUTH_OK, _AUTH_PASSWORD = 0, 3


class SinkError(Exception):
    """The target answered with an error, or not in time; the message holds the end of its answer."""


@dataclass(frozen=True, slots=True)
class Drained:
    """A result that has passed."""

    seconds: float
    size_bytes: int
    tag: str


class Sink:
    """One signed-in connection."""

    def __init__(self, target: Target) -> None:
        self._socket = _connect(target)
        try:
            _sign_in(self._socket, target)
        except BaseException:
            self._socket.close()
            raise
        self._buffer = bytearray()

    def query(
        self,
        text: str,
        is_over: Callable[[], bool] = lambda: False,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> Drained:
        """Send a simple query and drain its answer; once `is_over`, what came until then, with no tag."""
        self._buffer = self._buffer or bytearray(_BUFFER_BYTES)
        view, tail, size = memoryview(self._buffer), b"", 0
        began = time.perf_counter()
        self._socket.sendall(_message(b"Q", text.encode() + b"\0"))
        while not tail.endswith(_READY):
            if not (count := self._socket.recv_into(view)):
                raise SinkError(f"the target went away: {tail!r}")
            size += count
            on_bytes(count)
            tail = (tail + bytes(view[max(0, count - _TAIL_BYTES) : count]))[-_TAIL_BYTES:]
            if is_over():
                return Drained(time.perf_counter() - began, size, "")
        return Drained(time.perf_counter() - began, size, command_tag(tail))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def command_tag(tail: bytes) -> str:
    """The tag of the CommandComplete that stands before the last ReadyForQuery."""
    body = tail.removesuffix(_READY)
    for length in range(6, 40):
        start = len(body) - length - 1
        if start >= 0 and body[start : start + 5] == b"C" + struct.pack("!i", length):
            return body[start + 5 : -1].decode()
    raise SinkError(f"no result: {tail!r}")


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _connect(target: Target) -> socket.socket:
    plain = socket.create_connection((target.host, target.port), _TIMEOUT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.ca is None:
        return plain
    plain.sendall(_SSL_REQUEST)
    if plain.recv(1) != b"S":
        plain.close()
        raise SinkError(f"{target.name} speaks no TLS")
    return ssl.create_default_context(cafile=str(target.ca)).wrap_socket(plain, server_hostname="localhost")


def _sign_in(connection: socket.socket, target: Target) -> None:
    words = ("user", target.user, "database", target.dbname, "application_name", "bench")
    body = struct.pack("!i", 3 << 16) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    connection.sendall(struct.pack("!i", len(body) + 4) + body)
    with contextlib.closing(connection.makefile("rb")) as stream:
        while True:
            kind = stream.read(1)
            payload = stream.read(*(size - 4 for size in struct.unpack("!i", stream.read(4))))
            if kind == b"Z":
                return
            if kind == b"E":
                raise SinkError(f"{target.name}: {payload!r}")
            if kind == b"R":
                _authenticate(connection, target, struct.unpack_from("!i", payload)[0])


def _authenticate(connection: socket.socket, target: Target, asked: int) -> None:
    if asked == _AUTH_PASSWORD:
        connection.sendall(_message(b"p", target.password.encode() + b"\0"))
    elif asked != _AUTH_OK:
        raise SinkError(f"{target.name} asks for authentication {asked}; only a clear password is known here")
