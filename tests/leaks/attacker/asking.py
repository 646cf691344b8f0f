"""Asks, counts every statement that is sent, and keeps all that can be seen of the answer.

Law: a statement counts whatever is answered, in every session; only a rehearsal on the attacker's own rows is free,
for that can be done elsewhere.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.leaks.client import Client, Message, encode, message

PATIENCE_S = 30.0
_ACTUAL = re.compile(
    r"never executed|actual rows=[\d.]+ loops=\d+|Removed by [\w ]+\"?: \d+|Actual (?:Rows|Loops)\": [\d.]+"
)


class How(StrEnum):
    """How a statement is sent."""

    SIMPLE = "simple"
    EXTENDED = "extended"
    BINARY = "binary"
    ONE_ROW = "one row"
    """Execute with a limit of one row: whether there are more is told by PortalSuspended."""


@dataclass(frozen=True, slots=True)
class Say:
    """One text for one session."""

    text: str
    session: str = "a"
    how: How = How.SIMPLE
    parameters: tuple[str, ...] = ()

    @property
    def statements(self) -> int:
        """How many statements the text holds."""
        return max(1, len([each for each in self.text.split(";") if each.strip()]))

    def encoded(self) -> bytes:
        if self.how is How.SIMPLE:
            return encode({"query": self.text})
        if self.how is not How.ONE_ROW:
            step = {"extended": self.text, "params": list(self.parameters)}
            return encode({**step, "result_format": int(self.how is How.BINARY)})
        steps = (
            {"parse": ["", self.text, []]},
            {"bind": ["", "", list(self.parameters), [0]]},
            {"execute": ["", 1]},
            {"sync": 1},
        )
        return b"".join(encode(step) for step in steps)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, statement by statement."""

    replies: tuple[tuple[Message, ...], ...]
    seconds: tuple[float, ...]

    @property
    def rows(self) -> list[tuple[str | None, ...]]:
        """The rows of the last statement that gave any, as text."""
        for reply in reversed(self.replies):
            if found := [_columns(payload) for kind, payload in reply if kind == "D"]:
                return found
        return []

    @property
    def whole(self) -> Hashable:
        """Every byte, but for what identifies the session."""
        return tuple(tuple(map(_without_names, reply)) for reply in self.replies)

    @property
    def shape(self) -> Hashable:
        """Kinds of messages, which columns are NULL, tags, and what kind of error."""
        return tuple(tuple(map(_shape, reply)) for reply in self.replies)

    @property
    def numbers(self) -> Hashable:
        """What a plan says of rows that came, in order."""
        cells = " ".join(cell or "" for row in self.rows for cell in row)
        return tuple(_ACTUAL.findall(cells))

    def only(self, at: int) -> Answer:
        """One of the replies by itself; nothing where there were not so many."""
        return Answer(self.replies[at : at + 1], self.seconds[at : at + 1])


class Asker:
    """The attacker's sessions."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._clients: dict[str, Client] = {}
        self.used = 0
        """Statements that count."""
        self._is_rehearsing = False

    @contextlib.contextmanager
    def rehearsing(self) -> Iterator[None]:
        """What is asked meanwhile is not counted."""
        self._is_rehearsing, before = True, self._is_rehearsing
        try:
            yield
        finally:
            self._is_rehearsing = before

    def ask(self, says: Sequence[Say]) -> Answer:
        replies, seconds = [], []
        for say in says:
            began = time.perf_counter()
            replies.append(self._say(say))
            seconds.append(time.perf_counter() - began)
        for session in {say.session for say in says}:
            self._leave_block(session, replies)
        return Answer(tuple(replies), tuple(seconds))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _say(self, say: Say) -> tuple[Message, ...]:
        self._count(say.statements)
        try:
            client = self._client(say.session)
            client.messages.clear()
            client.send(say.encoded())
            got = client.read_until("ZG", PATIENCE_S)
            if got and got[-1][0] == "G":
                client.send(message(b"f", b"no data\0"))
                got += client.read_until("Z", PATIENCE_S)
        except OSError:
            got = []
        if not got or got[-1][0] != "Z":
            self._drop(say.session)
            return (*got, ("closed", b""))
        return tuple(got)

    def _leave_block(self, session: str, replies: list[tuple[Message, ...]]) -> None:
        """No attempt leaves a transaction behind."""
        client = self._clients.get(session)
        if client is not None and client.messages and client.messages[-1][1] in (b"T", b"E"):
            replies.append(self._say(Say("ROLLBACK", session)))

    def _client(self, session: str) -> Client:
        if session not in self._clients:
            client = self._connect()
            client.start()
            self._clients[session] = client
        return self._clients[session]

    def _drop(self, session: str) -> None:
        if (client := self._clients.pop(session, None)) is not None:
            client.close()

    def _count(self, statements: int) -> None:
        if not self._is_rehearsing:
            self.used += statements


def _columns(payload: bytes) -> tuple[str | None, ...]:
    count, at = int.from_bytes(payload[:2], "big"), 2
    found: list[str | None] = []
    for _ in range(count):
        size = int.from_bytes(payload[at : at + 4], "big", signed=True)
        at += 4
        found.append(None if size < 0 else payload[at : at + size].decode("utf-8", "replace"))
        at += max(size, 0)
    return tuple(found)


def _fields(payload: bytes) -> dict[str, str]:
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}


def _without_names(message: Message) -> Hashable:
    kind, payload = message
    if kind in "EN":
        return kind, tuple(
            sorted((name, text) for name, text in _fields(payload).items() if name not in "LFR")
        )
    return message


def _shape(message: Message) -> Hashable:
    kind, payload = message
    if kind == "D":
        return kind, tuple(value is None for value in _columns(payload))
    if kind in "EN":
        fields = _fields(payload)
        return kind, fields.get("C"), fields.get("P")
    return message if kind in "CZs" else kind
