"""Something that people should look at, noticed while a statement was settled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """What the journal keeps beside the statement's record."""

    severity: str
    """low, medium or high, as in `@alert`."""
    rule: str
    """The limit or policy that noticed."""
    message: str
    count: int = 0
    """How much was counted, where the rule counts."""
