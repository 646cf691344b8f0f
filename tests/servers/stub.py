"""A PostgreSQL that lets everybody in and knows an empty schema: thousands of idle sessions for little memory.

It answers a simple Query with no rows, the gateway's own reading of the schema with an empty one, and the extended
protocol with empty results. In the test's loop: `async with stub.started() as server`; in a process of its own:
`with stub.process() as server`, or `python -m tests.servers.stub PORT`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message
from narrows.wire.postgres.startup import CancelRequest, GssRequest, SslRequest, Startup, StartupReader
from tests.servers import processes
from tests.servers.fetch import PROJECT

_PARAMETERS = {
    "server_version": "15.0 (stub)",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "in_hot_standby": "off",
    "is_superuser": "off",
}


def field_named(name: str) -> backend.Field:
    """A column of type text that belongs to no table."""
    return backend.Field(name, 0, 0, 25, -1, -1, 0)


def result(rows: list[tuple[str | None, ...]], width: int = 1) -> bytes:
    """RowDescription, rows and CommandComplete of a SELECT."""
    columns = tuple(field_named(f"c{number}") for number in range(len(rows[0]) if rows else width))
    data = [backend.DataRow(tuple(None if text is None else text.encode() for text in row)) for row in rows]
    messages: list[backend.BackendMessage] = [backend.RowDescription(columns), *data]
    messages.append(backend.CommandComplete(f"SELECT {len(rows)}"))
    return b"".join(backend.build(message) for message in messages)


def answer(text: str) -> bytes:
    """What an empty database says to each statement of a text."""
    return b"".join(_answer_one(part.strip()) for part in text.split(";\n"))


def _answer_one(text: str) -> bytes:
    if not text.lower().startswith("select"):
        word = text.split(maxsplit=1)[0].upper() if text else ""
        return backend.build(backend.CommandComplete(word) if word else backend.EmptyQueryResponse())
    if "hash_record_extended" in text:
        return result([("0",) * 6])
    if "server_version_num" in text:
        return result([("150000", "stub", '"$user", public')])
    return result([])


@dataclass
class Stub:
    """A running stub, with what it saw."""

    port: int
    answer: Callable[[str], bytes] = answer
    """What is said to a simple Query, before ReadyForQuery."""
    texts: list[str] = field(default_factory=list)
    cancels: list[tuple[int, bytes]] = field(default_factory=list)
    open: int = 0
    startups: list[Startup] = field(default_factory=list)


class _Session(asyncio.Protocol):
    def __init__(self, stub: Stub, number: int) -> None:
        self._stub = stub
        self._number = number
        self._startup: StartupReader | None = StartupReader()
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._stub.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._stub.open -= 1

    def data_received(self, data: bytes) -> None:
        if self._startup is not None:
            self._startup.receive(data)
            while self._startup is not None and (packet := self._startup.next()) is not None:
                self._on_startup(packet)
            return
        self._buffer += data
        while len(self._buffer) >= 5:
            size = int.from_bytes(self._buffer[1:5], "big") + 1
            if len(self._buffer) < size:
                return
            message = Message(bytes(self._buffer[:1]), bytes(self._buffer[5:size]))
            del self._buffer[:size]
            self._on_message(message)

    def _on_startup(self, packet: object) -> None:
        match packet:
            case SslRequest() | GssRequest():
                self._transport.write(b"N")
            case CancelRequest(pid, key):
                self._stub.cancels.append((pid, key))
                self._transport.close()
            case Startup():
                self._stub.startups.append(packet)
                self._startup = None
                self._greet()
            case _:
                self._transport.close()

    def _greet(self) -> None:
        messages: list[backend.BackendMessage] = [
            backend.AuthenticationOk(),
            *(backend.ParameterStatus(name, value) for name, value in _PARAMETERS.items()),
            backend.BackendKeyData(self._number, b"stub"),
            backend.ReadyForQuery("I"),
        ]
        self._transport.write(b"".join(backend.build(message) for message in messages))

    def _on_message(self, message: Message) -> None:
        if message.kind == b"X":
            self._transport.close()
        elif message.kind == b"Q":
            text = frontend.parse_query(message.payload).text
            self._stub.texts.append(text)
            self._transport.write(self._stub.answer(text) + backend.build(backend.ReadyForQuery("I")))
        elif message.kind in _EXTENDED:
            self._transport.write(backend.build(_EXTENDED[message.kind]))


_EXTENDED: dict[bytes, backend.BackendMessage] = {
    b"P": backend.ParseComplete(),
    b"B": backend.BindComplete(),
    b"D": backend.NoData(),
    b"E": backend.CommandComplete("SELECT 0"),
    b"C": backend.CloseComplete(),
    b"S": backend.ReadyForQuery("I"),
}


@contextlib.asynccontextmanager
async def started(port: int = 0) -> AsyncIterator[Stub]:
    """A stub in this loop."""
    stub = Stub(port)
    numbers = iter(range(1, 2**31))
    server = await asyncio.get_running_loop().create_server(
        lambda: _Session(stub, next(numbers)), "127.0.0.1", port, backlog=1024
    )
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()


@contextlib.contextmanager
def process() -> Iterator[Stub]:
    """A stub in a process of its own; only its port is known here."""
    directory = processes.scratch_directory("stub")
    port = processes.free_port()
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": f"{PROJECT}/src:{PROJECT}"}
    command = [sys.executable, "-m", "tests.servers.stub", str(port)]
    running = processes.start(command, directory / "output", environment=environment)
    try:
        running.wait_until(lambda: processes.accepts(port), "the stub")
        yield Stub(port)
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


async def _serve(port: int) -> None:
    async with started(port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    _, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_serve(int(sys.argv[1])))
