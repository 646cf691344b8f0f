"""Cuts what the target sends into messages, and masks its rows on the way.

Laws: a row is not looked at before there is a plan for it; `next` gives every other message by itself, so
that the plan can change between any two; a plan ends with its result; rows are given out in runs.
"""

from __future__ import annotations

import struct

from narrows.core import limits as bounds
from narrows.core.items import Rows
from narrows.core.limits import Limits
from narrows.core.plan import CopyPlan, Plan
from narrows.core.pure.copy_formats import copy_masker
from narrows.core.pure.copying import CopyMasker
from narrows.core.pure.inbox import Inbox
from narrows.core.pure.rows import DATA_ROW, ROW, RUN_BYTES, RowMasker
from narrows.wire.errors import LIMIT_EXCEEDED, ProtocolError
from narrows.wire.postgres.message import Message

_HEADER = struct.Struct(">cI").unpack_from
_HEAD = struct.Struct(">cI").pack
_KINDS = frozenset(b"123ACDEGHIKNRSTVWZcdnstv")
_ENDS = frozenset((b"C", b"E", b"I", b"s", b"Z"))
"""What ends a result: CommandComplete, ErrorResponse, EmptyQueryResponse, PortalSuspended, ReadyForQuery."""
_ANY_WIDTH = -1


