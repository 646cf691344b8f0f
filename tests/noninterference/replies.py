"""Two replies to the same script, as far as they may be compared, and what came back in them.

Law: besides what the leak corpus explains (keys, system columns, session ids, what no two runs repeat), only the OIDs
and the schema number of temporary objects are taken out: the server gives them anew in each session.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.leaks import twins
from tests.leaks.client import Message
from tests.leaks.needles import cells_of

MASK = b"***"
_REFUSAL = b"\0CNW"
"""Our own class of SQLSTATE."""
_TEMPORARY_SCHEMA = re.compile(rb"\bpg_(toast_)?temp_\d+")

_FIELD = struct.Struct(">IhIhih")
"""A field of a RowDescription after its name: table, attribute, type, size, modifier, format."""
_NEWER = 0xFFFF0000

Replies = Sequence[Sequence[Message]]
"""What each turn was answered."""


@dataclass(frozen=True, slots=True)
class Told:
    """A difference that no explanation covers."""

    turn: int
    one: str
    other: str


def told(
    one: Replies,
    other: Replies,
    names: tuple[str, str],
    newest: int,
    again: Callable[[], Replies] | None = None,
) -> Told | None:
    """The first turn that tells the twins apart."""
    left, right = _flat(one, names[0], newest), _flat(other, names[1], newest)
    if left == right:
        return None
    repeated = _flat(again(), names[0], newest) if again else left
    for at, (a, b) in enumerate(zip(left, right, strict=True)):
        if twins.compare(a, b, lambda at=at: repeated[at]) is not None:  # type: ignore[misc]
            return Told(at, shown(one[at]), shown(other[at]))
    return None


def _flat(replies: Replies, database: str, newest: int) -> list[twins.Flat]:
    seen: dict[int, int] = {}
    return [
        twins.flatten((_without_oids(each, seen, newest) for each in reply), database) for reply in replies
    ]


def _without_oids(message: Message, seen: dict[int, int], newest: int) -> Message:
    """OIDs that are newer than the schema become the numbers of their first appearance."""
    kind, payload = message
    if kind != "T":
        return kind, _TEMPORARY_SCHEMA.sub(b"pg_temp", payload)
    done, at = payload[:2], 2
    while at < len(payload):
        end = payload.index(b"\0", at) + 1
        table, attnum, type_, size, modifier, format_ = _FIELD.unpack_from(payload, end)
        table, type_ = (
            oid if oid <= newest else _NEWER + seen.setdefault(oid, len(seen)) for oid in (table, type_)
        )
        done += payload[at:end] + _FIELD.pack(table, attnum, type_, size, modifier, format_)
        at = end + _FIELD.size
    return kind, done


def shown(reply: Iterable[Message]) -> str:
    return "\n".join(f"    {kind} {_readable(kind, payload)}" for kind, payload in reply)


def _readable(kind: str, payload: bytes) -> str:
    if kind == "D":
        return " | ".join(
            "NULL" if cell is None else cell.decode("utf-8", "backslashreplace") for cell in cells_of(payload)
        )
    return payload.decode("utf-8", "backslashreplace").replace("\0", " ")


@dataclass
class Tally:
    """What the statements of many scripts were answered."""

    statements: int = 0
    answered: int = 0
    """With rows, or with the copy of rows, and without an error."""
    masked: int = 0
    """Of those, where the constant mask stands among what came."""
    refused: int = 0
    failed: int = 0
    """Errors of the target's own."""

    def add(self, reply: Iterable[Message]) -> None:
        messages = list(reply)
        errors = [payload for kind, payload in messages if kind == "E"]
        rows = [payload for kind, payload in messages if kind in "Dd"]
        is_refused = any(_REFUSAL in payload for payload in errors)
        self.statements += 1
        self.refused += is_refused
        self.failed += bool(errors) and not is_refused
        self.answered += bool(rows) and not errors
        self.masked += not errors and any(MASK in payload for payload in rows)
