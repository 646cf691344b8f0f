"""A client of raw messages through TLS, which keeps every byte that it was sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message
from narrows.wire.postgres.startup import Startup, build_ssl_request, build_startup

SYNC = frontend.Sync()
LIMIT_S = 30


def extended(text: str, *values: bytes | None) -> list[frontend.FrontendMessage]:
    """Parse, Bind and Execute through the unnamed ones, without a Sync."""
    return [frontend.Parse("", text), frontend.Bind("", "", (), values, ()), frontend.Execute("", 0)]


@dataclass
class Raw:
    """One connection; `taken` is every byte that came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    taken: bytearray = field(default_factory=bytearray)

    @classmethod
    async def plain(cls, port: int) -> Raw:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**26))

    @classmethod
    async def secure(cls, port: int, ca: Path) -> Raw:
        """After SSLRequest and the handshake."""
        plain = socket.create_connection(("127.0.0.1", port))
        plain.sendall(build_ssl_request())
        assert plain.recv(1) == b"S"
        plain.setblocking(False)
        context = ssl.create_default_context(cafile=str(ca))
        return cls(
            *await asyncio.open_connection(sock=plain, ssl=context, server_hostname="localhost", limit=2**26)
        )

    async def sign_in(
        self, user: str, database: str, password: str, minor: int = 0, **more: str
    ) -> list[Message]:
        """Through to the first ReadyForQuery, or to the end."""
        self.write(build_startup(Startup(3, minor, {"user": user, "database": database, **more})))
        found = await self.until(b"RE")
        if found[-1].kind == b"R":
            self.send(frontend.PasswordMessage(password))
            found += await self.until(b"ZE")
        return found

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def send(self, *messages: frontend.FrontendMessage | frontend.PasswordMessage) -> None:
        self.write(b"".join(frontend.build(message) for message in messages))

    async def message(self) -> Message:
        head = await asyncio.wait_for(self.reader.readexactly(5), LIMIT_S)
        kind, size = struct.unpack("!cI", head)
        payload = await asyncio.wait_for(self.reader.readexactly(size - 4), LIMIT_S)
        self.taken += head + payload
        return Message(kind, payload)

    async def until(self, kinds: bytes, times: int = 1) -> list[Message]:
        """Every message up to one of these kinds, so many times; or up to the end."""
        found: list[Message] = []
        while times:
            try:
                found.append(await self.message())
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            times -= found[-1].kind in kinds
        return found

    async def ask(self, *messages: frontend.FrontendMessage) -> list[Message]:
        self.send(*messages)
        return await self.until(b"Z")

    async def rest(self) -> bytes:
        """What comes until the other side closes."""
        try:
            data = await asyncio.wait_for(self.reader.read(), LIMIT_S)
        except ConnectionError:
            data = b""
        self.taken += data
        return data

    def close(self) -> None:
        self.writer.close()


def query(text: str) -> frontend.Query:
    return frontend.Query(text)


def errors(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [dict(backend.parse_error_response(m.payload).fields) for m in messages if m.kind == b"E"]


def values(messages: Iterable[Message]) -> list[tuple[bytes | None, ...]]:
    return [backend.parse_data_row(m.payload).values for m in messages if m.kind == b"D"]


def error_in(data: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse that stands at the start of these bytes."""
    assert data[:1] == b"E", data[:80]
    return dict(backend.parse_error_response(data[5 : 1 + int.from_bytes(data[1:5], "big")]).fields)
