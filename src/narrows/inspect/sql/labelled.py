"""Which columns bear labels once inheritance, foreign keys and generated columns are followed.

Laws: a column that shares its values with a labelled one is labelled as well: the same-named column of an
inheritance or partition parent or child, a column that references it, a column generated from it.
Labels of a relation that the snapshot does not know are kept by name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.model.label import ColumnKey, DatabaseLabels
from narrows.model.resource import Resource, ResourceKind
from narrows.model.snapshot import Relation, Snapshot

Taint = frozenset[Resource]
"""The labelled columns whose values something may carry."""
CLEAN: Taint = frozenset()

_WORD = re.compile(r'"(?:[^"]|"")+"|[^\W\d]\w*')


@dataclass(frozen=True, slots=True)
class LabelIndex:
    """The labelled columns of one database."""

    labels: Mapping[Resource, frozenset[str]] = field(default_factory=dict)
    by_relation: Mapping[tuple[str, str], Mapping[str, Resource]] = field(default_factory=dict)
    """(schema, relation) -> column name -> the labelled column."""
    made: frozenset[Resource] = frozenset()
    """Those whose values are made of labelled ones (generated, or written by a trigger): no rung but the strictest fits."""

    def of(self, schema: str, relation: str) -> Mapping[str, Resource]:
        return self.by_relation.get((schema, relation), {})

    def label_set(self, taint: Taint) -> frozenset[str]:
        return frozenset().union(*(self.labels[column] for column in taint)) if taint else frozenset()


def column_resource(snapshot: Snapshot, schema: str, relation: str, column: str) -> Resource:
    path = (snapshot.connection, snapshot.database, schema, relation, column)
    return Resource(ResourceKind.COLUMN, path, snapshot.is_home)


def build_index(
    snapshot: Snapshot, labels: DatabaseLabels, written: Mapping[ColumnKey, frozenset[str]] | None = None
) -> LabelIndex:
    """The closure of the labels over the snapshot; `written` are columns that triggers fill, with their labels."""
    own = {key: frozenset(names) for key, names in labels.columns.items() if names}
    made: set[ColumnKey] = set(written or ())
    found = _closure(snapshot, own, written or {}, made) if own else {}
    by_relation: dict[tuple[str, str], dict[str, Resource]] = defaultdict(dict)
    by_resource: dict[Resource, frozenset[str]] = {}
    for (schema, relation, column), names in found.items():
        resource = column_resource(snapshot, schema, relation, column)
        by_relation[schema, relation][column] = resource
        by_resource[resource] = names
    derived = frozenset(column_resource(snapshot, *key) for key in made if key not in own)
    return LabelIndex(by_resource, dict(by_relation), derived)


Marks = dict[ColumnKey, frozenset[str]]


def _closure(
    snapshot: Snapshot, own: Marks, written: Mapping[ColumnKey, frozenset[str]], made: set[ColumnKey]
) -> Marks:
    marks: Marks = dict(own)
    for key, names in written.items():
        marks[key] = marks.get(key, frozenset()) | names
    links = _links(snapshot)
    generated = [relation for relation in snapshot.relations.values() if _generated(relation)]
    pending = list(marks)
    while pending:
        key = pending.pop()
        computed = _from_generation(generated, key)
        made.update(computed)
        for other in links.get(key, []) + computed:
            names = marks.get(other, frozenset()) | marks[key]
            if key in made:
                made.add(other)
            if names != marks.get(other):
                marks[other] = names
                pending.append(other)
    return marks


def _links(snapshot: Snapshot) -> dict[tuple[str, str, str], list[tuple[str, str, str]]]:
    """Column -> the columns that share its values."""
    links: dict[tuple[str, str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for child in snapshot.relations.values():
        for parent in (snapshot.relations[oid] for oid in child.parents if oid in snapshot.relations):
            for name in {column.name for column in child.columns} & {
                column.name for column in parent.columns
            }:
                one, other = (child.schema, child.name, name), (parent.schema, parent.name, name)
                links[one].append(other)
                links[other].append(one)
    for foreign in snapshot.foreign_keys:
        referencing = _key(snapshot, foreign.relation, foreign.attnum)
        referenced = _key(snapshot, foreign.target, foreign.target_attnum)
        if referencing and referenced:
            links[referenced].append(referencing)
    return links


def _key(snapshot: Snapshot, oid: int, attnum: int) -> tuple[str, str, str] | None:
    relation = snapshot.relations.get(oid)
    for column in relation.columns if relation else ():
        if column.attnum == attnum and relation:
            return (relation.schema, relation.name, column.name)
    return None


def _generated(relation: Relation) -> bool:
    return any(column.is_generated for column in relation.columns)


def _from_generation(relations: list[Relation], key: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    """The generated columns of the same relation whose expression names that column."""
    schema, name, source = key
    return [
        (schema, name, column.name)
        for relation in relations
        if (relation.schema, relation.name) == (schema, name)
        for column in relation.columns
        if column.is_generated and column.name != source and source in _names(column.default or "")
    ]


def _names(expression: str) -> set[str]:
    return {word.strip('"').replace('""', '"') for word in _WORD.findall(expression)}
