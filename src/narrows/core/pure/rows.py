"""Masks runs of DataRow messages.

Laws: every length inside a row is checked before a value is looked at; a row that does not have exactly
the plan's columns does not pass; what a plan leaves alone is sliced out once, not value by value.
"""

from __future__ import annotations

import struct

from narrows.core.plan import ColumnMask, MaskOp, Plan
from narrows.core.pure import masks
from narrows.wire.errors import ProtocolError

ROW = struct.Struct(">BIH").unpack_from
"""Kind, length and number of columns of a DataRow."""
DATA_ROW = ord("D")

_LENGTH = struct.Struct(">i").unpack_from
_HEADER = struct.Struct(">cI").pack


RUN_BYTES = 256 * 1024
"""How much one run takes in before it is handed on: its pieces cost more memory than the bytes they hold."""

Step = tuple[int, masks.Mask | bytes | None]
"""So many columns that pass, then one that changes (None: the row ends)."""


class RowMasker:
    """A plan made ready to be applied."""

    __slots__ = ("_steps", "_width", "plan")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._width = len(plan.columns or ())
        self._steps = steps(plan.columns or ())

    def run(self, data: bytes, at: int) -> tuple[bytes, int, int, int]:
        """The whole, right rows from `at` on: (masked, where they end, how many, values masked).

        The first is known to be whole. A wrong row after right ones is left for the next run to raise.
        """
        pieces: list[bytes] = []
        size, width, plan = len(data), self._width, self._steps
        last = min(size - 7, at + RUN_BYTES)
        rows = masked = 0
        while at <= last:
            kind, length, count = ROW(data, at)
            end = at + 1 + length
            if kind != DATA_ROW or end > size or count != width or length < 6:
                break
            header = len(pieces)
            pieces.append(b"")
            try:
                grown, changed = mask_fields(plan, data, at + 5, at + 7, end, pieces)
            except ProtocolError:
                if rows:
                    del pieces[header:]
                    break
                raise
            pieces[header] = _HEADER(b"D", length + grown)
            masked += changed
            at = end
            rows += 1
        if not rows:
            raise ProtocolError("upstream", "a row does not have the columns of its plan")
        return b"".join(pieces), at, rows, masked


def steps(columns: tuple[ColumnMask, ...]) -> list[Step]:
    """The columns in the form `mask_fields` takes."""
    made: list[Step] = []
    passing = 0
    for column in columns:
        if column.op is MaskOp.PASS:
            passing += 1
        else:
            made.append((passing, masks.field_change(column)))
            passing = 0
    return [*made, (passing, None)]


def mask_fields(
    plan: list[Step], data: bytes, kept: int, field: int, end: int, pieces: list[bytes]
) -> tuple[int, int]:
    """Add to `pieces` what stands from `kept` to `end`, its fields from `field` on: (bytes grown, values masked).

    No value is looked at before its end is known to be inside the row. Lengths are never negative but for
    NULL, so `field` only grows, and one that runs over the end shows when the row is done.
    """
    grown = masked = 0
    try:
        for passing, change in plan:
            for _ in range(passing):
                (length,) = _LENGTH(data, field)
                field += 4
                if length >= 0:
                    field += length
                elif length != -1:
                    raise _fault()
            if change is None:
                break
            (length,) = _LENGTH(data, field)
            value = field + 4
            if length >= 0:
                after = value + length
                if after > end:
                    raise _fault()
                new = change if isinstance(change, bytes) else change(data[value:after])
                pieces += (data[kept:field], new)
                grown += len(new) - 4 - length
                masked += 1
                field = kept = after
            elif length == -1:
                if type(change) is masks.Cover:
                    pieces += (data[kept:field], change)
                    grown += len(change) - 4
                    masked += 1
                    kept = value
                field = value
            else:
                raise _fault()
    except struct.error:
        raise _fault() from None
    if field != end:
        raise _fault()
    pieces.append(data[kept:end])
    return grown, masked


def _fault() -> ProtocolError:
    return ProtocolError("upstream", "a row's lengths do not add up")
