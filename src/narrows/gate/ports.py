"""What the gate needs from the rest, as shapes: it reads no file, opens no socket and knows no concrete class."""

from __future__ import annotations

from typing import Protocol

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


class Journal(Protocol):
    """The record that must stand before anything is forwarded."""

    async def statement(
        self, session: Session, statement: Statement, verdict: Verdict | None, refusal: Refusal | None
    ) -> str:
        """The record's id, once it is as durable as configured; raises `CannotRecord`."""


class Ports(Protocol):
    """The three together; read-only, so that a reload swaps one value."""

    @property
    def facts(self) -> Facts: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def journal(self) -> Journal: ...
