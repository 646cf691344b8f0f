"""The live sessions of this process: who is on, and the means to end one.

Laws: a session is here from before its first statement to after its last; the limits on how many there may
be are checked before a target is opened for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Session
from narrows.runtime.driver import SessionDriver


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sessions may be open at once."""

    total: int = 5_000
    per_principal: int = 500


class Sessions:
    """Sessions by id, and by what stands in their cancel key: the target's process id and a number of our own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._drivers: dict[str, SessionDriver] = {}
        self._by_number: dict[int, SessionDriver] = {}
        self._numbers: dict[int, list[int]] = {}
        self._per_principal: Counter[str] = Counter()
        self._next_number = 1

    def admit(self, session: Session) -> Refusal | None:
        """A refusal where one more session would be over a limit."""
        if len(self._drivers) >= self._limits.total:
            return Refusal(Reason.BUSY, "the gateway has as many sessions as it may", sqlstate="53300")
        if self._per_principal[session.principal.id] >= self._limits.per_principal:
            return Refusal(
                Reason.BUSY,
                f"{session.principal.name} has {self._limits.per_principal} sessions open, the most allowed",
                sqlstate="53300",
            )
        return None

    def take_number(self) -> int:
        """A number for a session's cancel key, not in use now."""
        while self._next_number in self._by_number:
            self._next_number += 1
        number = self._next_number
        self._next_number = number % 0x3FFFFF + 1
        return number

    def add(self, pid: int, number: int, driver: SessionDriver) -> None:
        self._drivers[driver.session.id] = driver
        self._by_number[number] = driver
        self._numbers.setdefault(pid, []).append(number)
        self._per_principal[driver.session.principal.id] += 1

    def remove(self, pid: int, number: int, driver: SessionDriver) -> None:
        self._drivers.pop(driver.session.id, None)
        self._by_number.pop(number, None)
        self._numbers[pid].remove(number)
        if not self._numbers[pid]:
            del self._numbers[pid]
        principal = driver.session.principal.id
        self._per_principal[principal] -= 1
        if self._per_principal[principal] <= 0:
            del self._per_principal[principal]

    def by_pid(self, pid: int) -> list[tuple[int, SessionDriver]]:
        """Number and session of each that this is the process id of: targets number their own."""
        return [(number, self._by_number[number]) for number in self._numbers.get(pid, ())]

    def get(self, session_id: str) -> SessionDriver | None:
        return self._drivers.get(session_id)

    def __iter__(self) -> Iterator[SessionDriver]:
        return iter(list(self._drivers.values()))

    def __len__(self) -> int:
        return len(self._drivers)

    def end_where(self, why: Callable[[Session], Refusal | None]) -> int:
        """End every session for which `why` has a refusal; how many were."""
        ended = 0
        for driver in self:
            if refusal := why(driver.session):
                driver.end(refusal)
                ended += 1
        return ended
