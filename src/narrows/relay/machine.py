"""What a relay is: the shape that every protocol shares.

Laws: a machine does no I/O and reads no clock; it forwards a statement only after `resume` with a
`Settled` that allows it; after `Close` it is given nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol as Shape

from narrows.model.outcome import Outcome
from narrows.model.statement import Statement
from narrows.model.verdict import Settled


class Side(Enum):
    CLIENT = "client"
    UPSTREAM = "upstream"

    def __repr__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Hold:
    """A statement waiting at the gate; the number is unique within its machine."""

    number: int


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to that side."""

    to: Side
    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Have the gate settle this statement; `machine.resume(hold, settled)` answers."""

    hold: Hold
    statement: Statement


@dataclass(frozen=True, slots=True)
class Analyse:
    """Have this text analysed away from the event loop; `machine.analysed(hold, result)` answers."""

    hold: Hold
    text: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The caller cancelled or went away: whatever waits for this hold ends."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Own:
    """The gateway is about to run a statement of its own at the target; journal it before the next command."""

    text: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A settled statement has ended at the target."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SchemaChanged:
    """A statement that defines or drops objects succeeded: read the snapshot again before the next `Ask`.

    The machine takes no further client message until `machine.schema_read()`.
    """


@dataclass(frozen=True, slots=True)
class Cancel:
    """Send a CancelRequest for this session's upstream connection, on a connection of its own."""


@dataclass(frozen=True, slots=True)
class Close:
    """Flush what was sent, then close both sides; the reason is for the journal."""

    reason: str


Command = Send | Ask | Analyse | Withdraw | Own | Finished | SchemaChanged | Cancel | Close


class Machine(Shape):
    """One session's relay."""

    def receive(self, side: Side, data: bytes) -> list[Command]: ...

    def resume(self, hold: Hold, settled: Settled) -> list[Command]: ...

    def closed(self, side: Side) -> list[Command]: ...
