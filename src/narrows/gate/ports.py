"""What the gate needs from the rest, as shapes: it reads no file, opens no socket and knows no concrete class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from narrows.model.alert import Alert
from narrows.model.refusal import Refusal
from narrows.model.session import Session
from narrows.model.statement import Statement
from narrows.model.verdict import Verdict


class CannotRecord(Exception):
    """The journal cannot be written; nothing may run until it can."""


class Facts(Protocol):
    """What holds now, not what held at sign-in."""

    def live(self, session: Session) -> Session | Refusal:
        """The session with the groups its principal has now, or why it may no longer act."""


class Policy(Protocol):
    """The PDP; it never raises: what it cannot decide is a deny."""

    def evaluate(self, session: Session, statement: Statement) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Excess:
    """More than a limit lets through: what the caller is told, and what people are, the first time."""

    refusal: Refusal
    alert: Alert | None = None


class Limit(Protocol):
    """What one principal may ask over all its sessions."""

    def take(self, session: Session, statement: Statement) -> Excess | None:
        """Counts what the statement asks; None where that is within the limit."""


class Journal(Protocol):
    """The record that must stand before anything is forwarded."""

    async def statement(
        self, session: Session, statement: Statement, verdict: Verdict | None, refusal: Refusal | None
    ) -> str:
        """The record's id, once it is as durable as configured; raises `CannotRecord`."""

    def alert(self, session: Session, record: str, alert: Alert) -> None:
        """An alert about a statement that is recorded; it never raises."""


class Ports(Protocol):
    """The four together; read-only, so that a reload swaps one value."""

    @property
    def facts(self) -> Facts: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def limit(self) -> Limit: ...

    @property
    def journal(self) -> Journal: ...
