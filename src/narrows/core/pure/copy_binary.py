"""The binary format of COPY: a header, tuples of length-prefixed fields, a trailer.

The same fields as in a DataRow, so the same function masks them. Object ids in tuples (before PostgreSQL 12)
and any other critical flag are refused.
"""

from __future__ import annotations

import struct

from narrows.core.plan import CopyPlan
from narrows.core.pure.copying import Piece, fault, too_long
from narrows.core.pure.rows import Step, mask_fields, steps

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = struct.Struct(">11sII").unpack_from
_HEADER_BYTES = 19
_COUNT = struct.Struct(">h").unpack_from
_LENGTH = struct.Struct(">i").unpack_from
_TRAILER = -1


class BinaryMasker:
    """Masks one COPY stream of tuples; a length is read once, however many CopyData a tuple spans."""

    __slots__ = ("_held", "_is_begun", "_is_ended", "_left", "_limit", "_steps", "_walked", "_width")

    def __init__(self, plan: CopyPlan, limit_bytes: int) -> None:
        self._steps: list[Step] = steps(plan.columns or ())
        self._width = len(plan.columns or ())
        self._limit = limit_bytes
        self._held = bytearray()
        self._is_begun = False
        self._is_ended = False
        self._walked = 0  # so much of the first tuple held has been read,
        self._left = -1  # and so many of its fields have not; -1: not even their number

    def receive(self, payload: bytes) -> Piece:
        source: bytes | bytearray = payload
        if self._held:
            self._held += payload
            source = self._held
        pieces: list[bytes] = []
        rows = masked = 0
        start = 0 if self._is_begun else self._begin(source)
        if start:
            pieces.append(bytes(source[:start]))
        while self._is_begun and (end := self._tuple_end(source, start)):
            row = bytes(source[start:end])
            start = end
            if self._is_ended:
                pieces.append(row)
                continue
            masked += mask_fields(self._steps, row, 0, 2, len(row), pieces)[1]
            rows += 1
        if source is self._held:
            del self._held[:start]
        else:
            self._held += source[start:]
        return Piece(b"".join(pieces), rows, masked)

    def finish(self) -> None:
        if self._held or not self._is_ended:
            raise fault("it ends before its trailer")

    def _begin(self, data: bytes | bytearray) -> int:
        """How long the header is; 0 where it is not whole."""
        if len(data) < _HEADER_BYTES:
            return 0
        signature, flags, extension = _HEADER(data)
        if signature != SIGNATURE or flags >> 16:
            raise fault("its header")
        end = _HEADER_BYTES + int(extension)
        if end > self._limit:
            raise too_long(self._limit)
        if end > len(data):
            return 0
        self._is_begun = True
        return end

    def _tuple_end(self, data: bytes | bytearray, start: int) -> int | None:
        """Where the tuple ends that begins at `start`, or None where it is not whole."""
        size = len(data)
        if self._is_ended and start < size:
            raise fault("it goes on after its trailer")
        at = start + self._walked
        if self._left < 0:
            if size - start < 2:
                return None
            (self._left,) = _COUNT(data, start)
            at += 2
            if self._left == _TRAILER:
                self._is_ended = True
                return at
            if self._left != self._width:
                raise fault("the number of fields")
        at = self._walk(data, start, at)
        if self._left:
            self._walked = at - start
            return None
        self._walked, self._left = 0, -1
        return at

    def _walk(self, data: bytes | bytearray, start: int, at: int) -> int:
        """Past every field that is whole, from `at` on."""
        size = len(data)
        while self._left and at + 4 <= size:
            (length,) = _LENGTH(data, at)
            if length < -1:
                raise fault("a length")
            end = at + 4 + max(length, 0)
            if end - start > self._limit:
                raise too_long(self._limit)
            if end > size:
                break
            at = end
            self._left -= 1
        return at
