"""What a view's columns carry, read from its definition.

Law: a definition that cannot be analysed leaves its columns unknown, and what it reaches with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from narrows.inspect.sql import gather as gathering
from narrows.inspect.sql import query, tree, work
from narrows.inspect.sql.analysis import SessionState
from narrows.inspect.sql.facts import SessionFacts
from narrows.inspect.sql.limits import LIMITS
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.scope import Cell, Shape
from narrows.model.action import Action
from narrows.model.resource import Resource
from narrows.model.snapshot import Relation

MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Look:
    """One view, seen through."""

    shape: Shape | None = None
    """None where its columns cannot be told."""
    reached: Mapping[Resource, frozenset[str]] = field(default_factory=dict)
    hidden: frozenset[Resource] = frozenset()
    chosen_by: frozenset[Resource] = frozenset()
    """Labelled columns by which its definition selects, sorts or groups."""
    is_unknown: bool = True


UNKNOWN = Look()


def look(gather: gathering.Gather, relation: Relation) -> Look:
    """What a view of the snapshot shows."""
    if relation.definition is None or gather.view_depth >= MAX_DEPTH:
        return UNKNOWN
    memo: dict[int, Look] = gather.view.view_looks
    if relation.oid not in memo:
        memo[relation.oid] = _derive(gather, relation)
    return memo[relation.oid]


def _derive(gather: gathering.Gather, relation: Relation) -> Look:
    # Definitions are read with an empty search path: what they name without a schema is pg_catalog's.
    inner = gathering.Gather(gather.view, SessionState(SessionFacts(search_path=())), LIMITS)
    inner.view_depth = gather.view_depth + 1
    try:
        parsed = tree.parse(relation.definition or "", LIMITS)
        found = query.select_node(inner, {parsed[0].type: parsed[0].fields}, None)
    except Refused:
        if work.is_spent():
            raise
        return UNKNOWN
    shape = None
    if found.rest is None and len(found.cells) == len(relation.columns):
        pairs = zip(relation.columns, found.cells, strict=True)
        shape = Shape(tuple((column.name, _cell(relation, column.name, cell)) for column, (_, cell) in pairs))
    is_unknown = inner.is_unknown or shape is None
    chosen_by = frozenset(each.resource for each in inner.operations.values() if each.action is Action.FILTER)
    return Look(shape, dict(inner.reached), frozenset(inner.hidden), chosen_by, is_unknown)


def _cell(relation: Relation, name: str, cell: Cell) -> Cell:
    return replace(cell, is_direct=True, relation=relation, column=name, is_overlaid=False, is_fixed=False)
