"""What a definition makes of a relation, as the session sees it before the snapshot does.

Law: a definition whose outcome is not told here leaves its session in doubt until the snapshot is read again.
"""

from __future__ import annotations

from dataclasses import replace

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import relations, sources, watchers
from narrows.inspect.sql.draft import Draft
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.overlay import CLEAN, TEMP, Column, Overlaid, Taint, made_of
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.scope import Shape
from narrows.inspect.sql.tree import Node
from narrows.model.reason import Reason


def of_shape(
    shape: Shape, names: tuple[str, ...] = (), *, ends_at_commit: bool = False, is_view: bool = False
) -> Overlaid:
    """A relation that holds, or shows, what a query gives, its first columns renamed."""
    shape = sources.rename(shape, names)
    columns = (Column(name, cell.taint, cell.is_same) for name, cell in shape.cells)
    made = made_of(columns, shape.rest)
    return Overlaid(made.columns, made.rest, ends_at_commit, is_linked=is_view)


def made(draft: Draft, found: Found, range_var: Node, relation: Overlaid, *, is_new: bool = True) -> None:
    """The statement makes this relation."""
    names = draft.gather.names
    if names.overlay.is_too_large:
        raise Refused(
            Reason.TOO_COMPLEX, "the session has as many temporary and changed relations as it may; drop some"
        )
    if "schemaname" not in range_var and not found.is_temp and names.may_be_temp:
        return  # it may be temporary or not: nobody knows what its name stands for
    draft.is_doubtful = False
    if is_new and _is_there(draft.gather, found):
        return  # IF NOT EXISTS leaves it as it is; else it fails
    draft.effects.append(fx.Overlay(found.schema, found.name, relation))


def _is_there(gather: Gather, found: Found) -> bool:
    names = gather.names
    overlaid = names.overlay.get(found.schema, found.name)
    if overlaid is not None:
        return not overlaid.is_gone
    return (found.schema, found.name) in names.snapshot.by_name


def dropped(draft: Draft, words: tuple[str, ...]) -> None:
    """DROP of a relation: the one that its name stands for."""
    found, *others = draft.gather.names.relations(words[-1], words[-2] if len(words) > 1 else None)
    if others:  # nobody knows which
        draft.is_doubtful = True
    else:
        draft.effects.append(fx.DropRelation(found.schema, found.name))


def current(gather: Gather, found: Found) -> Overlaid | None:
    """A relation as it stands; None where nobody knows its columns."""
    if found.overlaid is not None:
        return None if found.overlaid.is_gone else found.overlaid
    if found.nature not in (Nature.PLAIN, Nature.VIEW):
        return None
    shape = relations.shape(gather, found)
    return of_shape(shape) if shape.rest is None else None


SEQUENCE = made_of(Column(name) for name in ("last_value", "log_cnt", "is_called"))


def of_definition(gather: Gather, fields: Node) -> Overlaid | None:
    """What CREATE TABLE makes; None where nobody knows its columns."""
    if "ofTypename" in fields:
        return None
    columns: list[Column] = []
    for parent in fields.get("inhRelations", ()):
        inherited = columns_like(gather, parent["RangeVar"])
        if inherited is None:
            return None
        columns += inherited
    everything = CLEAN.union(*(column.taint for column in columns))
    for element in fields.get("tableElts", ()):
        if "TableLikeClause" in element:
            copied = columns_like(gather, element["TableLikeClause"]["relation"])
            if copied is None:
                return None
            columns += [Column(column.name) for column in copied]
        elif "ColumnDef" in element:
            columns.append(column_of(element["ColumnDef"], everything))
    each: dict[str, Column] = {}
    for column in columns:  # a column that is named again is the inherited one
        each.setdefault(column.name, column)
    ends_at_commit = fields.get("oncommit") == "ONCOMMIT_DROP"
    is_linked = "inhRelations" in fields or "partspec" in fields
    made = Overlaid(tuple(each.values()), None, ends_at_commit, is_linked=is_linked)
    return made.watched(watchers.of_table(fields))


def column_of(definition: Node, everything: Taint) -> Column:
    """A column as it is defined; one that is generated may be made of all others."""
    kinds = {each["Constraint"]["contype"] for each in definition.get("constraints", ())}
    is_generated = "CONSTR_GENERATED" in kinds
    taint = everything if is_generated else CLEAN
    return Column(definition["colname"], taint, is_generated=is_generated)


def parents(draft: Draft, found: Found, named: list[Node]) -> None:
    """Parents show what their children hold: a permanent one would show what is the session's alone."""
    for each in named:
        for parent in sources.lookup(draft.gather, each["RangeVar"]):
            known = current(draft.gather, parent)
            if found.is_temp and not parent.is_temp and draft.gather.index.labels:
                raise undecided(f"what is stored in {found.name} would show in {parent.name}")
            if parent.is_temp and known is not None:
                draft.effects.append(fx.Overlay(TEMP, parent.name, replace(known, is_linked=True)))


def columns_like(gather: Gather, range_var: Node) -> tuple[Column, ...] | None:
    """The columns that a table has from its parent, with what the parent's bear."""
    (found, *others) = sources.lookup(gather, range_var)
    if others:
        return None
    known = current(gather, found)
    return known.columns if known is not None and known.rest is None else None
