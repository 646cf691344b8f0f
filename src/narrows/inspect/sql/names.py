"""Names -> what they stand for at the target, the way PostgreSQL looks them up.

Laws: temporary relations come first, then pg_catalog unless the path names it, then the search path; a name
that could stand for two things stands for both; what the snapshot does not know is unknown, never absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from narrows.inspect.sql import catalogue
from narrows.inspect.sql.facts import SessionFacts
from narrows.inspect.sql.overlay import TEMP, Overlaid
from narrows.inspect.sql.work import spend
from narrows.model.resource import Resource, ResourceKind
from narrows.model.snapshot import Function, Relation, RelationKind, Snapshot

PLAIN_KINDS = frozenset({RelationKind.TABLE, RelationKind.PARTITIONED, RelationKind.SEQUENCE})
"""Kinds whose rows are their own: nothing is computed when they are read."""
VIEWS = frozenset({RelationKind.VIEW, RelationKind.MATERIALIZED})


class Nature(Enum):
    PLAIN = "plain"
    SYSTEM = "system"
    VIEW = "view"
    """Its definition says what its columns carry, where it can be read."""
    OVERLAID = "overlaid"
    """This session has made or changed it, and knows what it holds."""
    OPAQUE = "opaque"
    """A foreign table, one with rules, or nothing the snapshot knows."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a relation's name stands for."""

    schema: str
    name: str
    nature: Nature
    relation: Relation | None = None
    overlaid: Overlaid | None = None

    @property
    def is_temp(self) -> bool:
        return self.schema == TEMP


class Names:
    """Name resolution under one snapshot and one session's facts."""

    def __init__(self, snapshot: Snapshot, facts: SessionFacts) -> None:
        self.snapshot = snapshot
        self.overlay = facts.overlay
        self.path = _path(snapshot, facts)
        spend(len(facts.search_path or ()))
        self.may_be_temp = any(_is_temp(each) for each in facts.search_path or ())
        """The path names the temporary schema: what is made without a schema may be temporary."""
        self._first = next(
            (each for each in facts.search_path or () if _is_temp(each) or each in self.path), ""
        )

    def relations(
        self, name: str, schema: str | None = None, catalog: str | None = None
    ) -> tuple[Found, ...]:
        """What the name stands for: one thing, or two where a temporary relation may hide another."""
        if catalog is not None and catalog != self.snapshot.database:
            return (Found(schema or "public", name, Nature.OPAQUE),)
        if schema is not None:
            return (self._qualified(schema, name),)
        hidden = self._unqualified(name)
        temporary = self._temporary(name)
        if temporary is None:
            return (hidden,)
        is_missing = hidden.nature is Nature.OPAQUE and hidden.relation is None
        is_sure = temporary.overlaid is not None and temporary.overlaid.is_sure and not self.may_be_temp
        return (temporary,) if is_missing or is_sure else (temporary, hidden)

    def is_temp(self, schema: str | None) -> bool:
        """Whether what is made in that schema, or in none that is named, is temporary."""
        if schema is not None:
            return _is_temp(schema)
        return self.may_be_temp and _is_temp(self._first)

    def functions(self, name: str, schema: str | None) -> list[tuple[str, tuple[Function, ...]]]:
        """Every user function that the name could call, by schema."""
        schemas = self.path if schema is None else (schema,)
        spend(2 * len(schemas))
        known = self.snapshot.functions
        return [
            (each, known[each, name]) for each in schemas if each != "pg_catalog" and (each, name) in known
        ]

    def table(self, schema: str, name: str) -> Resource:
        return self._resource(ResourceKind.TABLE, schema, name)

    def function(self, schema: str, name: str) -> Resource:
        return self._resource(ResourceKind.FUNCTION, schema, name)

    def schema(self, name: str) -> Resource:
        return self._resource(ResourceKind.SCHEMA, name)

    def database(self, name: str | None = None) -> Resource:
        own = self.snapshot
        if name is None or name == own.database:
            return self._resource(ResourceKind.DATABASE)
        return Resource(ResourceKind.DATABASE, (own.connection, name), False)

    def connection(self) -> Resource:
        return Resource(ResourceKind.CONNECTION, (self.snapshot.connection,))

    def role(self, name: str) -> Resource:
        return Resource(ResourceKind.ROLE, (self.snapshot.connection, name))

    @property
    def creation_schema(self) -> str:
        """Where an unqualified CREATE puts its object."""
        return next((each for each in self.path if each != "pg_catalog"), "public")

    def _resource(self, kind: ResourceKind, *names: str) -> Resource:
        own = self.snapshot
        return Resource(kind, (own.connection, own.database, *names), own.is_home)

    def _temporary(self, name: str) -> Found | None:
        """The session's own relation of that name, which comes before any other."""
        overlaid = self.overlay.get(TEMP, name)
        return None if overlaid is None else Found(TEMP, name, Nature.OVERLAID, overlaid=overlaid)

    def _qualified(self, schema: str, name: str) -> Found:
        if _is_temp(schema):
            return self._temporary(name) or Found(TEMP, name, Nature.OPAQUE)
        relation = self.snapshot.by_name.get((schema, name))
        overlaid = self.overlay.get(schema, name)
        if overlaid is not None:
            nature = Nature.OPAQUE if overlaid.is_gone else Nature.OVERLAID
            return Found(schema, name, nature, None if overlaid.is_gone else relation, overlaid)
        if catalogue.is_relation(schema, name, self.snapshot.server_version):
            return Found(schema, name, Nature.SYSTEM, relation)
        if relation is None:
            return Found(schema, name, Nature.OPAQUE)
        return Found(schema, name, _nature(relation), relation)

    def _unqualified(self, name: str) -> Found:
        for schema in self.path:
            spend(5)
            found = self._qualified(schema, name)
            if found.relation is not None or found.nature in (Nature.SYSTEM, Nature.OVERLAID):
                return found
        return Found(self.creation_schema, name, Nature.OPAQUE)


def _is_temp(schema: str) -> bool:
    return schema == "pg_temp" or schema.startswith("pg_temp_")


def _nature(relation: Relation) -> Nature:
    if relation.has_rules:
        return Nature.OPAQUE
    if relation.kind in PLAIN_KINDS:
        return Nature.PLAIN
    return Nature.VIEW if relation.kind in VIEWS else Nature.OPAQUE


def _path(snapshot: Snapshot, facts: SessionFacts) -> tuple[str, ...]:
    path = snapshot.default_search_path if facts.search_path is None else facts.search_path
    role = facts.role or facts.session_authorization or snapshot.role
    schemas = [role if each == "$user" else each for each in path]
    present = [
        each for each in schemas if each == "pg_catalog" or not snapshot.schemas or each in snapshot.schemas
    ]
    return tuple(present if "pg_catalog" in present else ["pg_catalog", *present])
