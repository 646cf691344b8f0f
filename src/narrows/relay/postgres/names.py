"""Prepared statements and portals: one namespace for SQL (PREPARE, DECLARE) and the protocol (Parse, Bind).

Laws: a name means what the target has confirmed (ParseComplete, BindComplete, CloseComplete,
CommandComplete); within its own series a name may be used before that, since a failure skips the user too;
in a later series it must be waited for. Portals end with their transaction, or with the savepoint they were
opened under; prepared statements outlive both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql.analysis import Analysed, View
from narrows.inspect.sql.facts import SessionFacts
from narrows.model.statement import Parameter
from narrows.relay.postgres.known import Basis, Description, Known
from narrows.relay.postgres.runs import Run


@dataclass(slots=True, eq=False)
class Prepared:
    """A prepared statement; it is analysed again under what holds at each Bind."""

    text: str
    """As sent; of one that SQL prepared, its PREPARE."""
    known: Known
    type_oids: tuple[int, ...] = ()
    fields: Description | None = None
    """As described under `fields_basis`; None where not described."""
    fields_basis: Basis | None = None
    execute_text: str | None = None
    """How SQL runs it, where SQL prepared it; None for the protocol's own."""
    described_in: int = -1
    """The series in which a Describe was last sent for it."""


@dataclass(slots=True, eq=False)
class Portal:
    """A portal or an SQL cursor, with what is needed to mask each of its executions."""

    text: str
    known: Known
    view: View
    """What `known` was analysed with."""
    facts: SessionFacts
    """Those it was planned under."""
    series: int
    prepared: Prepared | None = None
    """None for an SQL cursor."""
    parameters: tuple[Parameter, ...] = ()
    result_formats: tuple[int, ...] = ()
    fields: Description | None = None
    is_described: bool = False
    """A Describe for it was sent: its fields come before its rows do."""
    run: Run | None = None
    """Settled at Bind and not yet executed."""
    is_hold: bool = False
    is_kept: bool = False
    """WITH HOLD, and the transaction that declared it has committed."""

    def forget_fields(self) -> None:
        """They contradict the schema: they are asked for again."""
        self.fields = None
        self.is_described = False
        if self.prepared is not None:
            self.prepared.fields = None


T = TypeVar("T")


class Pending(Exception):
    """The name is being changed by an earlier series: wait for its answers."""


@dataclass(slots=True, eq=False)
class Change(Generic[T]):
    """A change of one name that was sent and not yet confirmed; None closes it."""

    table: Table[T]
    series: int
    name: str
    value: T | None

    def confirm(self) -> None:
        """The target has done it."""
        self.table.settle(self)
        if self.value is None:
            self.table.confirmed.pop(self.name, None)
        else:
            self.table.confirmed[self.name] = self.value

    def drop(self) -> None:
        """The target refused it or passed over it."""
        self.table.settle(self)


class Table(Generic[T]):
    """One kind of name."""

    __slots__ = ("_latest", "confirmed")

    def __init__(self) -> None:
        self.confirmed: dict[str, T] = {}
        self._latest: dict[str, Change[T]] = {}

    @property
    def has_pending(self) -> bool:
        return bool(self._latest)

    def find(self, name: str, series: int) -> T | None:
        """What the name will mean when a message of this series is read; raises Pending."""
        change = self._latest.get(name)
        if change is None:
            return self.confirmed.get(name)
        if change.series != series:
            raise Pending
        return change.value

    def send(self, series: int, name: str, value: T | None) -> Change[T]:
        change = self._latest[name] = Change(self, series, name, value)
        return change

    def settle(self, change: Change[T]) -> None:
        """It is no longer pending; a later change of the same name may still be."""
        if self._latest.get(change.name) is change:
            del self._latest[change.name]


class Maker(Protocol):
    """How a name that SQL made becomes an entry: the session knows under what it was analysed."""

    def prepared(self, name: str, inner: Analysed) -> Prepared: ...

    def cursor(self, inner: Analysed, is_hold: bool) -> Portal: ...


@dataclass(slots=True)
class Names:
    """Both kinds, and what ends them."""

    statements: Table[Prepared] = field(default_factory=Table)
    portals: Table[Portal] = field(default_factory=Table)
    _savepoints: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    @property
    def has_pending(self) -> bool:
        return self.statements.has_pending or self.portals.has_pending

    def prepared(self) -> dict[str, Analysed]:
        """For analysis of EXECUTE."""
        return {
            name: each.known.parts[0] for name, each in self.statements.confirmed.items() if each.known.parts
        }

    def cursors(self) -> dict[str, Analysed]:
        """For analysis of FETCH, MOVE and CLOSE."""
        return {
            name: each.known.parts[0] for name, each in self.portals.confirmed.items() if each.known.parts
        }

    def forget_unnamed(self) -> None:
        """A simple Query replaces the unnamed statement and the unnamed portal."""
        self.statements.confirmed.pop("", None)
        self.portals.confirmed.pop("", None)

    def end_transaction(self, *, is_commit: bool) -> None:
        """Portals end with their transaction, except cursors WITH HOLD that were committed."""
        self._savepoints.clear()
        portals = self.portals.confirmed
        for name, portal in list(portals.items()) if portals else ():
            portal.is_kept |= portal.is_hold and is_commit
            if not portal.is_kept:
                del portals[name]

    def apply(self, effect: fx.SessionEffect, make: Maker) -> None:
        """A statement with this effect has succeeded."""
        match effect:
            case fx.PrepareStatement(name, inner):
                self.statements.confirmed[name] = make.prepared(name, inner)
            case fx.Deallocate(name):
                _remove(self.statements.confirmed, name)
            case fx.DeclareCursor(name, inner, is_hold):
                self.portals.confirmed[name] = make.cursor(inner, is_hold)
            case fx.CloseCursor(name):
                _remove(self.portals.confirmed, name)
            case fx.Discard("all"):
                self.statements.confirmed.clear()
                self.portals.confirmed.clear()
            case fx.Commit() | fx.PrepareTransaction():
                self.end_transaction(is_commit=True)
            case fx.Rollback():
                self.end_transaction(is_commit=False)
            case fx.Savepoint(name):
                self._savepoints.append((name, frozenset(self.portals.confirmed)))
            case fx.Release(name):
                self._cut(name, keep=False)
            case fx.RollbackTo(name):
                self._rollback_to(name)
            case _:
                pass  # settings and temporary names are the tracker's

    def _rollback_to(self, name: str) -> None:
        before = self._cut(name, keep=True)
        if before is not None:
            portals = self.portals.confirmed
            for opened in portals.keys() - before:
                del portals[opened]

    def _cut(self, name: str, *, keep: bool) -> frozenset[str] | None:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                before = self._savepoints[index][1]
                del self._savepoints[index + keep :]
                return before
        return None


def _remove(table: dict[str, T], name: str | None) -> None:
    if name is None:
        table.clear()
    else:
        table.pop(name, None)
