"""What a piece of data is, which columns bear it, and what each rung of the ladder shows of it.

Laws: a column without an entry bears no label; several labels on one column are shown at the strictest
rung among them; a label that is not defined cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Rung(IntEnum):
    """How much of a labelled value a caller sees; higher shows more."""

    NONE = 0
    TOKEN = 1
    PARTIAL = 2
    RAW = 3


class OperatorKind(StrEnum):
    CONSTANT = "constant"
    KEEP_LAST = "keep_last"
    HASH = "hash"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class MaskRule:
    """One operator with its arguments, as `labels.yaml` states it."""

    operator: OperatorKind
    text: str = "***"
    """What a constant shows."""
    keep: int = 4
    """How many characters at the end stay; shorter values are masked whole."""
    fill: str = "*"
    length: int = 16
    """Hex digits of a keyed hash."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label and its masks; the rung RAW needs none."""

    name: str
    none: MaskRule = field(default_factory=lambda: MaskRule(OperatorKind.CONSTANT))
    token: MaskRule = field(default_factory=lambda: MaskRule(OperatorKind.HASH))
    partial: MaskRule = field(default_factory=lambda: MaskRule(OperatorKind.KEEP_LAST))
    description: str = ""

    def rule_at(self, rung: Rung) -> MaskRule:
        """The mask of one rung below RAW."""
        return {Rung.NONE: self.none, Rung.TOKEN: self.token, Rung.PARTIAL: self.partial}[rung]


ColumnKey = tuple[str, str, str]
"""(schema, relation, column), as the target spells them."""


@dataclass(frozen=True, slots=True)
class DatabaseLabels:
    """The labels and trusted functions of one database of one connection."""

    columns: Mapping[ColumnKey, frozenset[str]] = field(default_factory=dict)
    trusted_functions: frozenset[tuple[str, str]] = frozenset()
    """(schema, name) of user functions that policy's author vouches for."""


@dataclass(frozen=True, slots=True)
class Labels:
    """All of `labels.yaml`, with the hash of the text it was read from."""

    labels: Mapping[str, Label] = field(default_factory=dict)
    databases: Mapping[tuple[str, str], DatabaseLabels] = field(default_factory=dict)
    """(connection, database) -> its labels."""
    version: str = ""

    def of(self, connection: str, database: str) -> DatabaseLabels:
        """The labels of one database; none are known where it is not listed."""
        return self.databases.get((connection, database), DatabaseLabels())
