"""The forms in which a value that must not appear is looked for, in every byte that the judged client got.

plain      the text as UTF-8, also across the messages that follow one another
hex:       these bytes                      pgnum:   this decimal as PostgreSQL's binary numeric
joined:    spread over cells: all of them put together, or those of one column
re:        a regular expression over the bytes
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.leaks.client import Message


@dataclass(frozen=True)
class Haystack:
    """What a client got, in the ways it is searched."""

    raw: bytes
    seamless: bytes
    cells: bytes
    columns: tuple[bytes, ...]


def cells_of(payload: bytes) -> list[bytes | None]:
    """The fields of a DataRow."""
    (count,) = struct.unpack_from(">h", payload)
    at, found = 2, list[bytes | None]()
    for _ in range(count):
        (length,) = struct.unpack_from(">i", payload, at)
        at += 4
        found.append(None if length < 0 else payload[at : at + length])
        at += max(length, 0)
    return found


def haystack(messages: Iterable[Message], first_bytes: bytes = b"") -> Haystack:
    """Everything but keys and the sign-in's own bytes, which are random."""
    raw: list[bytes] = [first_bytes]
    payloads: list[bytes] = []
    cells: list[bytes] = []
    columns: dict[int, list[bytes]] = {}
    for kind, payload in messages:
        if kind in "KR":
            continue
        raw.append(kind.encode("latin1") + payload)
        payloads.append(payload)
        if kind == "D":
            for place, cell in enumerate(cells_of(payload)):
                if cell is not None:
                    cells.append(cell)
                    columns.setdefault(place, []).append(cell)
        elif kind == "d":
            cells.append(payload.rstrip(b"\n"))
        elif kind == "V":
            cells.append(payload[4:])
    return Haystack(
        b"\n".join(raw),
        b"".join(payloads),
        b"".join(cells),
        tuple(b"".join(each) for each in columns.values()),
    )


def numeric(decimal: str) -> bytes:
    """A positive decimal as PostgreSQL sends it in binary."""
    whole, _, fraction = decimal.partition(".")
    scale = len(fraction)
    fraction += "0" * (-len(fraction) % 4)
    whole = "0" * (-len(whole) % 4) + whole
    digits = [int((whole + fraction)[at : at + 4]) for at in range(0, len(whole + fraction), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[-1] == 0:
        digits.pop()
    return struct.pack(f">hhhh{len(digits)}h", len(digits), weight, 0, scale, *digits)


def is_found(literal: str, stack: Haystack) -> bool:
    """Whether a value came through in the form the case names."""
    form, colon, rest = literal.partition(":")
    if colon and form == "joined":
        wanted = rest.encode()
        return wanted in stack.cells or any(wanted in column for column in stack.columns)
    if colon and form == "hex":
        return bytes.fromhex(rest) in stack.raw
    if colon and form == "pgnum":
        return numeric(rest) in stack.raw
    if colon and form == "re":
        return re.search(rest.encode(), stack.raw) is not None
    plain = literal.encode()
    return plain in stack.raw or plain in stack.seamless


def found(literals: Sequence[str], stack: Haystack) -> list[str]:
    return [literal for literal in literals if is_found(literal, stack)]
