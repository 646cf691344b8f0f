"""A raw PostgreSQL client that does as a case says, however odd, and keeps every message that comes back.

Nothing of narrows is used here: bytes are made and read by other code than the one that is tested.
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Message = tuple[str, bytes]
"""Kind and payload."""

STEP_S = 10.0
START_S = 20.0
"""A gateway reads the schema of a database it has not seen before it lets the first client in."""

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102


class Door(Protocol):
    """The way in: straight to the server or through a gateway."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """Asked for before the start-up packet, where there is one."""

    def connect(self) -> socket.socket: ...

    def names(self, user: str, database: str) -> tuple[str, str, str]:
        """(user, database, password) to present."""


@dataclass(frozen=True)
class Direct:
    """The server's Unix socket, which trusts whoever can open it."""

    directory: Path
    port: int
    tls: None = None

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(STEP_S)
        sock.connect(f"{self.directory}/.s.PGSQL.{self.port}")
        return sock

    def names(self, user: str, database: str) -> tuple[str, str, str]:
        return user, database, ""


@dataclass(frozen=True)
class ThroughGateway:
    """A gateway's listener: TLS that verifies, a token as the password."""

    port: int
    tls: ssl.SSLContext
    connection: str
    tokens: Mapping[str, tuple[str, str]] = field(repr=False)
    """The corpus's user -> (principal, token)."""
    host: str = "localhost"

    def connect(self) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), STEP_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def names(self, user: str, database: str) -> tuple[str, str, str]:
        principal, token = self.tokens[user]
        return principal, f"{self.connection}/{database}", token


def cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def message(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack(">i", len(payload) + 4) + payload


def value(text: str | None) -> bytes:
    """A parameter with its length; `hex:` gives bytes, None is NULL."""
    if text is None:
        return struct.pack(">i", -1)
    raw = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
    return struct.pack(">i", len(raw)) + raw


def _int16s(values: Sequence[int]) -> bytes:
    return struct.pack(">h", len(values)) + b"".join(struct.pack(">h", each) for each in values)


def _parse(arguments: Sequence[Any]) -> bytes:
    name, text, types = arguments
    oids = b"".join(struct.pack(">I", each) for each in types)
    return message(b"P", cstring(name) + cstring(text) + struct.pack(">h", len(types)) + oids)


def _bind(arguments: Sequence[Any]) -> bytes:
    portal, statement, parameters, formats = arguments
    values = struct.pack(">h", len(parameters)) + b"".join(map(value, parameters))
    return message(b"B", cstring(portal) + cstring(statement) + _int16s(()) + values + _int16s(formats))


def _extended(step: Mapping[str, Any]) -> bytes:
    return (
        _parse(["", step["extended"], []])
        + _bind(["", "", step.get("params", []), [step.get("result_format", 0)]])
        + message(b"D", b"P\0")
        + message(b"E", b"\0" + struct.pack(">i", 0))
        + message(b"S")
    )


_ENCODERS: dict[str, Callable[[Mapping[str, Any]], bytes]] = {
    "query": lambda step: message(b"Q", cstring(step["query"])),
    "query_hex": lambda step: message(b"Q", bytes.fromhex(step["query_hex"]) + b"\0"),
    "extended": _extended,
    "parse": lambda step: _parse(step["parse"]),
    "bind": lambda step: _bind(step["bind"]),
    "describe": lambda step: message(b"D", step["describe"][0].encode() + cstring(step["describe"][1])),
    "execute": lambda step: message(
        b"E", cstring(step["execute"][0]) + struct.pack(">i", step["execute"][1])
    ),
    "close": lambda step: message(b"C", step["close"][0].encode() + cstring(step["close"][1])),
    "flush": lambda step: message(b"H"),
    "sync": lambda step: message(b"S"),
}
"""Steps that are messages and nothing else."""


def encode(step: Mapping[str, Any]) -> bytes:
    """The bytes of a step that only sends."""
    for name, encoder in _ENCODERS.items():
        if name in step:
            return encoder(step)
    raise ValueError(f"a step of no known kind: {', '.join(step)}")


class Client:
    """One connection of a case."""

    def __init__(self, door: Door, database: str, user: str) -> None:
        self.messages: list[Message] = []
        self.first_bytes = b""
        """What SSLRequest and GSSENCRequest were answered."""
        self.is_started = False
        self.key = b""
        self._door, self._database, self._user = door, database, user
        self._sock: socket.socket | None = None
        self._buffer = b""
        self._is_secure = door.tls is None

    @property
    def was_answered(self) -> bool:
        return bool(self.messages)

    @property
    def was_refused(self) -> bool:
        return any(kind == "E" for kind, _ in self.messages)

    def send(self, data: bytes) -> None:
        self._open().sendall(data)

    def start(self, options: Mapping[str, str] | None = None) -> None:
        """Sign in with the start-up parameters of a case."""
        given = dict(options or {})
        major, minor = map(int, given.pop("protocol", "3.0").split("."))
        user, database, password = self._door.names(given.pop("user", self._user), self._database)
        parameters = {"user": user, "database": database, **given}
        self._secure()
        body = struct.pack(">hh", major, minor)
        body += b"".join(cstring(name) + cstring(text) for name, text in parameters.items()) + b"\0"
        self.is_started = True
        self.send(struct.pack(">i", len(body) + 4) + body)
        if major < 3:
            self._read_old()
            return
        while (got := self.read_until("RZE", START_S)) and got[-1][0] == "R":
            if got[-1][1] == struct.pack(">i", 3):
                self.send(message(b"p", cstring(password)))

    def ask_ssl(self) -> None:
        """SSLRequest, and the handshake where it is accepted."""
        self._ask(_SSL)
        if self.first_bytes.endswith(b"S"):
            self._handshake()

    def ask_gss(self) -> None:
        self._ask(_GSS)

    def cancel(self, other: Client) -> None:
        """A CancelRequest with another connection's key, in the clear as psql sends it."""
        sock = self._door.connect()
        with sock:
            sock.sendall(struct.pack(">ii", 8 + len(other.key), _CANCEL) + other.key)

    def read_until(self, kinds: str, limit_s: float = STEP_S, max_bytes: int = 0) -> list[Message]:
        """Messages up to one of these kinds, the end, or the limit; no kinds means until it is quiet."""
        got: list[Message] = []
        size = 0
        deadline = time.monotonic() + limit_s
        while (found := self._next(limit_s if not kinds else deadline - time.monotonic())) is not None:
            got.append(found)
            size += len(found[1])
            if found[0] in kinds or (max_bytes and size > max_bytes):
                break
        return got

    def close(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.sendall(message(b"X"))
            self._sock.close()

    # -- inside

    def _open(self) -> socket.socket:
        if self._sock is None:
            self._sock = self._door.connect()
        return self._sock

    def _ask(self, code: int) -> None:
        sock = self._open()
        sock.sendall(struct.pack(">ii", 8, code))
        sock.settimeout(3)
        self.first_bytes += sock.recv(1)

    def _secure(self) -> None:
        if not self._is_secure:
            self.ask_ssl()

    def _handshake(self) -> None:
        assert self._door.tls is not None and self._sock is not None
        self._sock.settimeout(STEP_S)
        self._sock = self._door.tls.wrap_socket(self._sock, server_hostname="localhost")
        self._is_secure = True

    def _next(self, limit_s: float) -> Message | None:
        """The next message; None after the limit and at the end of the connection."""
        while (size := self._size()) is None or len(self._buffer) < size:
            sock = self._open()
            sock.settimeout(max(limit_s, 0.001))
            try:
                data = sock.recv(1 << 20)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        found = (self._buffer[:1].decode("latin1"), self._buffer[5:size])
        self._buffer = self._buffer[size:]
        self.messages.append(found)
        if found[0] == "K":
            self.key = found[1]
        return found

    def _read_old(self) -> None:
        """Before protocol 3 an error is an E and a text, without a length."""
        sock = self._open()
        sock.settimeout(STEP_S)
        while data := sock.recv(1 << 16):
            self._buffer += data
        if self._buffer:
            self.messages.append((self._buffer[:1].decode("latin1"), self._buffer[1:]))

    def _size(self) -> int | None:
        if len(self._buffer) < 5:
            return None
        return 1 + int(struct.unpack(">I", self._buffer[1:5])[0])
