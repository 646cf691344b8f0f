"""FROM items -> sources in a scope: relations, subqueries, functions, joins and the rest of the grammar's."""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import conditions, expression, query, views
from narrows.inspect.sql.gather import Gather, relation_shape
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.refused import undecided, unsupported
from narrows.inspect.sql.scope import Cell, Scope, Shape, Source, make_source
from narrows.inspect.sql.tree import Node, strings, too_complex, unwrap
from narrows.model.action import Action


def add(gather: Gather, item: Node, scope: Scope) -> list[Source]:
    """Bring one FROM item into sight; answers what it added."""
    type_, fields = unwrap(item)
    visit = VISITORS.get(type_)
    if visit is None:
        raise undecided(f"a query reads from {type_}, which the gateway does not look into")
    before = len(scope.sources)
    if before >= gather.limits.sources:
        raise too_complex()
    visit(gather, fields, scope)
    return scope.sources[before:]


def rename(shape: Shape, names: tuple[str, ...]) -> Shape:
    """The shape with its first columns under these names."""
    return make_source("", shape, names).shape if names else shape


def lookup(gather: Gather, fields: Node) -> tuple[Found, ...]:
    """What a RangeVar stands for, common tables left aside."""
    return gather.names.relations(fields["relname"], fields.get("schemaname"), fields.get("catalogname"))


def target(gather: Gather, fields: Node, action: Action, scope: Scope) -> Found:
    """The relation that DML writes, brought into sight under its alias."""
    *_, found = every = lookup(gather, fields)
    for each in every:
        if each.nature is Nature.SYSTEM:
            raise unsupported(
                f"{each.schema}.{each.name} is a system relation: it is not written through the gateway"
            )
        gather.relation(action, each)
        gather.has_triggers |= each.relation is not None and (
            each.relation.has_triggers or each.relation.has_rules
        )
    if len(every) > 1:
        found = every[0]
    scope.sources.append(_source(gather, fields, found))
    return found


def lock(gather: Gather, aliases: frozenset[str], scope: Scope) -> None:
    """SELECT ... FOR UPDATE and its kin lock the rows of these sources, or of all."""
    for source in scope.sources:
        if source.relation is not None and (not aliases or source.alias in aliases):
            gather.need(Action.LOCK, gather.names.table(source.relation.schema, source.relation.name))


def alias_of(fields: Node, default: str) -> tuple[str, tuple[str, ...]]:
    alias = fields.get("alias", {})
    return alias.get("aliasname", default), strings(alias.get("colnames"))


def _relation(gather: Gather, fields: Node, scope: Scope) -> None:
    name = fields["relname"]
    if "schemaname" not in fields and scope.has_cte(name):
        common = scope.cte(name)
        if common is None:
            raise undecided(f"the common table {name} is used before it is written; write it first")
        alias, names = alias_of(fields, name)
        scope.sources.append(make_source(alias, common, names))
        return
    every = lookup(gather, fields)
    for found in every:
        gather.relation(Action.SELECT, found)
    scope.sources.append(_source(gather, fields, every[0]))


def _source(gather: Gather, fields: Node, found: Found) -> Source:
    shape = relation_shape(gather, found)
    if found.nature is Nature.OPAQUE and found.relation is not None and gather.index.labels:
        shape = views.shape(gather, found.relation) or shape
    alias, names = alias_of(fields, found.name)
    return make_source(alias, shape, names, relation=found.relation, has_system_columns=True)


def _subselect(gather: Gather, fields: Node, scope: Scope) -> None:
    """A subquery sees its neighbours only where it is LATERAL."""
    around = scope if fields.get("lateral") else _around(scope)
    alias, names = alias_of(fields, "")
    scope.sources.append(make_source(alias, query.select_node(gather, fields["subquery"], around), names))


def _around(scope: Scope) -> Scope:
    """The surroundings of a query level, its common tables with them."""
    return Scope(scope.parent, [], scope.ctes)


def _function(gather: Gather, fields: Node, scope: Scope) -> None:
    taint = CLEAN
    name = ""
    for each in fields["functions"]:
        call, *definitions = each["List"]["items"]
        taint |= expression.evaluate(gather, call, scope)
        name = strings(call.get("FuncCall", {}).get("funcname"))[-1:][0] if "FuncCall" in call else name
        for definition in definitions:
            for column in definition.get("List", {}).get("items", ()):
                _column_type(gather, column)
    for column in fields.get("coldeflist", ()):
        _column_type(gather, column)
    alias, names = alias_of(fields, name)
    _open_source(gather, alias, names, taint, scope)


def _column_type(gather: Gather, column: Node) -> None:
    definition = column.get("ColumnDef", {})
    if "typeName" in definition:
        expression.check_type(gather, definition["typeName"])


