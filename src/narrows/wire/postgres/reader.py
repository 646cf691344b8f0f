"""A cursor over one payload, so that a reader looks like the table of its message in the documentation.

Law: every read checks what is left; `finish` checks that nothing is. Text is UTF-8 with surrogateescape,
so that whatever was sent comes out again byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from narrows.wire.errors import ProtocolError, Side

_INT16 = struct.Struct(">h").unpack_from
_UINT16 = struct.Struct(">H").unpack_from
_INT32 = struct.Struct(">i").unpack_from
_UINT32 = struct.Struct(">I").unpack_from

_Unpack = Callable[[bytes, int], tuple[int, ...]]
_Value = TypeVar("_Value")


class Cursor:
    """Reads one message's fields in order; `what` names the message in errors."""

    __slots__ = ("_at", "_data", "_side", "_what")

    def __init__(self, data: bytes, side: Side, what: str) -> None:
        self._data = data
        self._side: Side = side
        self._what = what
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._at

    def error(self, fault: str) -> ProtocolError:
        """What to raise for a fault in this message."""
        return ProtocolError(self._side, f"invalid {self._what} message: {fault}")

    def int16(self) -> int:
        return self._number(_INT16, 2)

    def count(self) -> int:
        """An Int16 that counts what follows; PostgreSQL reads it unsigned."""
        return self._number(_UINT16, 2)

    def int32(self) -> int:
        return self._number(_INT32, 4)

    def oid(self) -> int:
        """An Int32 read unsigned."""
        return self._number(_UINT32, 4)

    def raw(self, size: int) -> bytes:
        at = self._at
        if size > len(self._data) - at:
            raise self.error("it ends too early")
        self._at = at + size
        return self._data[at : at + size]

    def string(self) -> str:
        """Text up to its NUL."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise self.error("a string is not terminated")
        text = self._data[self._at : end]
        self._at = end + 1
        return decode_text(text)

    def value(self) -> bytes | None:
        """Int32 length and that many bytes; a length of -1 is NULL."""
        size = self.int32()
        if size == -1:
            return None
        if size < 0:
            raise self.error("a value has a negative length")
        return self.raw(size)

    def format(self) -> int:
        """A format code: 0 text, 1 binary."""
        code = self.int16()
        if code not in (0, 1):
            raise self.error("a format code is neither 0 nor 1")
        return code

    def rest(self) -> bytes:
        """All that is left."""
        return self.raw(self.left)

    def _number(self, unpack: _Unpack, size: int) -> int:
        try:
            (number,) = unpack(self._data, self._at)
        except struct.error:
            raise self.error("it ends too early") from None
        self._at += size
        return number

    def finish(self) -> None:
        """Nothing may be left; a NUL inside a string shows here."""
        if self.left:
            raise self.error("it goes on after its end")


def decode_text(data: bytes) -> str:
    """The protocol's text; reversible whatever the bytes."""
    return data.decode("utf-8", "surrogateescape")


def parser_of_nothing(message: _Value, side: Side, what: str) -> Callable[[bytes], _Value]:
    """The reader of a message that has no fields: it always gives `message`."""

    def parse(payload: bytes) -> _Value:
        Cursor(payload, side, what).finish()
        return message

    return parse
