"""Analyses by exact text, shared by sessions that see the same schema through the same facts.

Laws: one is reused only under equal view, facts and block state; one that depends on a session's prepared
statements or cursors, or was refused (perhaps for the lack of one), never is; the cache is bounded in entries and in bytes of text.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from narrows.core import Plan
from narrows.inspect.sql.analysis import Analysed, Analysis, Kind, View
from narrows.inspect.sql.effects import Release, Savepoint
from narrows.inspect.sql.facts import SessionFacts
from narrows.model.action import EFFECTS
from narrows.model.copy import CopyDirection
from narrows.model.reach import Reach
from narrows.model.resource import Resource, ResourceKind
from narrows.model.statement import Operation, Parameter, Statement
from narrows.model.verdict import MaskObligation
from narrows.wire.postgres.backend import Field, parse_row_description

BASES = 256
DESCRIPTIONS = 8
"""Per text: result formats differ between callers, rarely within one."""
SIZES = 16
"""Per text: lists differ in length, and what was made of one length serves again."""
ENTRIES = 5_000
BYTES = 16 * 1024 * 1024
"""Of text, over all bases; what is known of a text takes several times as much."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """The fields of a result as the target described them; one object for equal descriptions of one text."""

    fields: tuple[Field, ...] = ()
    formats: tuple[int, ...] = ()


NO_FIELDS = Description()
"""It returns no rows; a row that comes all the same does not fit the plan of no columns."""


class Known:
    """One analysed text with what is derived from it once."""

    __slots__ = (
        "_by_sizes",
        "analysis",
        "awaits_arrays",
        "depends_on_names",
        "descriptions",
        "has_copy_in",
        "is_barrier",
        "is_described_first",
        "may_change_session",
        "parts",
        "plans",
        "reach",
        "returns_rows",
        "statement",
    )

    def __init__(self, analysis: Analysis) -> None:
        parts = analysis.parts
        self.analysis = analysis
        self.parts = parts
        self.reach: Reach = analysis.reach
        self.is_barrier = any(_is_barrier(part) for part in parts)
        self.has_copy_in = any(part.copy and part.copy.direction is CopyDirection.IN for part in parts)
        self.depends_on_names = any(map(_depends_on_names, parts))
        self.may_change_session = any(part.may_change_session for part in parts)
        self.returns_rows = any(part.returns_rows for part in parts)
        self.is_described_first = len(parts) == 1 and self.returns_rows and _has_effects(parts[0])
        self.statement: Statement = analysis.statement()
        self.awaits_arrays = analysis.awaits_arrays
        self._by_sizes: dict[tuple[object, ...], tuple[Operation, ...]] = {}
        self.plans: dict[tuple[object, ...], tuple[MaskObligation, Plan]] = {}
        self.descriptions: dict[bytes, Description] = {}

    @property
    def changes_schema(self) -> bool:
        return any(part.changes_schema for part in self.parts)

    def described(self, payload: bytes) -> Description:
        """The description in a RowDescription of this text."""
        found = self.descriptions.get(payload)
        if found is None:
            fields = parse_row_description(payload).fields
            if len(self.descriptions) >= DESCRIPTIONS:
                self.descriptions.clear()
            found = self.descriptions[payload] = Description(fields, tuple([each.format for each in fields]))
        return found

    def described_empty(self) -> Description:
        """It was described as returning no rows."""
        self.descriptions[b""] = NO_FIELDS
        return NO_FIELDS

    def bound(self, parameters: tuple[Parameter, ...]) -> Statement:
        """The statement with the values of one Bind; only now it is known how many values its arrays hold."""
        if not parameters:
            return self.statement
        if not self.awaits_arrays:
            return replace(self.statement, parameters=parameters)
        return replace(self.statement, parameters=parameters, operations=self._counted(parameters))

    def _counted(self, parameters: tuple[Parameter, ...]) -> tuple[Operation, ...]:
        """One object for equal numbers, since whoever renders or decides operations keeps them by identity."""
        counted = self.analysis.operations(parameters)
        key = tuple([operation.facts.get("values") for operation in counted])
        known = self._by_sizes.get(key)
        if known is None:
            if len(self._by_sizes) >= SIZES:
                self._by_sizes.clear()
            known = self._by_sizes[key] = counted
        return known


Basis = tuple[View, SessionFacts, bool, bool]
"""View, facts, whether in a block, and whether the block changed the schema in a way that facts do not tell."""

Key = tuple[object, ...]


class Cache:
    """Known texts by basis, bounded over all of them; the oldest go first. One per process, shared by its sessions."""

    def __init__(self, entries: int = ENTRIES, bytes_kept: int = BYTES, bases: int = BASES) -> None:
        self._entries = entries
        self._bytes_kept = bytes_kept
        self._bases = bases
        self._by_basis: dict[Key, Texts] = {}
        self._order: deque[tuple[Texts, str]] = deque()
        self.entries = 0
        self.bytes = 0

    def under(self, basis: Key) -> Texts:
        """The texts known under one basis; a session keeps it while its basis holds and it is not dropped."""
        texts = self._by_basis.get(basis)
        if texts is None:
            if len(self._by_basis) >= self._bases:
                self._drop(next(iter(self._by_basis)))
            texts = self._by_basis[basis] = Texts(self)
        return texts

    def kept(self, texts: Texts, text: str) -> None:
        """One more is known; the oldest of all make room for it."""
        self._order.append((texts, text))
        self.entries += 1
        self.bytes += len(text)
        while self.entries > self._entries or self.bytes > self._bytes_kept:
            oldest, forgotten = self._order.popleft()
            oldest.forget(forgotten)
            self.entries -= 1
            self.bytes -= len(forgotten)

    def _drop(self, basis: Key) -> None:
        """Too old: whoever still has it asks anew; its texts leave in their turn."""
        self._by_basis.pop(basis).is_dropped = True


class Texts:
    """What is known under one basis."""

    __slots__ = ("_by_text", "_cache", "is_dropped")

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._by_text: dict[str, Known] = {}
        self.is_dropped = False

    def get(self, text: str) -> Known | None:
        return self._by_text.get(text)

    def put(self, text: str, known: Known) -> None:
        is_new = not (known.depends_on_names or known.analysis.refusal is not None or text in self._by_text)
        if is_new and not self.is_dropped:
            self._by_text[text] = known
            self._cache.kept(self, text)

    def forget(self, text: str) -> None:
        del self._by_text[text]

    def __len__(self) -> int:
        return len(self._by_text)


def basis_of(view: View, facts: SessionFacts, in_block: bool, is_doubtful: bool) -> Key:
    """What equal analyses of one text need to have in common, over all sessions."""
    return (view.key, facts.key, in_block, is_doubtful)


def one(analysed: Analysed, view: View) -> Known:
    """A statement that SQL prepared or declared, on its own."""
    return Known(Analysis((analysed,), analysed.text, versions=view.versions))


def doubted(analysis: Analysis, view: View) -> Analysis:
    """The same analysis while the transaction has changed the schema in a way that nobody followed.

    Names may mean other objects than in the snapshot, so everything labelled is within reach.
    """
    reach = Reach(_all_labelled(view), is_derived=True, is_unknown=True)
    parts = tuple(
        part if part.is_transaction_control else replace(part, reach=reach) for part in analysis.parts
    )
    return replace(analysis, parts=parts)


def _all_labelled(view: View) -> dict[Resource, frozenset[str]]:
    snapshot = view.snapshot
    home = (snapshot.connection, snapshot.database)
    return {
        Resource(ResourceKind.COLUMN, (*home, *key), snapshot.is_home): labels
        for key, labels in view.labels.columns.items()
    }


def _has_effects(part: Analysed) -> bool:
    return any(operation.action in EFFECTS for operation in part.operations)


def _is_barrier(part: Analysed) -> bool:
    """A pipeline waits behind it; a savepoint alone changes nothing that analysis looks at."""
    if part.is_transaction_control:
        return not all(isinstance(effect, _HARMLESS) for effect in part.effects)
    return part.is_barrier or part.changes_schema or part.may_change_session


_HARMLESS = (Savepoint, Release)


def _depends_on_names(part: Analysed) -> bool:
    if part.kind is Kind.EXPLAIN:  # EXPLAIN EXECUTE
        return "execute" in part.text.lower()
    return part.kind in (Kind.EXECUTE, Kind.FETCH) or bool(part.names_statement or part.names_portal)
