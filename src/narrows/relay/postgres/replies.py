"""What the target still owes: one entry for each message sent, in order, and what may answer it.

Laws: the target answers in the order it was asked, so only the first entry is ever answered; an answer that
the table does not have for it is a breach of protocol; an error answers the first entry and, in the extended
protocol, skips every other up to the next Sync.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from narrows.model.refusal import Refusal
from narrows.relay.postgres.names import Change, Portal, Prepared
from narrows.relay.postgres.runs import Run
from narrows.wire.errors import ProtocolError


class Want(Enum):
    """Which message an answer is owed to."""

    __hash__ = object.__hash__  # Enum hashes by name, in Python: too slow for each message

    QUERY = "Query"
    PARSE = "Parse"
    BIND = "Bind"
    DESCRIBE_STATEMENT = "Describe statement"
    DESCRIBE_PORTAL = "Describe portal"
    EXECUTE = "Execute"
    CLOSE = "Close"
    SYNC = "Sync"


class Step(Enum):
    """What an answer means."""

    __hash__ = object.__hash__  # Enum hashes by name, in Python: too slow for each message

    CONFIRMED = "the name holds from here"
    PARAMETERS = "the types of the parameters"
    DESCRIBED = "the fields of what was described"
    NO_FIELDS = "what was described returns no rows"
    ROWS_FOLLOW = "the fields of the rows that follow"
    COPY_IN = "the client is to send"
    COPY_OUT = "the target is to send"
    COPY_ENDS = "the target has sent everything"
    COMPLETE = "one statement succeeded"
    SUSPENDED = "the row limit was reached"
    EMPTY = "there was no statement"
    READY = "the transaction's status"


_RESULT = {
    b"G": Step.COPY_IN,
    b"H": Step.COPY_OUT,
    b"c": Step.COPY_ENDS,
    b"C": Step.COMPLETE,
    b"I": Step.EMPTY,
}

ANSWERS: dict[Want, dict[bytes, Step]] = {
    Want.QUERY: {**_RESULT, b"T": Step.ROWS_FOLLOW, b"Z": Step.READY},
    Want.PARSE: {b"1": Step.CONFIRMED},
    Want.BIND: {b"2": Step.CONFIRMED},
    Want.CLOSE: {b"3": Step.CONFIRMED},
    Want.DESCRIBE_STATEMENT: {b"t": Step.PARAMETERS, b"T": Step.DESCRIBED, b"n": Step.NO_FIELDS},
    Want.DESCRIBE_PORTAL: {b"T": Step.DESCRIBED, b"n": Step.NO_FIELDS},
    Want.EXECUTE: {**_RESULT, b"s": Step.SUSPENDED},
    Want.SYNC: {b"Z": Step.READY},
}

ENDS_A_SERIES = frozenset({Want.QUERY, Want.SYNC})
"""Answered by ReadyForQuery, so an error does not remove them."""


@dataclass(slots=True, eq=False)
class Expected:
    """One message that the target has not fully answered."""

    want: Want
    run: Run | None = None
    change: Change[Any] | None = None
    """The name that a Parse, Bind or Close changes."""
    prepared: Prepared | None = None
    portal: Portal | None = None
    refusal: Refusal | None = None
    """What the error of this entry is told as: it stands for a refused statement, or its COPY was cut."""
    shows: str | None = None
    """The setting that a SHOW of ours asks for."""
    is_ours: bool = False
    """The client did not send it and must not see its answer."""
    has_failed: bool = False
    unspent: tuple[Run, ...] = ()
    """Runs of this series that were settled at Bind and never executed; they end with it."""

    @property
    def describes_query(self) -> bool:
        """It tells the result of a Query that waits for it: `run` is that Query's."""
        return self.is_ours and self.run is not None

    @property
    def is_probe(self) -> bool:
        """It is about no statement of the client's."""
        return self.is_ours and self.run is None and self.portal is None


class Replies:
    """The entries in order."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[Expected] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Expected]:
        return iter(self._entries)

    @property
    def head(self) -> Expected | None:
        return self._entries[0] if self._entries else None

    def add(self, entry: Expected) -> None:
        self._entries.append(entry)

    def pop(self) -> Expected:
        return self._entries.popleft()

    def skip_series(self) -> tuple[list[Expected], bool]:
        """Remove what an error in the extended protocol skips: everything before the next Sync.

        Also says whether that Sync was sent; if not, the client's next messages are skipped too.
        """
        skipped: list[Expected] = []
        while self._entries:
            if self._entries[0].want is Want.SYNC:
                return skipped, True
            skipped.append(self._entries.popleft())
        return skipped, False


def step(entry: Expected | None, kind: bytes) -> Step:
    """What this kind of answer means for the first entry."""
    found = ANSWERS[entry.want].get(kind) if entry else None
    if found is None or (entry and entry.has_failed and kind != b"Z"):
        expected = f"an answer to {entry.want.value}" if entry else "nothing"
        name = kind.decode("ascii", "replace")
        raise ProtocolError("upstream", f"message of kind {name!r} where {expected} was expected")
    return found
