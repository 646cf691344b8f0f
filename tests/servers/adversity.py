"""A proxy that stalls, cuts and dribbles, between anything and anything.

async with adversity.proxy("127.0.0.1", server.port) as way:
    way.to_client.chunk_bytes = 1        # dribble what the server says
    way.to_server.stall()                # nothing more reaches the server, until resume()
    way.to_client.cut_after(1000)        # close both ends after so many bytes more
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Direction:
    """One way through the proxy; what is set holds for every connection, also for those that are open."""

    chunk_bytes: int = 65536
    """At most so many bytes at a time, each in a turn of the loop of its own."""
    passed: int = 0
    _limit: int | None = None
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._flowing.set()

    def stall(self) -> None:
        """Hold everything back; connections stay open."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def cut_after(self, count: int) -> None:
        """Close the connection once so many bytes more have passed; 0 cuts before the next."""
        self._limit = self.passed + count

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass bytes on until the end or the cut."""
        while data := await source.read(self.chunk_bytes):
            await self._flowing.wait()
            allowed = data if self._limit is None else data[: max(0, self._limit - self.passed)]
            sink.write(allowed)
            self.passed += len(allowed)
            await sink.drain()
            if len(allowed) < len(data) or self.passed == self._limit:
                return
            await asyncio.sleep(0)


@dataclass
class Proxy:
    """A running proxy."""

    host: str
    target_port: int
    port: int = 0
    connections: int = 0
    to_client: Direction = field(default_factory=Direction)
    to_server: Direction = field(default_factory=Direction)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Close every connection now, without a word."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, onward = await asyncio.open_connection(self.host, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward}
        ways = [
            asyncio.create_task(self.to_server.carry(reader, onward)),
            asyncio.create_task(self.to_client.carry(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, onward):
                each.close()
            self._writers -= {writer, onward}


@contextlib.asynccontextmanager
async def proxy(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy to host and port, on a port of its own."""
    way = Proxy(host, port)
    server = await asyncio.start_server(way._serve, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        way.to_client.resume()
        way.to_server.resume()
        way.cut()
