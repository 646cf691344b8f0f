"""What analysis is given and what it answers.

Laws: everything here is frozen and can be pickled, since long texts are analysed in another process;
`View.key` and `SessionFacts.key` are cheap, so that a caller can cache by (text, view, facts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from narrows.inspect.sql import compared, labelled
from narrows.inspect.sql.effects import SessionEffect
from narrows.inspect.sql.facts import SessionFacts
from narrows.model.copy import Copy
from narrows.model.label import DatabaseLabels
from narrows.model.reach import Reach
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource
from narrows.model.snapshot import Snapshot
from narrows.model.statement import Fact, Operation, Parameter, Protocol, Statement


class Kind(StrEnum):
    """The class of a statement; more precise than its operations, coarser than its command tag."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    COPY = "copy"
    CREATE_AS = "create_as"
    TRUNCATE = "truncate"
    CREATE = "create"
    ALTER = "alter"
    DROP = "drop"
    COMMENT = "comment"
    GRANT = "grant"
    REVOKE = "revoke"
    LOCK = "lock"
    MAINTAIN = "maintain"
    REFRESH = "refresh"
    DO = "do"
    CALL = "call"
    LISTEN = "listen"
    NOTIFY = "notify"
    LOAD = "load"
    SERVER = "server"
    EXPLAIN = "explain"
    PREPARE = "prepare"
    EXECUTE = "execute"
    DEALLOCATE = "deallocate"
    DECLARE = "declare"
    FETCH = "fetch"
    CLOSE = "close"
    SET = "set"
    SHOW = "show"
    DISCARD = "discard"
    TRANSACTION = "transaction"
    EMPTY = "empty"


@dataclass(frozen=True)
class View:
    """What is known of the target when a statement is analysed."""

    snapshot: Snapshot
    labels: DatabaseLabels = field(default_factory=DatabaseLabels)
    versions: Mapping[str, str] = field(default_factory=dict)
    export_rows: int = 10_000
    """A read of labelled tables known to be smaller than this many rows is no export."""

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Two views with equal keys give equal analyses."""
        return (
            self.snapshot.id,
            self.snapshot.connection,
            self.snapshot.database,
            self.export_rows,
            tuple(sorted(self.versions.items())),
            hash(frozenset(self.labels.columns.items())),
            hash(self.labels.trusted_functions),
        )

    @cached_property
    def labelled(self) -> labelled.LabelIndex:
        """The labelled columns with their closure over inheritance, foreign keys, generation and triggers."""
        from narrows.inspect.sql import triggers  # what a trigger writes is analysed under a View

        return triggers.index(self)

    @cached_property
    def all_labels(self) -> frozenset[str]:
        """Every label of the database."""
        return frozenset[str]().union(*self.labelled.labels.values())

    @cached_property
    def table_sources(self) -> dict[int, Any]:
        """Plain tables as FROM items (`scope.Source`), as far as they were asked for."""
        return {}

    @cached_property
    def view_looks(self) -> dict[int, Any]:
        """What the target's views show (`views.Look`), as far as it was asked for."""
        return {}

    def __getstate__(self) -> dict[str, object]:
        return {name: self.__dict__[name] for name in ("snapshot", "labels", "versions", "export_rows")}


@dataclass(frozen=True, slots=True)
class Analysed:
    """One statement of a text."""

    kind: Kind
    tag: str
    """What the target's command tag begins with, such as `SELECT`."""
    text: str
    """Its slice of the source, as sent: secrets are still in it. Of what PREPARE and DECLARE name, the
    redacted text of that PREPARE or DECLARE: EXECUTE parses it again, since names are resolved anew."""
    operations: tuple[Operation, ...] = ()
    reach: Reach = field(default_factory=Reach)
    effects: tuple[SessionEffect, ...] = ()
    copy: Copy | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    names_statement: str | None = None
    """The prepared statement that EXECUTE runs."""
    names_portal: str | None = None
    """The cursor that FETCH or MOVE reads."""
    returns_rows: bool = False
    takes_snapshot: bool = False
    """It takes a snapshot at the target, so that SET TRANSACTION ISOLATION LEVEL is too late after it."""
    changes_schema: bool = False
    """Once it has succeeded, the schema snapshot is out of date."""
    is_doubtful: bool = False
    """What it changes of the schema is not told by its effects: until the snapshot is read again, names may mean
    anything."""
    is_barrier: bool = False
    """It changes what later statements mean: a pipeline waits for its end before analysing the next."""
    is_transaction_control: bool = False
    has_own_transaction: bool = False
    """It cannot run inside a transaction block (VACUUM, CREATE DATABASE...)."""
    may_change_session: bool = False
    """It runs code that may change settings unseen: ask the target for them before the next statement."""

    @property
    def needs_clean_errors(self) -> bool:
        """Errors and notices could carry labelled values."""
        return not self.reach.is_clean


