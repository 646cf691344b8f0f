"""A refusal says the same things in every protocol."""

from __future__ import annotations

from dataclasses import dataclass

from narrows.model.reason import Reason


@dataclass(frozen=True, slots=True)
class ReviewLink:
    """Where the review that would lift a refusal stands."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a caller is told: never a value of the target, never a secret."""

    reason: Reason
    message: str
    rule: str | None = None
    """The id of the deciding policy, where one decided."""
    review: ReviewLink | None = None
    budget_left: str | None = None
    position: int | None = None
    """1-based character position in the statement, where the fault has one."""
    sqlstate: str | None = None
    """A standard code that clients act upon (28P01, 3D000...), where one fits better than the NW class."""

    @property
    def code(self) -> str:
        return self.reason.code

    @property
    def is_retryable(self) -> bool:
        return self.reason.retryable
