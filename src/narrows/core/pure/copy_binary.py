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
    """Masks one COPY stream of tuples."""

    __slots__ = ("_held", "_is_begun", "_is_ended", "_limit", "_need", "_steps", "_width")

    def __init__(self, plan: CopyPlan, limit_bytes: int) -> None:
        self._steps: list[Step] = steps(plan.columns or ())
        self._width = len(plan.columns or ())
        self._limit = limit_bytes
        self._held = bytearray()
        self._need = _HEADER_BYTES
        """So many bytes must be held before it is worth looking again."""
        self._is_begun = False
        self._is_ended = False

    def receive(self, payload: bytes) -> Piece:
        if len(self._held) + len(payload) < self._need:
            self._held += payload
            return Piece(b"", 0, 0)
        data = b"".join((self._held, payload))
        pieces: list[bytes] = []
        at = 0 if self._is_begun else self._begin(data)
        if at:
            pieces.append(data[:at])
        rows = masked = 0
        while self._is_begun and at < len(data):
            end = self._tuple_end(data, at)
            if end is None:
                break
            if self._is_ended:
                pieces.append(data[at:end])
            else:
                masked += mask_fields(self._steps, data, at, at + 2, end, pieces)[1]
                rows += 1
            at = end
        self._hold(data, at)
        return Piece(b"".join(pieces), rows, masked)

    def finish(self) -> None:
        if self._held or not self._is_ended:
            raise fault("it ends before its trailer")

    def _begin(self, data: bytes) -> int:
        """How long the header is; 0 where it is not whole."""
        signature, flags, extension = _HEADER(data)
        if signature != SIGNATURE or flags >> 16:
            raise fault("its header")
        end = _HEADER_BYTES + int(extension)
        if end > self._limit:
            raise too_long(self._limit)
        if end > len(data):
            self._need = end
            return 0
        self._is_begun = True
        return end

    def _tuple_end(self, data: bytes, at: int) -> int | None:
        """Where the tuple ends that begins at `at`, or None (and `_need`) where it is not whole."""
        if self._is_ended:
            raise fault("it goes on after its trailer")
        size, start, at = len(data), at, at + 2
        if at > size:
            self._need = at - start
            return None
        (count,) = _COUNT(data, start)
        if count == _TRAILER:
            self._is_ended = True
            return at
        if count != self._width:
            raise fault("the number of fields")
        for _ in range(count):
            at += 4
            if at <= size:
                (length,) = _LENGTH(data, at - 4)
                if length < -1:
                    raise fault("a length")
                at += max(length, 0)
            if at - start > self._limit:
                raise too_long(self._limit)
            if at > size:
                self._need = at - start
                return None
        return at

    def _hold(self, data: bytes, at: int) -> None:
        self._held = bytearray(data[at:])
        if at == len(data):
            self._need = 0 if self._is_begun else _HEADER_BYTES
