"""Plays both sides of a session against the machine, and the gate between them.

talk.client(...)      the client sends            talk.to_upstream(...)  what the target must have got since
talk.target(...)      the target answers          talk.to_client(...)    what the client must have got since
talk.asked(text)      the gate was asked          talk.allow() / talk.deny() / talk.later
talk.finished(...)    how settled statements ended

Bytes go in whole or, with `chunk=1`, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from narrows.inspect.sql import analyse
from narrows.inspect.sql.analysis import View
from narrows.model.label import DatabaseLabels, Label, Labels, Rung
from narrows.model.outcome import Outcome
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.snapshot import Column, Function, Relation, RelationKind, Snapshot
from narrows.model.statement import Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict, mint
from narrows.relay.machine import (
    Analyse,
    Ask,
    Cancel,
    Close,
    Command,
    Finished,
    Hold,
    Own,
    SchemaChanged,
    Send,
    Side,
    Withdraw,
)
from narrows.relay.postgres.refusal import RESERVED
from narrows.relay.postgres.session import Session
from narrows.relay.postgres.settings import Context
from narrows.wire.postgres import backend, frontend

INT, TEXT = 23, 25
CUSTOMERS = Relation(
    16400,
    "public",
    "customers",
    RelationKind.TABLE,
    (
        Column("id", 1, INT, "integer"),
        Column("name", 2, TEXT, "text"),
        Column("ssn", 3, TEXT, "text"),
    ),
)
NOTES = Relation(
    16410,
    "public",
    "notes",
    RelationKind.TABLE,
    (Column("id", 1, INT, "integer"), Column("body", 2, TEXT, "text")),
)
OPAQUE = Function(16500, "public", "opaque", "f", "plpgsql", "v")
SNAPSHOT = Snapshot(
    id="snapshot-1",
    connection="shop",
    database="shop",
    is_home=True,
    server_version=150000,
    taken_at=0.0,
    relations={CUSTOMERS.oid: CUSTOMERS, NOTES.oid: NOTES},
    by_name={("public", "customers"): CUSTOMERS, ("public", "notes"): NOTES},
    functions={("public", "opaque"): (OPAQUE,)},
    schemas=frozenset({"public"}),
    role="app",
)
SSN = ("public", "customers", "ssn")
LABELLED = DatabaseLabels({SSN: frozenset({"pii"})})
LABELS = Labels({"pii": Label("pii")}, {("shop", "shop"): LABELLED}, "labels-1")
VIEW = View(SNAPSHOT, LABELLED)
PLAIN_VIEW = View(SNAPSHOT)

DENIED = Refusal(Reason.FORBIDDEN, "no", rule="rule-1")


@dataclass
class Talk:
    """One session and everything it did."""

    view: View = VIEW
    labels: Labels = LABELS
    chunk: int | None = None
    context: Context = field(init=False)
    session: Session = field(init=False)
    asks: list[tuple[Hold, Statement]] = field(default_factory=list)
    analyses: list[tuple[Hold, str]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    others: list[Command] = field(default_factory=list)
    """Commands other than Send, Ask, Analyse and Finished."""
    _out: dict[Side, bytearray] = field(default_factory=lambda: {side: bytearray() for side in Side})
    records: int = 0

    def __post_init__(self) -> None:
        self.context = Context(self.view, self.labels, Secret("k" * 32))
        self.session = Session(self.context)

    # -- saying

    def client(self, *messages: frontend.FrontendMessage) -> Talk:
        return self.feed(Side.CLIENT, b"".join(map(frontend.build, messages)))

    def target(self, *messages: backend.BackendMessage) -> Talk:
        return self.feed(Side.UPSTREAM, said(*messages))

    def feed(self, side: Side, data: bytes) -> Talk:
        step = self.chunk or len(data) or 1
        for at in range(0, len(data), step):
            self.did(self.session.receive(side, data[at : at + step]))
        return self

    def did(self, commands: Iterable[Command]) -> Talk:
        for command in commands:
            match command:
                case Send(to, data):
                    self._out[to] += data
                case Ask(hold, statement):
                    self.asks.append((hold, statement))
                case Analyse(hold, text):
                    self.analyses.append((hold, text))
                case Finished(outcome):
                    self.outcomes.append(outcome)
                case _:
                    self.others.append(command)
        return self

    # -- the gate

    def asked(self, *texts: str) -> Talk:
        assert [statement.text for _, statement in self.asks] == list(texts)
        return self

    def allow(self, rung: Rung = Rung.NONE) -> Talk:
        hold, statement = self.asks.pop(0)
        masks = MaskObligation(dict.fromkeys(statement.disclosures, rung))
        settled = mint(self._record(), Verdict(Effect.ALLOW, obligations=(masks,)), None)
        return self.did(self.session.resume(hold, settled))

    def deny(self, refusal: Refusal = DENIED) -> Talk:
        hold, statement = self.asks.pop(0)
        told = statement.refusal or refusal
        return self.did(self.session.resume(hold, mint(self._record(), None, told)))

    def _record(self) -> str:
        self.records += 1
        return f"r{self.records}"

    def analysed(self) -> Talk:
        hold, text = self.analyses.pop(0)
        return self.did(self.session.analysed(hold, analyse(text, self.session.view, self.session.state)))

    # -- looking

    def to_client(self, *messages: backend.BackendMessage) -> Talk:
        return self._got(Side.CLIENT, said(*messages))

    def to_upstream(self, *messages: frontend.FrontendMessage) -> Talk:
        return self._got(Side.UPSTREAM, b"".join(map(frontend.build, messages)))

    def _got(self, side: Side, data: bytes) -> Talk:
        found = bytes(self._out[side])
        self._out[side].clear()
        assert found == data, f"{side}: {found!r} instead of {data!r}"
        return self

    def taken(self, side: Side) -> bytes:
        found = bytes(self._out[side])
        self._out[side].clear()
        return found

    def refusal_to_client(self, sqlstate: str, *then: backend.BackendMessage) -> Talk:
        """An ErrorResponse with this SQLSTATE, then these."""
        data = self.taken(Side.CLIENT)
        assert data[:1] == b"E", data
        size = int.from_bytes(data[1:5], "big")
        assert backend.parse_error_response(data[5 : size + 1]).fields["C"] == sqlstate
        assert data[size + 1 :] == said(*then)
        return self

    def finished(self, *ends: str) -> Talk:
        """`record status` of each statement that ended since."""
        assert [f"{outcome.record} {outcome.status}" for outcome in self.outcomes] == list(ends)
        self.outcomes.clear()
        return self

    def other(self, *kinds: type) -> Talk:
        assert [type(command) for command in self.others] == list(kinds), self.others
        self.others.clear()
        return self


# -- what the target says

READY = backend.ReadyForQuery("I")
IN_BLOCK = backend.ReadyForQuery("T")
FAILED = backend.ReadyForQuery("E")
PARSED, BOUND, CLOSED = backend.ParseComplete(), backend.BindComplete(), backend.CloseComplete()
NO_DATA, SUSPENDED, EMPTY = backend.NoData(), backend.PortalSuspended(), backend.EmptyQueryResponse()


def said(*messages: backend.BackendMessage) -> bytes:
    """These messages as they stand on the wire."""
    return b"".join([backend.build(message) for message in messages])


def complete(tag: str) -> backend.CommandComplete:
    return backend.CommandComplete(tag)


def row(*values: bytes | None) -> backend.DataRow:
    return backend.DataRow(values)


def fields(*names: str, format: int = 0) -> backend.RowDescription:  # noqa: A002 - the protocol's word
    """`id`, `name`, `ssn` are columns of customers; anything else is an expression of type text."""
    return backend.RowDescription(tuple(_field(name, format) for name in names))


def _field(name: str, format_: int) -> backend.Field:
    column = CUSTOMERS.column(name)
    if column is None:
        return backend.Field(name, 0, 0, TEXT, -1, -1, format_)
    return backend.Field(name, CUSTOMERS.oid, column.attnum, column.type_oid, -1, -1, format_)


def foretold(text: str) -> tuple[frontend.FrontendMessage, ...]:
    """What goes before a Query with effects."""
    close = frontend.Close("S", RESERVED)
    return (
        close,
        frontend.Parse(RESERVED, text),
        frontend.Describe("S", RESERVED),
        close,
        frontend.Sync(),
    )


def foretelling(
    result: backend.RowDescription | backend.NoData, ready: backend.ReadyForQuery = READY
) -> tuple[backend.BackendMessage, ...]:
    """The target's answer to it."""
    return (CLOSED, PARSED, backend.ParameterDescription(()), result, CLOSED, ready)


def error(sqlstate: str, message: str = "m", **more: str) -> backend.ErrorResponse:
    return backend.ErrorResponse({"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": message, **more})


SYNTAX_ERROR = error("42601", 'syntax error at or near "narrows"')

__all__ = ["Cancel", "Close", "Own", "SchemaChanged", "Withdraw"]