class PgBackend(Inbox):
    """upstream -> gateway, from the first answer to the start-up packet.

    Without a plan a row raises ProtocolError. A plan holds for one result: after CommandComplete,
    EmptyQueryResponse, PortalSuspended, ErrorResponse or ReadyForQuery (CopyDone too, for COPY) it must be
    set again. A plan is made ready when its first row comes, so setting one is free.
    """

    __slots__ = (
        "_copy", "_copy_fault", "_copy_plan", "_inside", "_is_passing", "_limits", "_masker", "_message_cap", "_plan",
        "_row_cap", "_width",
    )  # fmt: skip

    def __init__(self, limits: Limits = bounds.DEFAULT) -> None:
        super().__init__()
        self._limits = limits
        self._message_cap = limits.message_bytes + 4
        self._row_cap = limits.row_bytes + 4
        self._plan: Plan | None = None
        self._is_passing = False
        self._width = _ANY_WIDTH
        self._masker: RowMasker | None = None
        self._copy_plan: CopyPlan | None = None
        self._copy: CopyMasker | None = None
        self._copy_fault: ProtocolError | None = None
        self._inside = 0

    @property
    def is_inside_row(self) -> bool:
        """A long row was handed on in part: nothing else may be sent to the client before its rest."""
        return self._inside > 0

    def set_plan(self, plan: Plan | None) -> None:
        """What is done to the rows (DataRow) of the next result."""
        self._plan = plan
        if plan is not None:
            self._is_passing = plan.is_passing
            self._width = _ANY_WIDTH if plan.columns is None else len(plan.columns)

    def set_copy_plan(self, plan: CopyPlan | None) -> None:
        """What is done to the data (CopyData) of the next COPY; begins at its first byte."""
        self._copy_plan = plan
        self._copy = None if plan is None or plan.is_passing else copy_masker(plan, self._limits.row_bytes)
        self._copy_fault = None

    def next(self) -> Message | Rows | None:
        """The next message, or a run of rows, or None where more bytes are needed."""
        if self._inside:
            return self._go_on()
        if len(self._data) - self._at < 5 and not self._fill(5):
            return None
        kind, length = _HEADER(self._data, self._at)
        if kind == b"D":
            return self._rows(length)
        if kind == b"d":
            return self._copy_rows(length)
        if kind[0] not in _KINDS:
            raise ProtocolError("upstream", "unexpected kind of message")
        if not 4 <= length <= self._message_cap:
            raise _length_fault(length, self._message_cap)
        if len(self._data) - self._at <= length and not self._fill(length + 1):
            return None
        start = self._at + 5
        end = self._at = start + length - 4
        if kind in _ENDS:
            self._end_result()
        elif kind == b"c":
            self._end_copy()
        return Message(kind, self._data[start:end])

    def _rows(self, length: int) -> Rows | None:
        """A run of DataRow."""
        if self._plan is None:
            raise ProtocolError("upstream", "a row came without a plan for its result")
        if length < 6 or not (self._is_passing or length <= self._row_cap):
            raise _length_fault(length, self._row_cap)
        if len(self._data) - self._at <= length and not self._fill(length + 1):
            return self._start_long(length) if self._is_passing else None
        if self._is_passing:
            return self._pass_rows()
        masker = self._masker
        if masker is None or masker.plan is not self._plan:  # kept: the same statement often comes again
            masker = self._masker = RowMasker(self._plan)
        data, self._at, rows, masked = masker.run(self._data, self._at)
        return Rows(data, rows, masked)

    def _pass_rows(self) -> Rows:
        """All whole rows from here, as they are; the first one is known to be whole."""
        data, width = self._data, self._learn_width()
        start = at = self._at
        size = len(data)
        last = size - 7
        rows = 0
        while at <= last:
            kind, length, count = ROW(data, at)
            end = at + 1 + length
            if kind != DATA_ROW or end > size or count != width or length < 6:
                break
            at = end
            rows += 1
        if not rows:
            raise _width_fault()
        self._at = at
        return Rows(data[start:at], rows, 0)

    def _learn_width(self) -> int:
        """How many columns each row of this result has; where the plan takes any, the first row says it."""
        if self._width == _ANY_WIDTH:
            self._width = ROW(self._data, self._at)[2]
        return self._width

    def _copy_rows(self, length: int) -> Message | Rows | None:
        """A run of CopyData."""
        if self._copy_plan is None:
            raise ProtocolError("upstream", "data of a COPY came without a plan for it")
        if self._copy_fault is not None:
            raise self._copy_fault
        masker = self._copy
        if length < 4 or not (masker is None or length <= self._row_cap):
            raise _length_fault(length, self._row_cap)
        if len(self._data) - self._at <= length and not self._fill(length + 1):
            return self._start_long(length) if masker is None else None
        return self._pass_copy() if masker is None else self._mask_copy(masker)

    def _pass_copy(self) -> Rows:
        """All whole CopyData from here, as they are; the first one is known to be whole."""
        data = self._data
        start = at = self._at
        size = len(data)
        messages = 0
        while size - at >= 5:
            kind, length = _HEADER(data, at)
            end = at + 1 + length
            if kind != b"d" or end > size or length < 4:
                break
            at = end
            messages += 1
        self._at = at
        return Rows(data[start:at], messages, 0)

    def _mask_copy(self, masker: CopyMasker) -> Message | Rows | None:
        """All whole CopyData from here, masked; each goes out with the rows that end in it."""
        data, cap = self._data, self._row_cap
        at = self._at
        size, full = len(data), at + RUN_BYTES
        out: list[bytes] = []
        rows = masked = 0
        while size - at >= 5 and (at < full or not out):
            kind, length = _HEADER(data, at)
            end = at + 1 + length
            if kind != b"d" or end > size or not 4 <= length <= cap:
                break
            try:
                piece = masker.receive(data[at + 5 : end])
            except ProtocolError as fault:
                self._copy_fault = fault
                break
            if piece.data:
                out += (_HEAD(b"d", len(piece.data) + 4), piece.data)
            rows += piece.rows
            masked += piece.masked
            at = end
        self._at = at
        return Rows(b"".join(out), rows, masked) if out else self.next()

    def _start_long(self, length: int) -> Rows | None:
        """Hand on the beginning of a row that passes and is too long to wait for."""
        if length <= self._limits.stream_bytes or not self._fill(7):
            return None
        kind, _, count = ROW(self._data, self._at)
        if kind == DATA_ROW and count != self._learn_width():
            raise _width_fault()
        self._inside = length + 1
        return self._go_on()

    def _go_on(self) -> Rows | None:
        """The next part of a long row."""
        if not self._fill(1):
            return None
        start = self._at
        self._at = min(start + self._inside, len(self._data))
        self._inside -= self._at - start
        return Rows(self._data[start : self._at], 0 if self._inside else 1, 0)

    def _end_result(self) -> None:
        self._plan = self._copy_plan = self._copy = None

    def _end_copy(self) -> None:
        masker = self._copy
        self._copy_plan = self._copy = None
        if masker is not None:
            masker.finish()


def _width_fault() -> ProtocolError:
    return ProtocolError("upstream", "a row does not have the columns of its plan")


def _length_fault(length: int, cap: int) -> ProtocolError:
    if length <= cap:
        return ProtocolError("upstream", "invalid length of message")
    return ProtocolError("upstream", f"message of {length - 4} bytes; the limit is {cap - 4}", LIMIT_EXCEEDED)
