"""Masks runs of DataRow messages.

Laws: every length inside a row is checked before a value is looked at; a row that does not have exactly
the plan's columns does not pass; what a plan leaves alone is sliced out once, not value by value.
"""

from __future__ import annotations

import struct

from narrows.core.plan import Plan
from narrows.core.pure import masks
from narrows.wire.errors import ProtocolError

ROW = struct.Struct(">BIH").unpack_from
"""Kind, length and number of columns of a DataRow."""
DATA_ROW = ord("D")

_LENGTH = struct.Struct(">i").unpack_from
_HEADER = struct.Struct(">cI").pack


Changes = list[masks.Mask | bytes | None]
"""For each column what `masks.field_change` gives."""

RUN_BYTES = 1024 * 1024
"""How much one run takes in before it is handed on: its pieces cost more memory than the bytes they hold."""


class RowMasker:
    """A plan made ready to be applied."""

    __slots__ = ("_changes", "_width")

    def __init__(self, plan: Plan) -> None:
        columns = plan.columns or ()
        self._changes: Changes = [masks.field_change(mask) for mask in columns]
        self._width = len(columns)

    def run(self, data: bytes, at: int) -> tuple[bytes, int, int, int]:
        """The whole, right rows from `at` on: (masked, where they end, how many, values masked).

        The first is known to be whole. A wrong row after right ones is left for the next run to raise.
        """
        pieces: list[bytes] = []
        size, width, changes = len(data), self._width, self._changes
        full = at + RUN_BYTES
        rows = masked = 0
        while size - at >= 7 and at < full:
            kind, length, count = ROW(data, at)
            end = at + 1 + length
            if kind != DATA_ROW or end > size or count != width or length < 6:
                break
            header = len(pieces)
            pieces.append(b"")
            try:
                grown, changed = mask_fields(changes, data, at + 5, at + 7, end, pieces)
            except ProtocolError:
                del pieces[header:]
                if rows:
                    break
                raise
            pieces[header] = _HEADER(b"D", length + grown)
            masked += changed
            at = end
            rows += 1
        if not rows:
            raise ProtocolError("upstream", "a row does not have the columns of its plan")
        return b"".join(pieces), at, rows, masked


def mask_fields(
    changes: Changes, data: bytes, kept: int, field: int, end: int, pieces: list[bytes]
) -> tuple[int, int]:
    """Add to `pieces` what stands from `kept` to `end`, fields starting at `field`: (bytes grown, values masked)."""
    grown = masked = 0
    for change in changes:
        value = field + 4
        if value > end:
            raise _fault()
        (length,) = _LENGTH(data, field)
        if length < 0:
            if length != -1:
                raise _fault()
            field = value
            continue
        after = value + length
        if after > end:
            raise _fault()
        if change is not None:
            new = change if isinstance(change, bytes) else change(data[value:after])
            pieces += (data[kept:field], new)
            grown += len(new) - 4 - length
            masked += 1
            kept = after
        field = after
    if field != end:
        raise _fault()
    pieces.append(data[kept:end])
    return grown, masked


def _fault() -> ProtocolError:
    return ProtocolError("upstream", "a row's lengths do not add up")
