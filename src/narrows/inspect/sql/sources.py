"""FROM items -> sources in a scope: relations, subqueries, functions, joins and the rest of the grammar's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from narrows.inspect.sql import conditions, constant_sql, expression, query, relations
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.refused import undecided, unsupported
from narrows.inspect.sql.scope import Cell, Scope, Shape, Source, make_source, united
from narrows.inspect.sql.tree import Node, strings, too_complex, unwrap
from narrows.inspect.sql.work import spend
from narrows.model.action import Action
from narrows.model.snapshot import Relation


def add(gather: Gather, item: Node, scope: Scope) -> None:
    """Bring one item of a FROM list into sight, and what `*` gives of it."""
    scope.stars.append(_bring(gather, item, scope))


def _bring(gather: Gather, item: Node, scope: Scope) -> Shape:
    """The columns of one item in the order of `*`; its sources are in sight from here on."""
    type_, fields = unwrap(item)
    visit = VISITORS.get(type_)
    if visit is None:
        raise undecided(f"a query reads from {type_}, which the gateway does not look into")
    if len(scope.sources) >= gather.limits.sources:
        raise too_complex()
    return visit(gather, fields, scope)


def _see(scope: Scope, source: Source) -> Shape:
    scope.sources.append(source)
    return source.shape


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
        relations.touch(gather, action, each)
        gather.has_triggers |= each.relation is not None and (
            each.relation.has_triggers or each.relation.has_rules
        )
    if len(every) > 1:
        found = every[0]
    scope.stars.append(_see(scope, _source(gather, fields, found)))
    return found


def lock(gather: Gather, aliases: frozenset[str], scope: Scope) -> None:
    """SELECT ... FOR UPDATE and its kin lock the rows of these sources, or of all."""
    for source in scope.sources:
        if source.relation is not None and (not aliases or source.alias in aliases):
            gather.need(Action.LOCK, gather.names.table(source.relation.schema, source.relation.name))


def alias_of(fields: Node, default: str) -> tuple[str, tuple[str, ...]]:
    alias = fields.get("alias", {})
    return alias.get("aliasname", default), strings(alias.get("colnames"))


def _relation(gather: Gather, fields: Node, scope: Scope) -> Shape:
    name = fields["relname"]
    if "schemaname" not in fields and scope.has_cte(name):
        common = scope.cte(name)
        if common is None:
            raise undecided(f"the common table {name} is used before it is written; write it first")
        alias, names = alias_of(fields, name)
        return _see(scope, make_source(alias, common, names))
    every = lookup(gather, fields)
    for found in every:
        relations.touch(gather, Action.SELECT, found)
    each = [_source(gather, fields, found) for found in every]
    return _see(scope, each[0] if len(each) == 1 else united(each[0].alias, each))


def _source(gather: Gather, fields: Node, found: Found) -> Source:
    alias, names = alias_of(fields, found.name)
    if found.nature is Nature.PLAIN and found.relation is not None and not names:
        table = _plain(gather, found, found.relation)
        return Source(alias, table.shape, table.columns, table.relation, True, table.known)
    known = frozenset(column.name for column in found.relation.columns) if found.relation else frozenset()
    return make_source(
        alias,
        relations.shape(gather, found),
        names,
        relation=found.relation,
        has_system_columns=True,
        known=frozenset() if names else known,
    )


def _plain(gather: Gather, found: Found, relation: Relation) -> Source:
    """A plain table, made once for each view."""
    memo: dict[int, Source] = gather.view.table_sources
    spend(10 * len(relation.columns))
    if relation.oid not in memo:
        known = frozenset(column.name for column in relation.columns)
        shape = relations.shape(gather, found)
        memo[relation.oid] = make_source("", shape, relation=relation, has_system_columns=True, known=known)
    return memo[relation.oid]


def _subselect(gather: Gather, fields: Node, scope: Scope) -> Shape:
    """A subquery sees its neighbours only where it is LATERAL."""
    around = scope if fields.get("lateral") else _around(scope)
    alias, names = alias_of(fields, "")
    return _see(scope, make_source(alias, query.select_node(gather, fields["subquery"], around), names))


def _around(scope: Scope) -> Scope:
    """The surroundings of a query level, its common tables with them."""
    return Scope(scope.parent, [], scope.ctes)


def _function(gather: Gather, fields: Node, scope: Scope) -> Shape:
    taint = CLEAN
    name = ""
    for each in fields["functions"]:
        call, *definitions = each["List"]["items"]
        seen = constant_sql.runs(gather, call)
        taint |= expression.evaluate(gather, call, scope) if seen is None else seen
        name = strings(call.get("FuncCall", {}).get("funcname"))[-1:][0] if "FuncCall" in call else name
        for definition in definitions:
            for column in definition.get("List", {}).get("items", ()):
                taint |= _column_type(gather, column)
    for column in fields.get("coldeflist", ()):
        taint |= _column_type(gather, column)
    alias, names = alias_of(fields, name)
    listed = tuple(column["ColumnDef"]["colname"] for column in fields.get("coldeflist", ()))
    if listed and len(fields["functions"]) == 1 and not fields.get("ordinality"):
        cells = tuple((column, Cell(taint)) for column in listed)
        gather.derive(taint)
        return _see(scope, make_source(alias, Shape(cells), names))
    return _open_source(gather, alias, names, taint, scope)


def _column_type(gather: Gather, column: Node) -> Taint:
    definition = column.get("ColumnDef", {})
    return expression.check_type(gather, definition["typeName"]) if "typeName" in definition else CLEAN


def _open_source(gather: Gather, alias: str, names: tuple[str, ...], taint: Taint, scope: Scope) -> Shape:
    """A source whose columns all come from the same values."""
    gather.derive(taint)
    shape = Shape(tuple((name, Cell(taint)) for name in names), taint)
    return _see(scope, make_source(alias, shape))


def _xml_table(gather: Gather, fields: Node, scope: Scope) -> Shape:
    taint = expression.evaluate(gather, fields["docexpr"], scope) | expression.evaluate(
        gather, fields["rowexpr"], scope
    )
    for column in fields.get("columns", ()):
        definition = column["RangeTableFuncCol"]
        for field in ("colexpr", "coldefexpr"):
            if field in definition:
                taint |= expression.evaluate(gather, definition[field], scope)
        if "typeName" in definition:
            taint |= expression.check_type(gather, definition["typeName"])
    for each in fields.get("namespaces", ()):
        taint |= expression.evaluate(gather, each, scope)
    alias, names = alias_of(fields, "")
    if not _is_one_element(fields):
        gather.filter(taint, "other")
    return _open_source(gather, alias, names, taint, scope)


def _is_one_element(fields: Node) -> bool:
    """XMLTABLE over an element that is made in place, and asked for as a whole: one row, whatever is in it."""
    made = fields["docexpr"].get("XmlExpr", {})
    path = fields["rowexpr"].get("A_Const", {}).get("sval", {}).get("sval")
    columns = [each["RangeTableFuncCol"] for each in fields.get("columns", ())]
    is_whole = all(
        each.get("colexpr", {}).get("A_Const", {}).get("sval", {}).get("sval") == "."
        and strings(each.get("typeName", {}).get("names"))[-1:] == ("text",)
        for each in columns
    )
    return made.get("op") == "IS_XMLELEMENT" and path == f"/{made.get('name')}" and is_whole


def _json_table(gather: Gather, fields: Node, scope: Scope) -> Shape:
    taint = expression.parts(gather, "JsonValueExpr", fields["context_item"], scope)
    taint |= expression.evaluate_all(gather, fields.get("passing"), scope)
    taint |= _json_columns(gather, fields.get("columns", []), scope)
    if "on_error" in fields:
        taint |= expression.parts(gather, "JsonBehavior", fields["on_error"], scope)
    taint |= expression.grammar(gather, "JsonTable", fields, taint)
    alias, names = alias_of(fields, "")
    gather.filter(taint, "other")
    return _open_source(gather, alias, names, taint, scope)


def _json_columns(gather: Gather, columns: list[Node], scope: Scope) -> Taint:
    taint = CLEAN
    for each in columns:
        column = each["JsonTableColumn"]
        for field in ("on_empty", "on_error"):
            if field in column:
                taint |= expression.parts(gather, "JsonBehavior", column[field], scope)
        if "typeName" in column:
            taint |= expression.check_type(gather, column["typeName"])
        taint |= _json_columns(gather, column.get("columns", []), scope)
    return taint


def _sample(gather: Gather, fields: Node, scope: Scope) -> Shape:
    method = strings(fields["method"])[-1]
    if method not in ("bernoulli", "system", "system_rows", "system_time"):
        gather.is_unknown = True
    around = _around(scope)
    conditions.other(gather, expression.evaluate_all(gather, fields.get("args"), around))
    if "repeatable" in fields:
        conditions.other(gather, expression.evaluate(gather, fields["repeatable"], around))
    return _bring(gather, fields["relation"], scope)


def _join(gather: Gather, fields: Node, scope: Scope) -> Shape:
    before = len(scope.sources)
    left = _bring(gather, fields["larg"], scope)
    right = _bring(gather, fields["rarg"], scope)
    shared = strings(fields.get("usingClause"))
    if fields.get("isNatural"):
        spend(2 * (len(left.cells) + len(right.cells)))
        theirs = {name for name, _ in right.cells}
        shared = tuple(name for name, _ in left.cells if name in theirs)
        if left.rest is not None or right.rest is not None:
            gather.derive(left.taint | right.taint)
    if shared:
        expression.check_operator(gather, expression.EQUALS)
        scope.merged.update(shared)
        _filter_shared(gather, left, right, shared)
    if "quals" in fields:
        conditions.condition(gather, fields["quals"], _sides(scope, before))
    shape = _joined(left, right, shared, fields["jointype"])
    if "join_using_alias" in fields:
        merged = Shape(shape.cells[: len(shared)], shape.rest)
        scope.sources.append(make_source(fields["join_using_alias"]["aliasname"], merged))
    if "alias" not in fields:
        return shape
    alias, names = alias_of(fields, "")
    hidden = scope.hide(before)  # `(a JOIN b) AS j` hides a and b
    exports = shape.exports.union(*(source.shape.exports for source in hidden))
    return _see(scope, make_source(alias, replace(shape, exports=exports), names))


def _sides(scope: Scope, before: int) -> Scope:
    """What ON sees: the two sides of its join and what lies around the query, but nothing that stands beside it."""
    return replace(_around(scope), sources=scope.sources[before:], merged=scope.merged)


def _by_name(shape: Shape) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for name, cell in shape.cells:
        found.setdefault(name, []).append(cell)
    return found


def _filter_shared(gather: Gather, left: Shape, right: Shape, shared: tuple[str, ...]) -> None:
    ours, theirs = _by_name(left), _by_name(right)
    for name in shared:
        conditions.equated(
            gather, _shared_side(ours.get(name), left.rest), _shared_side(theirs.get(name), right.rest)
        )


def _shared_side(cells: list[Cell] | None, rest: Taint | None) -> conditions.Side:
    if cells is None:
        return conditions.side_of(rest or CLEAN, is_stored=False)
    is_stored = all(cell.relation is not None for cell in cells)
    return conditions.side_of(CLEAN.union(*(cell.taint for cell in cells)), is_stored=is_stored)


def _joined(left: Shape, right: Shape, shared: tuple[str, ...], kind: str) -> Shape:
    """What `*` of a join gives: merged columns first, then the left's others, then the right's."""
    exports = left.exports | right.exports
    if left.rest is not None or right.rest is not None:
        return Shape((), left.taint | right.taint, exports)
    ours, theirs, names = _by_name(left), _by_name(right), frozenset(shared)
    merged = tuple((name, _merged(ours.get(name, []), theirs.get(name, []), kind)) for name in shared)
    others = tuple((name, cell) for name, cell in (*left.cells, *right.cells) if name not in names)
    return Shape(merged + others, None, exports)


def _merged(ours: list[Cell], theirs: list[Cell], kind: str) -> Cell:
    """A merged column may be either side's, so it is direct only where nothing labelled is in it."""
    every = (*ours, *theirs)
    taint = CLEAN.union(*(cell.taint for cell in every))
    if taint or not ours or kind not in ("JOIN_INNER", "JOIN_LEFT"):
        return Cell(
            taint, is_same=bool(ours and theirs) and all(cell.is_same and cell.taint for cell in every)
        )
    return ours[0]


Visitor = Callable[[Gather, Node, Scope], Shape]

VISITORS: dict[str, Visitor] = {
    "RangeVar": _relation,
    "RangeSubselect": _subselect,
    "RangeFunction": _function,
    "RangeTableFunc": _xml_table,
    "RangeTableSample": _sample,
    "JsonTable": _json_table,
    "JoinExpr": _join,
}
