"""INSERT, UPDATE, DELETE and MERGE, on their own or inside a WITH.

Laws: a value that carries labels goes only into a column that bears them; RETURNING shows rows, so it needs
`select` as well; system relations are not written.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import bounds, conditions, expression, query, relations, sources
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.names import Found
from narrows.inspect.sql.refused import undecided
from narrows.inspect.sql.scope import Cell, Scope, Shape, Source, make_source
from narrows.inspect.sql.tree import Node, strings
from narrows.model.action import Action

HANDLED = {
    "InsertStmt": "relation cols selectStmt onConflictClause returningClause withClause override",
    "UpdateStmt": "relation targetList whereClause fromClause returningClause withClause",
    "DeleteStmt": "relation usingClause whereClause returningClause withClause",
    "MergeStmt": "relation sourceRelation joinCondition mergeWhenClauses returningClause withClause",
}


def insert(gather: Gather, fields: Node, parent: Scope | None) -> Shape:
    scope = _begin(gather, "InsertStmt", fields, parent)
    found = sources.target(gather, fields["relation"], Action.INSERT, scope)
    columns = [each["ResTarget"]["name"] for each in fields.get("cols", ())]
    if "selectStmt" in fields:
        around = Scope(scope.parent, [], scope.ctes)
        shape = query.select_node(gather, fields["selectStmt"], around)
        _insert_rows(gather, found, columns, shape)
        _keys(gather, found, columns, fields)
    if "onConflictClause" in fields:
        _on_conflict(gather, fields["onConflictClause"], found, scope)
    return _returning(gather, fields, scope, None, is_bounded=True)


def update(gather: Gather, fields: Node, parent: Scope | None) -> Shape:
    scope = _begin(gather, "UpdateStmt", fields, parent)
    found = sources.target(gather, fields["relation"], Action.UPDATE, scope)
    for item in fields.get("fromClause", ()):
        sources.add(gather, item, scope)
    _where(gather, fields, scope)
    _assign(gather, fields["targetList"], found, scope)
    return _returning(gather, fields, scope, fields.get("whereClause"))


def delete(gather: Gather, fields: Node, parent: Scope | None) -> Shape:
    scope = _begin(gather, "DeleteStmt", fields, parent)
    sources.target(gather, fields["relation"], Action.DELETE, scope)
    for item in fields.get("usingClause", ()):
        sources.add(gather, item, scope)
    _where(gather, fields, scope)
    return _returning(gather, fields, scope, fields.get("whereClause"))


def merge(gather: Gather, fields: Node, parent: Scope | None) -> Shape:
    scope = _begin(gather, "MergeStmt", fields, parent)
    actions = [
        MERGE_ACTIONS.get(each["MergeWhenClause"]["commandType"]) for each in fields["mergeWhenClauses"]
    ]
    needed = [action for action in dict.fromkeys(actions) if action is not None] or [Action.UPDATE]
    found = sources.target(gather, fields["relation"], needed[0], scope)
    for action in needed[1:]:
        for each in sources.lookup(gather, fields["relation"]):
            relations.touch(gather, action, each)
    sources.add(gather, fields["sourceRelation"], scope)
    conditions.condition(gather, fields["joinCondition"], scope)
    gather.is_bounded = gather.is_bounded and bounds.is_bounding(fields["joinCondition"], scope)
    everything = CLEAN.union(*(each.taint for each in scope.stars))
    scope.stars = [Shape((), everything)]  # the order of `*` differs by version
    for each in fields["mergeWhenClauses"]:
        _merge_when(gather, each["MergeWhenClause"], found, scope)
    return _returning(gather, fields, scope, fields["joinCondition"])


MERGE_ACTIONS = {
    "CMD_INSERT": Action.INSERT,
    "CMD_UPDATE": Action.UPDATE,
    "CMD_DELETE": Action.DELETE,
    "CMD_NOTHING": None,
}

VISITORS: dict[str, Callable[[Gather, Node, Scope | None], Shape]] = {
    "InsertStmt": insert,
    "UpdateStmt": update,
    "DeleteStmt": delete,
    "MergeStmt": merge,
}


def _begin(gather: Gather, type_: str, fields: Node, parent: Scope | None) -> Scope:
    unknown = fields.keys() - set(HANDLED[type_].split())
    if unknown:
        raise undecided(f"{type_} uses {', '.join(sorted(unknown))}, which the gateway does not look into")
    scope = Scope(parent)
    if "withClause" in fields:
        query.with_clause(gather, fields["withClause"], scope)
    return scope


def _where(gather: Gather, fields: Node, scope: Scope) -> None:
    if "whereClause" in fields:
        conditions.condition(gather, fields["whereClause"], scope)
    bounds.note(gather, fields, scope)


def _names(found: Found, columns: list[str]) -> list[str]:
    """The columns that are written, in order; none where they are not known."""
    if columns:
        return columns
    if found.overlaid is not None:
        return [column.name for column in found.overlaid.columns] if found.overlaid.rest is None else []
    return [column.name for column in found.relation.columns] if found.relation else []


def _keys(gather: Gather, found: Found, columns: list[str], fields: Node) -> None:
    """Storing a value where a labelled column is unique or refers tells whether it is there already."""
    labelled = gather.index.of(found.schema, found.name)
    written = set(_names(found, columns)) & labelled.keys()
    if not written:
        return
    conflict = fields.get("onConflictClause")
    infer = (conflict or {}).get("infer", {})
    named = {each["IndexElem"].get("name") for each in infer.get("indexElems", ())}
    is_open = conflict is not None and (not infer or "conname" in infer or None in named)
    for column in sorted(written):
        if conflict is not None and (is_open or column in named):
            _conflicts(gather, frozenset((labelled[column],)), fields["selectStmt"])
        else:
            gather.filter(frozenset((labelled[column],)), "key")


def _conflicts(gather: Gather, taint: Taint, rows: Node) -> None:
    """ON CONFLICT counts or returns what is there already: so many constants are compared, or a whole query's rows."""
    values = rows.get("SelectStmt", {}).get("valuesLists")
    if values is None:
        gather.filter(taint, "match")
    else:
        gather.compare(taint, len(values), rows)


