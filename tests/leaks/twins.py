"""Whether two replies tell two databases apart that differ only in what is labelled.

Laws: whatever two runs on the *same* data do not repeat (times, random numbers, transaction ids) is noise and
proves nothing; so are system columns (xmin, ctid), which tell how a row was stored; names and ids that the harness
and the gateway chose (the database, the session) are taken out; everything else counts: values, NULLs, the number
and order of rows, tags, errors field by field, notices, parameters, notifications, lengths.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.leaks.client import Message
from tests.leaks.needles import cells_of

_SILENT = "RKZ"
_SESSION = re.compile(rb"\bs-[0-9a-f]{16}\b")

Parts = tuple[bytes | None, ...]
Flat = list[tuple[str, Parts]]
"""A reply as kinds and comparable parts."""


Place = tuple[int, int]
"""(message, part)"""
TRIES = 4


@dataclass(frozen=True, slots=True)
class Difference:
    """How two replies differ."""

    is_selection: bool
    """Only in which rows came and in what order: what a condition on labelled columns can do."""
    sample: str


def flatten(messages: Iterable[Message], database: str) -> Flat:
    """A reply with its own names taken out."""
    flat: Flat = []
    system: frozenset[int] = frozenset()
    copied: list[bytes] = []
    for kind, payload in messages:
        payload = _SESSION.sub(b"s-", payload.replace(database.encode(), b"leak_case"))
        if kind == "T":
            system = _system_columns(payload)
        if kind == "d":
            copied.append(payload)
            continue
        if copied:
            flat += _copied(copied)
            copied = []
        if kind not in _SILENT:
            flat.append((kind, _parts(kind, payload, system)))
    return flat + (_copied(copied) if copied else [])


def compare(one: Flat, other: Flat, again: Callable[[], Flat] | None = None) -> Difference | None:
    """How `other` (the twin) differs from `one`; `again` runs once more on the data of `one`.

    One run more does not show all noise, since a time may be measured twice the same by chance.
    """
    noise = set[Place]()
    for _ in range(TRIES):
        if _without(one, noise) == _without(other, noise):
            return None
        repeated = again() if again else one
        if _shape(repeated) != _shape(one):
            return None  # not even its shape repeats: nothing can be said
        noise |= _noise(one, repeated)
        if not noise:
            break
    one, other = _without(one, noise), _without(other, noise)
    return None if one == other else Difference(_is_selection(one, other), _sample(one, other))


def _parts(kind: str, payload: bytes, system: frozenset[int]) -> Parts:
    if kind == "D":
        return tuple(b"<system>" if place in system else cell for place, cell in enumerate(cells_of(payload)))
    if kind in "ENS":
        return tuple(payload.split(b"\0"))
    return (payload,)


def _copied(chunks: Sequence[bytes]) -> Flat:
    """COPY's rows: lines where they are text, else the whole."""
    data = b"".join(chunks)
    if data.startswith(b"PGCOPY\n"):
        return [("d", (data,))]
    return [("d", (line,)) for line in data.split(b"\n")]


def _system_columns(payload: bytes) -> frozenset[int]:
    """Places of columns with a negative number in their table."""
    (count,) = struct.unpack_from(">h", payload)
    at, found = 2, set()
    for place in range(count):
        at = payload.index(b"\0", at) + 1
        oid, attnum = struct.unpack_from(">Ih", payload, at)
        if oid and attnum < 0:
            found.add(place)
        at += 18
    return frozenset(found)


def _shape(flat: Flat) -> list[tuple[str, int]]:
    return [(kind, len(parts)) for kind, parts in flat]


def _noise(one: Flat, again: Flat) -> set[Place]:
    return {
        (at, place)
        for at, ((_, first), (_, second)) in enumerate(zip(one, again, strict=True))
        for place, (a, b) in enumerate(zip(first, second, strict=True))
        if a != b
    }


def _without(flat: Flat, noise: set[Place]) -> Flat:
    return [
        (kind, tuple(b"<noise>" if (at, place) in noise else part for place, part in enumerate(parts)))
        for at, (kind, parts) in enumerate(flat)
    ]


def _is_selection(one: Flat, other: Flat) -> bool:
    rest = [[entry for entry in flat if entry[0] not in "DdC"] for flat in (one, other)]
    tags = [[parts[0] for kind, parts in flat if kind == "C"] for flat in (one, other)]
    words = [[re.sub(rb"\d+", b"", tag or b"") for tag in each] for each in tags]
    return rest[0] == rest[1] and words[0] == words[1]


def _sample(one: Flat, other: Flat) -> str:
    """The first place where they part, short enough for a line."""
    for a, b in zip(one, other, strict=False):
        if a != b:
            return f"{_short(a)} | {_short(b)}"
    longer, more = (one, other) if len(one) > len(other) else (other, one)
    return f"{len(one)} | {len(other)} messages, {_short(longer[len(more)])}"


def _short(entry: tuple[str, Parts]) -> str:
    kind, parts = entry
    shown = [
        "NULL" if part is None else part.decode("utf-8", "backslashreplace") for part in parts if part != b""
    ]
    return f"{kind} {', '.join(shown)}"[:120]
