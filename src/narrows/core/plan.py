"""What is done to each column of a result: the words in which masking speaks to the core.

Laws: NULL stays NULL under every operation but COVER; a plan is checked when it is made, so that applying it cannot
fail; a key never shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from narrows.model.copy import CopyFormat

FILL_LIMIT_BYTES = 4
"""One character of UTF-8."""
TEXT_LIMIT_BYTES = 4096
HASH_DIGITS = 64
_CONTROL = b"\0\r\n"
_TEXT_DELIMITERS_REFUSED = b"\\.abcdefghijklmnopqrstuvwxyz0123456789"


class MaskOp(Enum):
    PASS = "pass"  # noqa: S105 - an operation, not a password
    CONSTANT = "constant"
    COVER = "cover"
    KEEP_LAST = "keep_last"
    HASH = "hash"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """One operation with its arguments; those that it does not use are ignored.

    CONSTANT shows `text`; COVER too, and in place of NULL as well: where an expression gives NULL follows from
    the values in it. KEEP_LAST shows the last `keep` characters (UTF-8 code points) and `fill` for
    each before them; a value of at most `2 * keep` characters is filled whole, and one that is not UTF-8
    is filled byte for byte. HASH shows the first `length` hex digits of HMAC-SHA256(key, value).
    """

    op: MaskOp = MaskOp.PASS
    text: bytes = b""
    keep: int = 0
    fill: bytes = b"*"
    length: int = 16
    key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.keep < 0:
            raise ValueError("keep cannot be negative")
        if not 0 < len(self.fill) <= FILL_LIMIT_BYTES:
            raise ValueError("fill is one character")
        if not 0 < self.length <= HASH_DIGITS:
            raise ValueError("a hash shows 1 to 64 digits")
        if len(self.text) > TEXT_LIMIT_BYTES:
            raise ValueError("the constant is too long")
        if self.op is MaskOp.HASH and not self.key:
            raise ValueError("a hash needs a key")


PASS = ColumnMask()


@dataclass(frozen=True, slots=True)
class Plan:
    """One mask for each column of a result; `columns` is None where every row passes, whatever its width."""

    columns: tuple[ColumnMask, ...] | None

    @property
    def is_passing(self) -> bool:
        """No column is changed, so no value is looked at."""
        return self.columns is None or all(mask.op is MaskOp.PASS for mask in self.columns)


PASS_ALL = Plan(None)


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """One mask for each column of a COPY TO STDOUT, and how its rows are written.

    `columns` is None where everything passes. `escape` and `quote` are of csv alone. The options must be
    those of the COPY itself; what does not read as they say raises ProtocolError.
    """

    columns: tuple[ColumnMask, ...] | None
    format: CopyFormat = CopyFormat.TEXT
    delimiter: bytes = b"\t"
    quote: bytes = b'"'
    escape: bytes = b'"'
    null: bytes = b"\\N"
    header: bool = False

    def __post_init__(self) -> None:
        if self.columns is None or self.format is CopyFormat.BINARY:
            return
        for name, one in (("delimiter", self.delimiter), ("quote", self.quote), ("escape", self.escape)):
            if len(one) != 1 or one in (b"\0", b"\r", b"\n") or one[0] > 0x7F:
                raise ValueError(f"{name} is one ASCII character, and no line end")
        if any(byte in _CONTROL for byte in self.null) or self.delimiter in self.null:
            raise ValueError("null holds a line end, a NUL or the delimiter")
        if self.format is CopyFormat.TEXT and self.delimiter in _TEXT_DELIMITERS_REFUSED:
            raise ValueError("this delimiter cannot be told from an escape")
        if self.format is CopyFormat.CSV and (self.delimiter == self.quote or self.quote in self.null):
            raise ValueError("the csv quote also stands for something else")

    @property
    def is_passing(self) -> bool:
        """No column is changed, so no row is looked at."""
        return self.columns is None or all(mask.op is MaskOp.PASS for mask in self.columns)


COPY_PASS_ALL = CopyPlan(None)
