"""COPY in all its forms: which table or query, to or from where, and what its options make of the bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from narrows.inspect.sql import conditions, query, relations, sources
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.names import Found
from narrows.inspect.sql.refused import undecided, unsupported
from narrows.inspect.sql.scope import Cell, Scope, Shape
from narrows.inspect.sql.settings import encoding_name
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.model.action import Action
from narrows.model.copy import Copy, CopyColumn, CopyDirection, CopyFormat


def copy(draft: Draft, fields: Node) -> None:
    gather = draft.gather
    is_from = bool(fields.get("is_from"))
    shape = _from(gather, fields) if is_from else _to(gather, fields)
    if _server_side(gather, fields):
        if not is_from and gather.index.labels and (shape.taint or gather.is_unknown or gather.is_derived):
            raise undecided("labelled values would be stored outside the target, where nothing masks them")
        return
    direction = CopyDirection.IN if is_from else CopyDirection.OUT
    draft.copy = _options(Copy(direction, columns=columns(shape)), fields.get("options", []))
    draft.shape = None if is_from else shape


def _from(gather: Gather, fields: Node) -> Shape:
    scope = Scope()
    found = sources.target(gather, fields["relation"], Action.INSERT, scope)
    if "whereClause" in fields:
        conditions.condition(gather, fields["whereClause"], scope)
    shape = _listed(gather, found, strings(fields.get("attlist")))
    labelled = gather.index.of(found.schema, found.name)
    names = {name for name, _ in shape.cells}
    gather.filter(frozenset(column for name, column in labelled.items() if name in names), "key")
    return shape


def _to(gather: Gather, fields: Node) -> Shape:
    if "query" in fields:
        shape = query.select_node(gather, fields["query"], None)
        if not gather.operations:  # as for a SELECT that reads no table
            gather.need(Action.SHOW, gather.names.database())
        for relation in gather.touched.values():
            _export(gather, relation.schema, relation.name)
        return shape
    every = sources.lookup(gather, fields["relation"])
    for found in every:
        relations.touch(gather, Action.SELECT, found)
        _export(gather, found.schema, found.name)
    gather.is_bounded = gather.has_limit = False
    gather.limit = -1
    return _listed(gather, every[0], strings(fields.get("attlist")))


def _export(gather: Gather, schema: str, name: str) -> None:
    labelled = gather.index.of(schema, name)
    labels = frozenset[str]().union(*(gather.index.labels[each] for each in labelled.values()))
    gather.need(Action.EXPORT, gather.names.table(schema, name), labels)


def _listed(gather: Gather, found: Found, names: tuple[str, ...]) -> Shape:
    """The columns that COPY of a relation moves: those named, or all that are not generated."""
    shape = relations.shape(gather, found)
    if shape.rest is not None:
        return shape
    columns_ = found.relation.columns if found.relation else ()
    generated = {column.name for column in columns_ if column.is_generated}
    cells = dict(shape.cells)
    chosen = names or tuple(name for name in cells if name not in generated)
    return replace(shape, cells=tuple((name, cells.get(name, Cell())) for name in chosen))


def columns(shape: Shape) -> tuple[CopyColumn, ...] | None:
    """The columns as masking sees them; None where even their number is not known."""
    if shape.rest is not None:
        return None
    return tuple(_column(name, cell) for name, cell in shape.cells)


def _column(name: str, cell: Cell) -> CopyColumn:
    column = cell.relation.column(cell.column) if cell.relation and cell.is_direct else None
    if cell.relation is None or column is None:
        return CopyColumn(name, 0, 0, 0)
    return CopyColumn(name, cell.relation.oid, column.attnum, column.type_oid)


def _server_side(gather: Gather, fields: Node) -> bool:
    if fields.get("is_program"):
        gather.need(Action.SERVER_PROGRAM, gather.names.connection())
    elif "filename" in fields:
        gather.need(Action.SERVER_FILE, gather.names.connection())
    else:
        return False
    return True


def _options(base: Copy, options: list[Node]) -> Copy:
    values: dict[str, Any] = {}
    for each in options:
        option = each["DefElem"]
        name = option["defname"]
        if name not in OPTIONS:
            raise unsupported(f"COPY with the option {name} does not pass the gateway")
        build = OPTIONS[name]
        if build is not None:
            values |= build(_text(option.get("arg")))
    if values.get("format") is CopyFormat.CSV:
        values = {"delimiter": b",", "null": b"", **values}
        values.setdefault("escape", values.get("quote", b'"'))
    return replace(base, **values)


def _text(node: Node | None) -> str:
    if node is None:
        return "true"
    type_, fields = unwrap(node)
    if type_ == "Integer":
        return str(fields.get("ival", 0))
    if type_ == "Boolean":
        return "true" if fields.get("boolval") else "false"
    return str(fields.get("sval", fields.get("fval", "")))


def _bytes(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {field: text.encode()}


OPTIONS: dict[str, Callable[[str], dict[str, Any]] | None] = {
    "format": lambda text: {"format": _format(text)},
    "delimiter": _bytes("delimiter"),
    "null": _bytes("null"),
    "quote": _bytes("quote"),
    "escape": _bytes("escape"),
    "header": lambda text: {"has_header": text.lower() in ("true", "on", "1", "match", "yes", "t", "y")},
    "encoding": lambda text: {"encoding_is_utf8": encoding_name(text) in ("utf8", "unicode", "sqlascii")},
    "default": None,
    "freeze": None,
    "force_quote": None,
    "force_not_null": None,
    "force_null": None,
    "convert_selectively": None,
    "on_error": None,
    "reject_limit": None,
    "log_verbosity": None,
}
"""Each option of COPY and what it changes for masking; None where that is nothing."""


def _format(text: str) -> CopyFormat:
    try:
        return CopyFormat(text)
    except ValueError:
        raise unsupported(f"COPY in the format {text} does not pass the gateway") from None


HANDLERS: dict[str, tuple[Kind, str, Handler]] = {"CopyStmt": (Kind.COPY, "COPY", copy)}