def _open_source(gather: Gather, alias: str, names: tuple[str, ...], taint: Taint, scope: Scope) -> None:
    """A source whose columns all come from the same values."""
    gather.derive(taint)
    scope.sources.append(make_source(alias, Shape(tuple((name, Cell(taint)) for name in names), taint)))


def _xml_table(gather: Gather, fields: Node, scope: Scope) -> None:
    taint = expression.evaluate(gather, fields["docexpr"], scope) | expression.evaluate(
        gather, fields["rowexpr"], scope
    )
    for column in fields.get("columns", ()):
        definition = column["RangeTableFuncCol"]
        for field in ("colexpr", "coldefexpr"):
            if field in definition:
                taint |= expression.evaluate(gather, definition[field], scope)
        if "typeName" in definition:
            expression.check_type(gather, definition["typeName"])
    for each in fields.get("namespaces", ()):
        taint |= expression.evaluate(gather, each, scope)
    alias, names = alias_of(fields, "")
    _open_source(gather, alias, names, taint, scope)


def _json_table(gather: Gather, fields: Node, scope: Scope) -> None:
    taint = expression.parts(gather, "JsonValueExpr", fields["context_item"], scope)
    taint |= expression.evaluate_all(gather, fields.get("passing"), scope)
    taint |= _json_columns(gather, fields.get("columns", []), scope)
    if "on_error" in fields:
        taint |= expression.parts(gather, "JsonBehavior", fields["on_error"], scope)
    alias, names = alias_of(fields, "")
    _open_source(gather, alias, names, taint, scope)


def _json_columns(gather: Gather, columns: list[Node], scope: Scope) -> Taint:
    taint = CLEAN
    for each in columns:
        column = each["JsonTableColumn"]
        for field in ("on_empty", "on_error"):
            if field in column:
                taint |= expression.parts(gather, "JsonBehavior", column[field], scope)
        if "typeName" in column:
            expression.check_type(gather, column["typeName"])
        taint |= _json_columns(gather, column.get("columns", []), scope)
    return taint


def _sample(gather: Gather, fields: Node, scope: Scope) -> None:
    method = strings(fields["method"])[-1]
    if method not in ("bernoulli", "system", "system_rows", "system_time"):
        gather.is_unknown = True
    gather.derive(expression.evaluate_all(gather, fields.get("args"), scope))
    if "repeatable" in fields:
        gather.derive(expression.evaluate(gather, fields["repeatable"], scope))
    add(gather, fields["relation"], scope)


def _join(gather: Gather, fields: Node, scope: Scope) -> None:
    before = len(scope.sources)
    left = add(gather, fields["larg"], scope)
    right = add(gather, fields["rarg"], scope)
    shared = strings(fields.get("usingClause"))
    if fields.get("isNatural"):
        shared = tuple(_shared(left, right))
    if shared:
        scope.merged.update(shared)
        for name in shared:
            for source in (*left, *right):
                cell = source.find(name)
                gather.filter(cell.taint if cell else source.shape.rest or CLEAN, "join")
    if "quals" in fields:
        conditions.condition(gather, fields["quals"], scope)
    if "alias" in fields or "join_using_alias" in fields:
        _alias_join(fields, scope, before, shared)


def _shared(left: list[Source], right: list[Source]) -> set[str]:
    ours = set().union(*(source.columns for source in left))
    theirs = set().union(*(source.columns for source in right))
    return ours & theirs


def _alias_join(fields: Node, scope: Scope, before: int, shared: tuple[str, ...]) -> None:
    """`(a JOIN b) AS j` hides a and b; `USING (x) AS j` adds a name for the merged columns alone."""
    joined = scope.sources[before:]
    cells: list[tuple[str, Cell]] = []
    rest: Taint | None = None
    for source in joined:
        cells += [(name, Cell(cell.taint) if name in shared else cell) for name, cell in source.shape.cells]
        if source.shape.rest is not None:
            rest = (rest or CLEAN) | source.shape.rest
    if "join_using_alias" in fields:
        merged = Shape(tuple((name, cell) for name, cell in cells if name in shared))
        scope.sources.append(make_source(fields["join_using_alias"]["aliasname"], merged))
    if "alias" in fields:
        alias, names = alias_of(fields, "")
        if (
            names
        ):  # merged columns come first, so the list does not match the order here: any name, any column
            taint = Shape(tuple(cells), rest).taint
            replacement = make_source(alias, Shape(tuple((name, Cell(taint)) for name in names), taint))
        else:
            replacement = make_source(alias, Shape(tuple(cells), rest))
        scope.sources[before:] = [replacement]


Visitor = Callable[[Gather, Node, Scope], None]

VISITORS: dict[str, Visitor] = {
    "RangeVar": _relation,
    "RangeSubselect": _subselect,
    "RangeFunction": _function,
    "RangeTableFunc": _xml_table,
    "RangeTableSample": _sample,
    "JsonTable": _json_table,
    "JoinExpr": _join,
}
