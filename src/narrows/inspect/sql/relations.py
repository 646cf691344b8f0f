"""Relations as a statement uses them: what it needs, what comes within reach, and what their columns carry.

Laws: a view is read by its own right, and its columns carry what its definition says; where that cannot be read,
they may carry anything.
"""

from __future__ import annotations

from narrows.inspect.sql import catalogue, views
from narrows.inspect.sql.gather import CLEAN_LABELS, Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.overlay import Overlaid
from narrows.inspect.sql.scope import Cell, Shape
from narrows.inspect.sql.work import spend
from narrows.model.action import Action
from narrows.model.resource import Resource
from narrows.model.snapshot import Relation


def touch(gather: Gather, action: Action, found: Found) -> None:
    """The statement does this to that relation, and its replies may carry what the relation holds."""
    gather.mentions.add(found.name)
    reached = _reached(gather, found)
    labels = frozenset[str]().union(*reached.values())
    if found.nature is Nature.SYSTEM and action is Action.SELECT and found.name not in catalogue.HOLDS_VALUES:
        action = Action.SHOW  # browsing the schema is what every client does, not reading a table
    gather.need(action, gather.names.table(found.schema, found.name), labels)
    gather.reached |= reached
    if found.relation is not None and found.nature is not Nature.OPAQUE:
        gather.touched[found.relation.oid] = found.relation


def _reached(gather: Gather, found: Found) -> dict[Resource, frozenset[str]]:
    """The labelled columns whose values it may hold; one that cannot be looked into may hold any."""
    labels = gather.index.labels
    reached = {column: labels[column] for column in gather.index.of(found.schema, found.name).values()}
    spend(20 * len(reached))
    if found.nature is Nature.OPAQUE:
        gather.is_unknown = True
    elif found.overlaid is not None:
        taint = found.overlaid.taint
        gather.is_unknown = gather.is_unknown or not taint <= labels.keys()
        reached |= {column: labels[column] for column in taint if column in labels}
    elif found.nature is Nature.VIEW and found.relation is not None:
        look = views.look(gather, found.relation)
        gather.is_unknown = gather.is_unknown or look.is_unknown
        gather.has_secret_views = gather.has_secret_views or bool(look.reached) or look.is_unknown
        gather.hidden |= look.hidden
        gather.filter(look.chosen_by, "view")
        reached |= look.reached
    return reached


def shape(gather: Gather, found: Found) -> Shape:
    """The columns of a relation as a FROM item."""
    if found.nature is Nature.SYSTEM:
        return _system_shape(gather, found)
    if found.overlaid is not None and found.nature is Nature.OVERLAID:
        return _overlaid_shape(gather, found, found.overlaid)
    if found.nature is Nature.VIEW and found.relation is not None:
        known = views.look(gather, found.relation).shape
        return _labelled(gather, found, known) if known is not None else _unknown(gather, found)
    if found.nature is not Nature.PLAIN or found.relation is None:
        return _unknown(gather, found)
    labelled = gather.index.of(found.schema, found.name)
    spend(8 * len(found.relation.columns))
    return Shape(
        tuple(
            (
                column.name,
                _own(gather, labelled.get(column.name), found.relation, column.name),
            )
            for column in found.relation.columns
        )
    )


def _own(gather: Gather, bears: Resource | None, relation: Relation, name: str) -> Cell:
    return Cell(_of(bears), True, relation, name, is_same=bears not in gather.index.made)


def _of(column: Resource | None) -> Taint:
    return CLEAN if column is None else frozenset((column,))


def _unknown(gather: Gather, found: Found) -> Shape:
    return Shape(rest=gather.unknown_column(found.schema, found.name, "*"))


def _labelled(gather: Gather, found: Found, known: Shape) -> Shape:
    """The columns of a view, with labels of their own where they were given some."""
    labelled = gather.index.of(found.schema, found.name)
    if not labelled:
        return known
    return Shape(tuple((name, _with(cell, labelled.get(name))) for name, cell in known.cells), known.rest)


def _with(cell: Cell, own: Resource | None) -> Cell:
    if own is None:
        return cell
    is_same = cell.is_same or not cell.taint
    return Cell(cell.taint | {own}, cell.is_direct, cell.relation, cell.column, is_same=is_same)


def _overlaid_shape(gather: Gather, found: Found, overlaid: Overlaid) -> Shape:
    labelled = gather.index.of(found.schema, found.name)
    relation = found.relation
    cells: list[tuple[str, Cell]] = []
    for column in overlaid.columns:
        own = _of(labelled.get(column.name))
        is_direct = relation is not None and relation.column(column.name) is not None
        is_same = column.is_same or (not column.taint and bool(own))
        cell = Cell(own | column.taint, is_direct, relation, column.name, is_same=is_same, is_overlaid=True)
        cells.append((column.name, cell))
    rest = overlaid.rest
    if rest is not None:
        rest = rest.union(*(_of(column) for column in labelled.values()))
    return Shape(tuple(cells), rest)


def _system_shape(gather: Gather, found: Found) -> Shape:
    """A system relation shows the schema, but for the columns that carry values, statements or secrets."""
    hidden, rest = catalogue.VALUE_COLUMNS.get(found.name, CLEAN_LABELS), CLEAN
    if hidden == catalogue.ALL:
        gather.is_unknown = True
        rest = gather.unknown_column(found.schema, found.name, "*")
        hidden = (
            frozenset(column.name for column in found.relation.columns) if found.relation else CLEAN_LABELS
        )
    if found.relation is not None:
        names = [column.name for column in found.relation.columns]
        return Shape(
            tuple(
                (
                    name,
                    Cell(gather.unknown_column(found.schema, found.name, name) if name in hidden else CLEAN),
                )
                for name in names
            )
        )
    cells = tuple(
        (name, Cell(gather.unknown_column(found.schema, found.name, name))) for name in sorted(hidden)
    )
    return Shape(cells, rest=rest)


def is_labelled(gather: Gather, relation: Relation) -> bool:
    """Whether a relation bears labels, or a view shows what does."""
    if (relation.schema, relation.name) in gather.index.by_relation:
        return True
    look = gather.view.view_looks.get(relation.oid)
    return look is not None and bool(look.reached)


def labels_of(gather: Gather, relation: Relation) -> frozenset[str]:
    """The labels of what a relation or view shows."""
    labelled = gather.index.of(relation.schema, relation.name)
    look = gather.view.view_looks.get(relation.oid)
    shown = look.reached.values() if look is not None else ()
    return frozenset[str]().union(*(gather.index.labels[each] for each in labelled.values()), *shown)
