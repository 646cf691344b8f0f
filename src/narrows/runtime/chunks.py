"""Owner of a conduit while a conversation is linear: one chunk at a time, nothing read ahead."""

from __future__ import annotations

import asyncio

from narrows.runtime.conduit import Conduit


class Chunks:
    """`await read()` gives what arrived next; empty at the end."""

    def __init__(self, conduit: Conduit) -> None:
        self._conduit = conduit
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        conduit.want(False)
        conduit.give_to(self)

    def on_bytes(self, conduit: Conduit, data: bytes) -> None:
        conduit.want(False)
        self._chunks.put_nowait(data)

    def on_end(self, conduit: Conduit, error: Exception | None) -> None:  # noqa: ARG002
        self._chunks.put_nowait(None)

    def on_writable(self, conduit: Conduit, is_writable: bool) -> None:
        """Nothing said here fills a buffer."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        if self._chunks.empty():
            self._conduit.want(True)
        return await self._chunks.get() or b""

    def unread(self) -> bytes:
        """What arrived and was not read."""
        parts = []
        while not self._chunks.empty():
            parts.append(self._chunks.get_nowait() or b"")
        return b"".join(parts)
