"""What masks the stream of a COPY TO STDOUT, whatever its format; `copy_formats` lists the formats.

Laws: where the stream is cut does not change what comes out; a row goes out only when it is whole and was
read in full; what does not read as the plan says raises ProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from narrows.core.plan import ColumnMask, MaskOp
from narrows.core.pure import masks
from narrows.wire.errors import LIMIT_EXCEEDED, ProtocolError


class Piece(NamedTuple):
    """What came out of one CopyData."""

    data: bytes
    rows: int
    masked: int


class CopyMasker(Protocol):
    def receive(self, payload: bytes) -> Piece:
        """The masked rows that end in this CopyData."""
        ...

    def finish(self) -> None:
        """The stream is complete: nothing may be left."""
        ...


def written_changes(
    columns: tuple[ColumnMask, ...], null: bytes, read: masks.Mask, write: masks.Mask
) -> list[tuple[int, masks.Mask | bytes]]:
    """(column, what becomes of its field as written) for each column that is masked."""
    return [
        (index, null if mask.op is MaskOp.NULL else _written(masks.change(mask), read, write))
        for index, mask in enumerate(columns)
        if mask.op is not MaskOp.PASS
    ]


def _written(change: masks.Mask | bytes | None, read: masks.Mask, write: masks.Mask) -> masks.Mask | bytes:
    if isinstance(change, bytes):
        return type(change)(write(bytes(change)))
    assert change is not None, "PASS and NULL are not asked here"
    function: Callable[[bytes], bytes] = change
    return lambda field: write(function(read(field)))


def fault(what: str) -> ProtocolError:
    return ProtocolError("upstream", f"the data of a COPY is not as announced: {what}")


def too_long(limit_bytes: int) -> ProtocolError:
    return ProtocolError("upstream", f"a row of a COPY is over {limit_bytes} bytes", LIMIT_EXCEEDED)
