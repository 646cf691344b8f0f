"""What is remembered while the journal cannot be written, to be journalled when it can again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from narrows.journal import records
from narrows.journal.errors import JournalUnavailable

_UNCONFIRMED = 1000


@dataclass(slots=True)
class _Current:
    since: float
    message: str
    refused: int = 0
    unconfirmed: list[str] = field(default_factory=list)


class Outages:
    """From the first failure to the first write that tells of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.refused = 0
        """Since the journal was opened."""
        self.fault: JournalUnavailable | None = None
        """Why nothing can be written; None while all is well."""
        self._clock = clock
        self._current: _Current | None = None

    def begin(self, fault: JournalUnavailable) -> None:
        """Something failed; the first failure names the outage, the last one is what the operator reads."""
        self.fault = fault
        if self._current is None:
            self._current = _Current(self._clock(), fault.message)

    def refuse(
        self, fault: JournalUnavailable, number: int = 1, unconfirmed: Sequence[str] = ()
    ) -> JournalUnavailable:
        """So many appends were refused for it; `unconfirmed` are records that stand all the same."""
        self.begin(fault)
        current = self._current
        assert current is not None
        self.refused += number
        current.refused += number
        current.unconfirmed.extend(unconfirmed[: _UNCONFIRMED - len(current.unconfirmed)])
        return fault

    def record(self) -> records.Outage:
        """What is to be written once writing works."""
        current = self._current
        assert current is not None
        return records.Outage(
            since=current.since,
            refused=current.refused,
            message=current.message,
            unconfirmed=tuple(current.unconfirmed),
        )

    def end(self) -> None:
        self.fault = self._current = None
