"""Which attribute of which relation bears which labels, by the numbers that a RowDescription carries.

Law: a column of a child or partition bears what its parents' columns of the same name bear, and a column of
a parent what its children's do, for reading the parent reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.masking import types
from narrows.model.label import Labels
from narrows.model.resource import Resource, ResourceKind
from narrows.model.snapshot import Relation, Snapshot

Attribute = tuple[int, int]
"""(relation oid, attnum)"""


@dataclass(frozen=True, slots=True)
class Bearers:
    """The labelled attributes of one snapshot under one version of the labels."""

    snapshot: Snapshot = field(repr=False)
    labels: Mapping[Attribute, frozenset[str]]
    names: Mapping[Attribute, str] = field(repr=False)
    named_text: frozenset[int]

    def resource(self, oid: int, attnum: int) -> Resource | None:
        """The column as policy knows it."""
        name = self.names.get((oid, attnum))
        if name is None:
            return None
        relation = self.snapshot.relations[oid]
        path = (self.snapshot.connection, self.snapshot.database, relation.schema, relation.name, name)
        return Resource(ResourceKind.COLUMN, path, self.snapshot.is_home)


_KNOWN: dict[tuple[int, int], tuple[Snapshot, Labels, Bearers]] = {}
"""By the identity of a snapshot and of labels; both are kept, so that their identities stay theirs."""
_KNOWN_LIMIT = 32


def bearers_of(snapshot: Snapshot, labels: Labels) -> Bearers:
    """The bearers, made once for each snapshot and labels; equal ids are not trusted to mean equal OIDs."""
    key = (id(snapshot), id(labels))
    known = _KNOWN.get(key)
    if known is not None:
        return known[2]
    while len(_KNOWN) >= _KNOWN_LIMIT:
        _KNOWN.pop(next(iter(_KNOWN)))
    made = build_bearers(snapshot, labels)
    _KNOWN[key] = (snapshot, labels, made)
    return made


def build_bearers(snapshot: Snapshot, labels: Labels) -> Bearers:
    """Every labelled attribute, inheritance included."""
    of_database = labels.of(snapshot.connection, snapshot.database).columns
    family = _families(snapshot)
    found: dict[Attribute, frozenset[str]] = {}
    for relation in snapshot.relations.values():
        for column in relation.columns:
            borne = frozenset[str]().union(
                *(
                    of_database.get((member.schema, member.name, column.name), frozenset())
                    for member in family[relation.oid]
                )
            )
            if borne:
                found[relation.oid, column.attnum] = borne
    each = [(relation.oid, column) for relation in snapshot.relations.values() for column in relation.columns]
    names = {(oid, column.attnum): column.name for oid, column in each}
    return Bearers(snapshot, found, names, types.named_text((one.type_oid, one.type_name) for _, one in each))


def _families(snapshot: Snapshot) -> dict[int, list[Relation]]:
    """Each relation with everything above and below it in its inheritance tree; siblings are no kin."""
    kin: dict[int, set[int]] = {oid: {oid} for oid in snapshot.relations}
    for oid in snapshot.relations:
        for ancestor in _ancestors(oid, snapshot):
            kin[oid].add(ancestor)
            kin[ancestor].add(oid)
    return {oid: [snapshot.relations[member] for member in sorted(members)] for oid, members in kin.items()}


def _ancestors(oid: int, snapshot: Snapshot) -> set[int]:
    found: set[int] = set()
    todo = [oid]
    while todo:
        for parent in snapshot.relations[todo.pop()].parents:
            if parent in snapshot.relations and parent not in found:
                found.add(parent)
                todo.append(parent)
    return found
