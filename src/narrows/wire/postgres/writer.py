"""How fields are written; the other half of `reader`.

Law: what cannot be written (a NUL inside a string, a count over 16 bits) is our own fault and raises
ValueError; it never writes something else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

_INT16 = struct.Struct(">h")
_UINT16 = struct.Struct(">H")
_INT32 = struct.Struct(">i")
_UINT32 = struct.Struct(">I")

NULL = b"\xff\xff\xff\xff"
"""A value's length of -1."""


def int16(number: int) -> bytes:
    return _INT16.pack(number)


def int32(number: int) -> bytes:
    return _INT32.pack(number)


def oid(number: int) -> bytes:
    return _UINT32.pack(number)


def count(items: Sequence[object]) -> bytes:
    """How many follow, as an unsigned Int16."""
    if len(items) > 0xFFFF:
        raise ValueError(f"{len(items)} items do not fit a 16-bit count")
    return _UINT16.pack(len(items))


def string(text: str) -> bytes:
    """Text and its NUL."""
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("a string cannot hold a NUL")
    return data + b"\0"


def value(data: bytes | None) -> bytes:
    return NULL if data is None else _INT32.pack(len(data)) + data


def values(items: Sequence[bytes | None]) -> bytes:
    return count(items) + b"".join(map(value, items))


def formats(codes: Sequence[int]) -> bytes:
    return count(codes) + b"".join(map(int16, codes))


def oids(numbers: Sequence[int]) -> bytes:
    return count(numbers) + b"".join(map(oid, numbers))


def strings(texts: Iterable[str]) -> bytes:
    """A list of strings, ended by an empty one."""
    return b"".join(map(string, texts)) + b"\0"
