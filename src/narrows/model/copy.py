"""What a COPY moves and in which form, as far as masking needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CopyDirection(StrEnum):
    OUT = "out"
    IN = "in"


class CopyFormat(StrEnum):
    TEXT = "text"
    CSV = "csv"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class CopyColumn:
    """One column of a COPY; `relation_oid` and `attnum` are 0 where it does not trace to a column."""

    name: str
    relation_oid: int
    attnum: int
    type_oid: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY between the client and the target; server files and programs are operations, not this."""

    direction: CopyDirection
    format: CopyFormat = CopyFormat.TEXT
    columns: tuple[CopyColumn, ...] | None = None
    """None where even their number is not known."""
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    quote: bytes = b'"'
    escape: bytes = b'"'
    has_header: bool = False
    encoding_is_utf8: bool = True
