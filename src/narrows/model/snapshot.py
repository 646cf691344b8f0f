"""What we know of a target's schema at one version; everything name resolution and masking may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class RelationKind(StrEnum):
    """PostgreSQL's pg_class.relkind."""

    TABLE = "r"
    PARTITIONED = "p"
    VIEW = "v"
    MATERIALIZED = "m"
    FOREIGN = "f"
    SEQUENCE = "S"
    INDEX = "i"
    PARTITIONED_INDEX = "I"
    COMPOSITE = "c"
    TOAST = "t"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    attnum: int
    """PostgreSQL's attribute number, from 1."""
    type_oid: int
    type_name: str
    is_generated: bool = False
    default: str | None = None
    """The expression of a default or generated column, as pg_get_expr prints it."""


@dataclass(frozen=True)
class Relation:
    oid: int
    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...] = ()
    rows_estimate: int = -1
    """pg_class.reltuples; -1 where never analysed."""
    parents: tuple[int, ...] = ()
    """OIDs of what it inherits from or is a partition of."""
    owner: str = ""
    definition: str | None = None
    """A view's query."""
    triggers: tuple[int, ...] = ()
    """OIDs of the functions that triggers on it run."""
    rules: tuple[str, ...] = ()
    """Its rules but a view's own, as pg_get_ruledef prints them."""
    keys: tuple[tuple[int, ...], ...] = ()
    """The attribute numbers of each unique key."""

    @property
    def has_triggers(self) -> bool:
        return bool(self.triggers)

    @property
    def has_rules(self) -> bool:
        return bool(self.rules)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column | None:
        return self._by_name.get(name)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_by_name"}


@dataclass(frozen=True, slots=True)
class Function:
    oid: int
    schema: str
    name: str
    kind: str
    """pg_proc.prokind: f function, p procedure, a aggregate, w window."""
    language: str
    volatility: str
    """i immutable, s stable, v volatile."""
    is_definer: bool = False
    returns_set: bool = False
    extension: str | None = None
    body: str | None = None
    """Of a function in SQL that runs as its caller and under its caller's settings, and of a trigger's function."""
    parameters: tuple[str, ...] = ()
    """Its inputs' names, the empty string for one without; none where it has none by name."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One column of a foreign key: (relation oid, attnum) refers to (relation oid, attnum)."""

    relation: int
    attnum: int
    target: int
    target_attnum: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a database's schema.

    `id` is a digest of the content, so that two equal schemas have the same id.
    """

    id: str
    connection: str
    database: str
    is_home: bool
    server_version: int
    """server_version_num, such as 150013."""
    taken_at: float
    """Seconds since the epoch."""
    relations: Mapping[int, Relation] = field(default_factory=dict)
    by_name: Mapping[tuple[str, str], Relation] = field(default_factory=dict)
    """(schema, name) -> relation."""
    functions: Mapping[tuple[str, str], tuple[Function, ...]] = field(default_factory=dict)
    """(schema, name) -> every overload; pg_catalog included."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    operators: frozenset[tuple[str, str]] = frozenset()
    """(schema, symbol) of operators outside pg_catalog that belong to no extension: they run user code."""
    schemas: frozenset[str] = frozenset()
    default_search_path: tuple[str, ...] = ("$user", "public")
    """As the target's role has it at sign-in."""
    role: str = ""
    """The role that the gateway's credential signs in as."""
