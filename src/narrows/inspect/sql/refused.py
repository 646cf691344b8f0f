"""How the parts of analysis say no to one another; it never leaves this package."""

from __future__ import annotations

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal


class Refused(Exception):
    """Analysis ends here with this refusal."""

    def __init__(
        self, reason: Reason, message: str, *, position: int | None = None, sqlstate: str | None = None
    ) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message, position=position, sqlstate=sqlstate)


def undecided(message: str) -> Refused:
    """What a statement does cannot be told, so it does not pass."""
    return Refused(Reason.EFFECT_UNDECIDED, message)


def unsupported(message: str) -> Refused:
    """What a statement does is known and never passed on."""
    return Refused(Reason.UNSUPPORTED, message)
