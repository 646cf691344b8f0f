"""Statements of our own on a connection of our own: one simple Query at a time, rows as they arrive.

Laws: a text is announced (journalled) before it is sent; one deadline covers each; after a failure the connection
is closed, so that no half-done transaction stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from narrows.model.secret import Secret
from narrows.model.target import Target
from narrows.relay.postgres.upstream import Frames
from narrows.runtime.conduit import Conduit
from narrows.runtime.upstream import DEADLINES, Deadlines, Upstream, open_upstream
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024

Announce = Callable[[str, str], Awaitable[None]]
"""(text, purpose): journals a statement of ours; what it raises keeps the statement from being sent."""

OnRow = Callable[[int, bytes], None]
"""(which of the text's results, counted from 0; the payload of a DataRow)."""

_IGNORED = frozenset({b"C", b"I", b"N", b"S", b"A"})
"""CommandComplete, EmptyQueryResponse, NoticeResponse, ParameterStatus, NotificationResponse."""


PARAMETERS = {"application_name": "narrows facts", "client_encoding": "UTF8", "DateStyle": "ISO"}
"""Start-up parameters of a connection for statements of our own."""


class QueryFailed(Exception):
    """A statement of ours failed at the target; the message is the target's and for the operator only."""

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(f"{sqlstate} {message}".strip())
        self.sqlstate = sqlstate


class Queries:
    """Our own use of an upstream connection."""

    def __init__(self, upstream: Upstream, announce: Announce) -> None:
        self.upstream = upstream
        self._announce = announce
        self._frames = Frames(MESSAGE_LIMIT_BYTES)
        self._on_row: OnRow = _ignore
        self._result = -1
        self._error: QueryFailed | None = None
        self._done: asyncio.Future[None] | None = None
        upstream.conduit.give_to(self)
        upstream.conduit.want(True)

    @property
    def is_usable(self) -> bool:
        return not self.upstream.conduit.is_closed and self._error is None

    async def run(self, text: str, purpose: str, on_row: OnRow, limit_s: float) -> None:
        """Run one text to its end; raises QueryFailed, TimeoutError, and what `announce` raises."""
        assert self._done is None, "one at a time"
        await self._announce(text, purpose)
        if not self.is_usable:
            raise QueryFailed("the connection is closed")
        self._on_row, self._result = on_row, -1
        self._done = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                self.upstream.conduit.write(frontend.build(frontend.Query(text)))
                await self._done
        except BaseException:
            self._error = self._error or QueryFailed("a statement was abandoned")
            self.upstream.conduit.abort()
            raise
        finally:
            self._done, self._on_row = None, _ignore

    async def rows(self, text: str, purpose: str, limit_s: float) -> list[tuple[str | None, ...]]:
        """Every row of every result, as text."""
        found: list[tuple[str | None, ...]] = []
        await self.run(text, purpose, lambda _, payload: found.append(read_row(payload)), limit_s)
        return found

    def close(self) -> None:
        """Say goodbye and close."""
        self.upstream.conduit.write(frontend.build(frontend.Terminate()))
        self.upstream.conduit.close()

    # -- the conduit's owner

    def on_bytes(self, conduit: Conduit, data: bytes) -> None:  # noqa: ARG002
        try:
            self._frames.receive(data)
            while (message := self._frames.next()) is not None:
                self._on_message(message)
        except Exception as error:
            self._finish(error)

    def on_end(self, conduit: Conduit, error: Exception | None) -> None:  # noqa: ARG002
        self._finish(QueryFailed("the target closed the connection"))

    def on_writable(self, conduit: Conduit, is_writable: bool) -> None:
        """Texts are small."""

    def _on_message(self, message: Message) -> None:
        if message.kind == b"D":
            self._on_row(self._result, message.payload)
        elif message.kind == b"T":
            self._result += 1
        elif message.kind == b"E":
            fields = backend.parse_error_response(message.payload).fields
            self._error = QueryFailed(fields.get("M", "")[:500], fields.get("C", ""))
        elif message.kind == b"Z":
            self._finish(self._error)
        elif message.kind not in _IGNORED:
            raise ProtocolError("upstream", "a message that no statement of ours asks for")

    def _finish(self, error: Exception | None) -> None:
        if error is not None and self._error is None:
            self._error = error if isinstance(error, QueryFailed) else QueryFailed(str(error))
        if self._done is not None and not self._done.done():
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(self._error or error)


async def open_queries(
    target: Target, password: Secret, announce: Announce, deadlines: Deadlines = DEADLINES
) -> Queries:
    """Sign in for statements of our own; raises UpstreamUnavailable."""
    return Queries(await open_upstream(target, password, PARAMETERS, deadlines), announce)


def read_row(payload: bytes) -> tuple[str | None, ...]:
    """The values of a DataRow as text."""
    values = backend.parse_data_row(payload).values
    return tuple([None if value is None else value.decode("utf-8", "surrogateescape") for value in values])


def _ignore(_result: int, _payload: bytes) -> None:
    """Rows that nobody waits for."""
