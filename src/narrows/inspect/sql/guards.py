"""Definitions that would take a label off labelled values: renaming, moving, detaching, generating.

Law: labels are kept by name, so whatever gives a labelled column or its table another name is refused; the
labels file is changed first, then the table.
"""

from __future__ import annotations

from narrows.inspect.sql import expression, sources
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN
from narrows.inspect.sql.names import Found
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.scope import Cell, Scope, Shape
from narrows.inspect.sql.tree import Node, unwrap


def open_shape(columns: set[str]) -> Shape:
    """The columns of a table that is being made: nothing in them yet."""
    return Shape(tuple((name, Cell()) for name in sorted(columns)), CLEAN)


def rename(gather: Gather, fields: Node) -> None:
    """Labelled columns and the tables and schemas that hold them keep their names."""
    kind = fields["renameType"]
    if kind == "OBJECT_SCHEMA":
        if any(schema == fields["subname"] for schema, _ in gather.index.by_relation):
            raise _lost(f"schema {fields['subname']}")
    elif kind == "OBJECT_DATABASE":
        if gather.index.labels and fields["subname"] == gather.view.snapshot.database:
            raise _lost(f"database {fields['subname']}")
    elif "relation" in fields:
        _rename_in(gather, fields)


def _rename_in(gather: Gather, fields: Node) -> None:
    is_column = fields["renameType"] == "OBJECT_COLUMN"
    if not is_column and fields["renameType"] not in RELATIONS:
        return
    for found in sources.lookup(gather, fields["relation"]):
        labelled = gather.index.of(found.schema, found.name)
        if is_column and fields["subname"] in labelled:
            raise _lost(f"column {found.name}.{fields['subname']}")
        if not is_column and labelled:
            raise _lost(f"table {found.name}")


RELATIONS = listed("OBJECT_TABLE OBJECT_FOREIGN_TABLE OBJECT_VIEW OBJECT_MATVIEW")


def move(gather: Gather, range_var: Node) -> None:
    for found in sources.lookup(gather, range_var):
        if gather.index.of(found.schema, found.name):
            raise _lost(f"table {found.name}")


def table_command(gather: Gather, range_var: Node, command: Node, scope: Scope) -> None:
    """One action of ALTER TABLE."""
    subtype = command["subtype"]
    if subtype in ("AT_DetachPartition", "AT_DetachPartitionFinalize", "AT_DropInherit"):
        _detach(gather, range_var, command)
    elif subtype in ("AT_AttachPartition", "AT_AddInherit"):
        _attach(gather, range_var, command)
    elif subtype in ("AT_AddColumn", "AT_SetExpression", "AT_AlterColumnType"):
        _generated(gather, range_var, command, scope)
    elif subtype == "AT_ColumnDefault" and "def" in command:
        _stored(gather, sources.lookup(gather, range_var)[0], command.get("name", "?"), command["def"], scope)


def defaults(gather: Gather, found: Found, constraints: list[Node], scope: Scope) -> None:
    """What a default or generation gives is stored with every row, whoever inserts it."""
    for each in constraints:
        constraint = each["Constraint"]
        if constraint["contype"] in ("CONSTR_DEFAULT", "CONSTR_GENERATED") and "raw_expr" in constraint:
            _stored(gather, found, "?", constraint["raw_expr"], scope)


def _stored(gather: Gather, found: Found, column: str, node: Node, scope: Scope) -> None:
    gather.write(found, column, expression.evaluate(gather, node, scope))


def _detach(gather: Gather, range_var: Node, command: Node) -> None:
    """A child whose labels come from its parent would lose them."""
    type_, fields = unwrap(command["def"])
    other = fields if type_ == "RangeVar" else fields["name"]
    child = range_var if command["subtype"] == "AT_DropInherit" else other
    own = gather.view.labels.columns
    for found in sources.lookup(gather, child):
        for column in gather.index.of(found.schema, found.name):
            if (found.schema, found.name, column) not in own:
                raise _lost(f"column {found.name}.{column}")


def _attach(gather: Gather, range_var: Node, command: Node) -> None:
    """Reading a parent reads its children: what they bear it must bear as well."""
    type_, fields = unwrap(command["def"])
    other = fields if type_ == "RangeVar" else fields["name"]
    parent, child = (range_var, other) if type_ != "RangeVar" else (other, range_var)
    for over in sources.lookup(gather, parent):
        for under in sources.lookup(gather, child):
            if under.is_temp:  # what is stored there later would show in the parent, too
                raise undecided(f"{under.name} cannot be made part of {over.name} through the gateway")
            for column in gather.index.of(under.schema, under.name):
                if column not in gather.index.of(over.schema, over.name):
                    raise _lost(f"column {under.name}.{column}")


def _generated(gather: Gather, range_var: Node, command: Node, scope: Scope) -> None:
    """A column made from labelled ones bears no label of its own."""
    definition = command.get("def", {}).get("ColumnDef")
    if definition is None:
        return
    name = command.get("name") or definition.get("colname", "?")
    found = sources.lookup(gather, range_var)[0]
    defaults(gather, found, definition.get("constraints", []), scope)
    for each in definition.get("constraints", ()):
        raw = each["Constraint"].get("raw_expr")
        if raw and each["Constraint"]["contype"] == "CONSTR_GENERATED":
            _stored(gather, found, name, raw, scope)
    if "raw_default" in definition:
        _stored(gather, found, name, definition["raw_default"], scope)


def _lost(what: str) -> Refused:
    return undecided(f"{what} would lose its labels: change labels.yaml first")
