"""What a run found: a figure for each case, and what each target did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """A case's figure, None where it could not be measured; the note says why or under what condition."""

    value: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """A table of what each target did; a row begins with what it is about."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Results:
    """Filled case by case."""

    figures: dict[str, Figure] = field(default_factory=dict)
    details: list[Detail] = field(default_factory=list)
