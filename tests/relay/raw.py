"""A client that says exactly the messages it is given and shows every answer."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message
from narrows.wire.postgres.startup import Startup, build_startup

SYNC = frontend.Sync()
FLUSH = frontend.Flush()


def query(text: str) -> frontend.Query:
    return frontend.Query(text)


def parse(text: str, name: str = "") -> frontend.Parse:
    return frontend.Parse(name, text)


def bind(
    portal: str = "", statement: str = "", *values: bytes | None, formats: tuple[int, ...] = ()
) -> frontend.Bind:
    return frontend.Bind(portal, statement, (), values, formats)


def execute(portal: str = "", limit: int = 0) -> frontend.Execute:
    return frontend.Execute(portal, limit)


def extended(text: str, *values: bytes | None) -> list[frontend.FrontendMessage]:
    """Parse, Bind and Execute through the unnamed ones, without a Sync."""
    return [parse(text), bind("", "", *values), execute()]


def written(messages: Iterable[frontend.FrontendMessage]) -> bytes:
    return b"".join(frontend.build(message) for message in messages)


@dataclass
class RawClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connect(cls, port: int, user: str, database: str, **parameters: str) -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(build_startup(Startup(3, 0, {"user": user, "database": database, **parameters})))
        client = cls(reader, writer)
        await client.until_ready()
        return client

    def send(self, *messages: frontend.FrontendMessage) -> None:
        self.writer.write(written(messages))

    async def message(self) -> Message:
        head = await self.reader.readexactly(5)
        kind, size = struct.unpack("!cI", head)
        return Message(kind, await self.reader.readexactly(size - 4))

    async def until_ready(self, times: int = 1) -> list[Message]:
        """Every message up to the given ReadyForQuery, itself included."""
        found: list[Message] = []
        while times:
            found.append(await asyncio.wait_for(self.message(), 20))
            times -= found[-1].kind == b"Z"
        return found

    async def ask(self, *messages: frontend.FrontendMessage) -> list[Message]:
        self.send(*messages)
        return await self.until_ready()

    async def until_closed(self) -> list[Message]:
        found: list[Message] = []
        while True:
            try:
                found.append(await asyncio.wait_for(self.message(), 20))
            except (asyncio.IncompleteReadError, ConnectionError):
                return found

    def close(self) -> None:
        self.writer.close()


def kinds(messages: Iterable[Message]) -> str:
    """The kinds in order, such as `12TDCZ`."""
    return b"".join(message.kind for message in messages).decode()


def values(messages: Iterable[Message]) -> list[tuple[bytes | None, ...]]:
    return [backend.parse_data_row(message.payload).values for message in messages if message.kind == b"D"]


def errors(messages: Iterable[Message]) -> list[str]:
    """The SQLSTATEs of the errors."""
    return [
        backend.parse_error_response(message.payload).fields["C"]
        for message in messages
        if message.kind == b"E"
    ]


def statuses(messages: Iterable[Message]) -> str:
    return "".join(
        backend.parse_ready_for_query(message.payload).status for message in messages if message.kind == b"Z"
    )
