"""Where a mask stands: what the operator may know of a column."""

from __future__ import annotations

from dataclasses import dataclass, field

from narrows.masking.types import Family


@dataclass(frozen=True, slots=True)
class Site:
    """One output column; `format` is 0 for text and 1 for binary, `key` is this label's own."""

    family: Family
    format: int
    label: str = ""
    key: bytes = field(default=b"", repr=False)