def _insert_rows(gather: Gather, found: Found, columns: list[str], shape: Shape) -> None:
    names = _names(found, columns)
    if shape.rest is not None:
        for name in (*names, "?"):
            gather.write(found, name, shape.taint)
        return
    for index, (_, cell) in enumerate(shape.cells):
        if not cell.is_same and not found.is_temp:  # NULL or not, it may be the answer to any question
            gather.filter(cell.taint, "other")
        gather.write(found, names[index] if index < len(names) else "?", cell.taint)


def _assign(gather: Gather, targets: list[Node], found: Found, scope: Scope) -> None:
    labelled = gather.index.of(found.schema, found.name)
    for each in targets:
        target = each["ResTarget"]
        if target["name"] in labelled:
            gather.filter(frozenset((labelled[target["name"]],)), "key")
        taint = expression.evaluate(gather, target["val"], scope)
        taint |= expression.evaluate_all(
            gather, [step for step in target.get("indirection", ()) if "String" not in step], scope
        )
        if taint and not found.is_temp and not _is_kept(target["val"]):
            gather.filter(taint, "other")
        gather.write(found, target["name"], taint)


def _is_kept(node: Node) -> bool:
    """A column as it stands, or in another spelling: nothing that could be the answer to a question."""
    fields = node.get("FuncCall", {})
    name = (strings(fields.get("funcname")) or ("",))[-1]
    is_spelt = name in conditions.CASE_FOLDING and len(fields.get("args", ())) == 1
    return "ColumnRef" in (fields["args"][0] if is_spelt else node)


def _on_conflict(gather: Gather, fields: Node, found: Found, scope: Scope) -> None:
    infer = fields.get("infer", {})
    for each in infer.get("indexElems", ()):
        if "expr" in each["IndexElem"]:
            conditions.other(gather, expression.evaluate(gather, each["IndexElem"]["expr"], scope))
    if "whereClause" in infer:
        conditions.condition(gather, infer["whereClause"], scope)
    if fields["action"] != "ONCONFLICT_UPDATE":
        return
    relations.touch(gather, Action.UPDATE, found)
    scope.hidden.append(make_source("excluded", relations.shape(gather, found)))
    _assign(gather, fields["targetList"], found, scope)
    if "whereClause" in fields:
        conditions.condition(gather, fields["whereClause"], scope)


def _merge_when(gather: Gather, fields: Node, found: Found, scope: Scope) -> None:
    if "condition" in fields:
        conditions.condition(gather, fields["condition"], scope)
    if fields["commandType"] == "CMD_UPDATE":
        _assign(gather, fields["targetList"], found, scope)
    elif fields["commandType"] == "CMD_INSERT":
        columns = [each["ResTarget"]["name"] for each in fields.get("targetList", ())]
        names = _names(found, columns)
        _merged_keys(gather, found, names)
        for index, value in enumerate(fields.get("values", ())):
            taint = expression.evaluate(gather, value, scope)
            gather.write(found, names[index] if index < len(names) else "?", taint)


def _merged_keys(gather: Gather, found: Found, names: list[str]) -> None:
    labelled = gather.index.of(found.schema, found.name)
    gather.filter(frozenset(labelled[name] for name in names if name in labelled), "key")


def _written(gather: Gather, target: Source, name: str) -> Source:
    """The rows as they are afterwards: what this statement stores in a temporary relation shows at once."""
    stored = gather.written.get(name)
    if stored is None:
        return target
    anything = CLEAN.union(*stored.values())
    cells = tuple(
        (column, Cell(cell.taint | anything, is_overlaid=True)) for column, cell in target.shape.cells
    )
    rest = None if target.shape.rest is None else target.shape.rest | anything
    shape = Shape(cells, rest, target.shape.exports)
    return make_source(target.alias, shape, has_system_columns=target.has_system_columns)


def _returning(
    gather: Gather, fields: Node, scope: Scope, where: Node | None, *, is_bounded: bool = False
) -> Shape:
    clause = fields.get("returningClause")
    if clause is None:
        return Shape()
    target = _written(gather, scope.sources[0], fields["relation"]["relname"])
    if target is not scope.sources[0]:
        is_open = scope.stars[0].rest is not None
        first = Shape((), scope.stars[0].taint | target.shape.taint) if is_open else target.shape
        scope.sources[0], scope.stars[0] = target, first
    for each in sources.lookup(gather, fields["relation"]):
        relations.touch(gather, Action.SELECT, each)
    aliases = {"old": "old", "new": "new"}
    for option in clause.get("options", ()):
        each = option["ReturningOption"]
        aliases["old" if each["option"] == "RETURNING_OPTION_OLD" else "new"] = each["value"]
    for alias in aliases.values():
        scope.hidden.append(make_source(alias, target.shape))
    shape = query.targets(gather, clause.get("exprs", []), scope)
    exports = frozenset[int]() if is_bounded else bounds.returning(gather, where, scope)
    return Shape(shape.cells, shape.rest, exports)