@dataclass(frozen=True, slots=True)
class SessionState:
    """What of the session gives a statement its meaning."""

    facts: SessionFacts = field(default_factory=SessionFacts)
    prepared: Mapping[str, Analysed] = field(default_factory=dict)
    cursors: Mapping[str, Analysed] = field(default_factory=dict)
    in_block: bool = False


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer for one text: its statements in order, or why it is refused; `parts` is empty then."""

    parts: tuple[Analysed, ...]
    text_redacted: str
    refusal: Refusal | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        kinds = {part.kind for part in self.parts}
        if len(kinds) == 1:
            return next(iter(kinds)).value
        return "multi" if kinds else "empty" if self.refusal is None else "unknown"

    @property
    def reach(self) -> Reach:
        """The union of the parts' reaches."""
        return merge_reaches(part.reach for part in self.parts)

    @property
    def is_barrier(self) -> bool:
        return any(part.is_barrier for part in self.parts)

    @property
    def changes_schema(self) -> bool:
        return any(part.changes_schema for part in self.parts)

    @property
    def awaits_arrays(self) -> bool:
        """How many values something is compared with is known only once its parameters are bound."""
        return any(operation.arrays for part in self.parts for operation in part.operations)

    def operations(self, parameters: Sequence[Parameter] = ()) -> tuple[Operation, ...]:
        """What all parts need together, with what the parameters hold counted."""
        found = _operations(self.parts)
        return compared.all_counted(found, compared.bound(parameters)) if self.awaits_arrays else found

    def statement(self, parameters: tuple[Parameter, ...] = ()) -> Statement:
        """The whole text as one Statement: every part's operations, decided together."""
        return Statement(
            protocol=Protocol.POSTGRES,
            kind=self.kind,
            text=self.text_redacted,
            operations=self.operations(parameters),
            disclosures=_columns(part.reach for part in self.parts),
            parameters=parameters,
            facts=_facts(self.parts),
            refusal=self.refusal,
            versions=self.versions,
            compares_anew=not all(part.kind in COMPARES_NOTHING for part in self.parts),
        )


COMPARES_NOTHING = frozenset({Kind.PREPARE, Kind.FETCH})
"""What they compare with is counted at EXECUTE, and was counted at DECLARE or Bind."""


def merge_reaches(reaches: Iterable[Reach]) -> Reach:
    """What any of them reaches, by any of their ways."""
    every = tuple(reaches)
    is_derived = any(each.is_derived for each in every)
    is_unknown = any(each.is_unknown for each in every)
    return Reach(_columns(every), is_derived, is_unknown)


def _columns(reaches: Iterable[Reach]) -> dict[Resource, frozenset[str]]:
    columns: dict[Resource, frozenset[str]] = {}
    for reach in reaches:
        columns.update(reach.columns)
    return columns


def operation_key(operation: Operation) -> tuple[object, ...]:
    """Equal for operations that ask the same of policy, whatever the number of values; see `compared.united`."""
    if not operation.facts:
        return (operation.action, operation.resource, operation.labels)
    facts = tuple(
        sorted((name, str(value)) for name, value in operation.facts.items() if name != compared.FACT)
    )
    return (operation.action, operation.resource, operation.labels, facts)


def _operations(parts: tuple[Analysed, ...]) -> tuple[Operation, ...]:
    if len(parts) == 1:
        return parts[0].operations
    found: dict[tuple[object, ...], Operation] = {}
    for part in parts:
        for each in part.operations:
            key = operation_key(each)
            found[key] = compared.united(found[key], each) if key in found else each
    return tuple(found.values())


def _facts(parts: tuple[Analysed, ...]) -> dict[str, Fact]:
    facts = [part.facts for part in parts if part.facts]
    merged = facts[0] if len(facts) == 1 else _merged(facts) if facts else {}
    kinds = frozenset([part.kind.value for part in parts])
    return {**NO_FACTS, **merged, "kinds": kinds, "is_multi": len(parts) > 1}


def _merged(facts: Sequence[Mapping[str, Fact]]) -> dict[str, Fact]:
    return {name: merge([each[name] for each in facts]) for name, merge in FACTS.items()}


def _all(values: Sequence[Fact]) -> Fact:
    return all(values)


def _any(values: Sequence[Fact]) -> Fact:
    return any(values)


def _most(values: Sequence[Fact]) -> Fact:
    """The greatest count; -1, which is unknown, is greater than any."""
    counts = [value for value in values if isinstance(value, int)]
    return -1 if -1 in counts else max(counts, default=-1)


def _common(values: Sequence[Fact]) -> Fact:
    return frozenset.intersection(*(value for value in values if isinstance(value, frozenset)))


def _union(values: Sequence[Fact]) -> Fact:
    return frozenset[str]().union(*(value for value in values if isinstance(value, frozenset)))


FACTS: dict[str, Callable[[Sequence[Fact]], Fact]] = {
    "is_bounded": _all,
    "has_limit": _all,
    "limit": _most,
    "rows_estimate": _most,
    "constant_filters": _common,
    "touches": _union,
    "is_derived": _any,
    "is_unknown": _any,
    "has_triggers": _any,
    "settings": _union,
}
"""Each fact of a statement that policy sees in `context`, and how those of several statements become one:
always the reading that is harder to permit."""

NO_FACTS: dict[str, Fact] = {
    "is_bounded": True,
    "has_limit": True,
    "limit": 0,
    "rows_estimate": 0,
    "constant_filters": frozenset(),
    "touches": frozenset(),
    "is_derived": False,
    "is_unknown": False,
    "has_triggers": False,
    "settings": frozenset(),
}
"""The facts of a statement that reads and writes no table."""
