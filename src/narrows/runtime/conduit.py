"""One end of a wire: a transport with back-pressure and a byte budget, handed from owner to owner.

Laws: at most `BUDGET_BYTES` are handled per loop turn, so that one bulk result cannot starve the others;
an owner is called with bytes, with the end, and with nothing after the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

BUDGET_BYTES = 64 * 1024
"""Read per connection and loop turn; libuv would otherwise read one fast socket many times in a row."""

LINGER_S = 10.0
"""How long unsent bytes may delay a close."""

HIGH_WATER_BYTES = 256 * 1024
"""Unsent bytes at which the other side is no longer read."""

# Filled and emptied within one callback of the loop, so that every connection of a loop can share it.
_SHARED = bytearray(BUDGET_BYTES)
_VIEW = memoryview(_SHARED)


class Owner(Protocol):
    """Who is called with what arrives on a conduit."""

    def on_bytes(self, conduit: Conduit, data: bytes, /) -> None: ...

    def on_end(self, conduit: Conduit, _error: Exception | None, /) -> None: ...

    def on_writable(self, conduit: Conduit, is_writable: bool, /) -> None: ...


class Conduit(asyncio.BufferedProtocol):
    """A connection whose owner may change; without an owner it does not read."""

    def __init__(self, on_made: Callable[[Conduit], None] | None = None) -> None:
        self._transport: asyncio.Transport | None = None
        self._owner: Owner | None = None
        self._on_made = on_made
        self._used = 0
        self._is_spent = False
        self._reading = True
        self._wanted = True
        self._early: list[bytes] = []
        self._ended: tuple[Exception | None] | None = None
        self.closed = asyncio.get_running_loop().create_future()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        if self._on_made:
            self._on_made(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(_VIEW[:nbytes])
        self._used += nbytes
        if self._used >= BUDGET_BYTES:
            self._is_spent = True  # whatever the owner wants, the others have their turn first
            self._pause()
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._owner is None:
            self._early.append(data)
            self._pause()
        else:
            self._owner.on_bytes(self, data)

    def eof_received(self) -> bool:
        return False  # a half-closed peer is a closed one, in every protocol we speak here

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = (exc,)
        if not self.closed.done():
            self.closed.set_result(None)
        if self._owner is not None:
            self._owner.on_end(self, exc)

    def pause_writing(self) -> None:
        if self._owner is not None:
            self._owner.on_writable(self, False)

    def resume_writing(self) -> None:
        if self._owner is not None:
            self._owner.on_writable(self, True)

    # -- the owner's side

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def give_to(self, owner: Owner) -> None:
        """From now on `owner` is called, first with what arrived meanwhile."""
        self._owner = owner
        early, self._early = self._early, []
        for data in early:
            owner.on_bytes(self, data)
        if self._ended is not None:
            owner.on_end(self, self._ended[0])
        else:
            self.want(self._wanted)

    def release(self, unread: bytes = b"") -> None:
        """Nobody's for now: it is not read, and the next owner is given `unread` first."""
        self._owner = None
        self.want(False)
        if unread:
            self._early.insert(0, unread)

    def want(self, is_wanted: bool) -> None:
        """Whether to read on; what is already on its way may still arrive."""
        self._wanted = is_wanted
        if is_wanted:
            self._resume()
        else:
            self._pause()

    def write(self, data: bytes) -> None:
        if self._ended is None:
            self.transport.write(data)

    def close(self) -> None:
        """Flush, then close."""
        if self._ended is None:
            self.transport.close()

    def abort(self) -> None:
        """Close now, unsent bytes lost."""
        if self._ended is None:
            self.transport.abort()

    @property
    def is_closed(self) -> bool:
        return self._ended is not None

    def _pause(self) -> None:
        if self._reading and self._ended is None:
            self._reading = False
            self.transport.pause_reading()

    def _next_turn(self) -> None:
        self._used = 0
        self._is_spent = False
        self._resume()

    def _resume(self) -> None:
        if self._reading or self._is_spent or not self._wanted:
            return
        if self._owner is not None and self._ended is None:
            self._reading = True
            self.transport.resume_reading()
