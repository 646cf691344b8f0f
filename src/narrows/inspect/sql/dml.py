"""INSERT, UPDATE, DELETE and MERGE, on their own or inside a WITH.

Laws: a value that carries labels goes only into a column that bears them; RETURNING shows rows, so it needs
`select` as well; system relations are not written.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import bounds, conditions, expression, query, sources
from narrows.inspect.sql.gather import Gather, relation_shape
from narrows.inspect.sql.labelled import CLEAN
from narrows.inspect.sql.names import Found
from narrows.inspect.sql.refused import undecided
from narrows.inspect.sql.scope import Scope, Shape, make_source
from narrows.inspect.sql.tree import Node
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
        before = gather.unseen_calls
        _insert_rows(gather, found, columns, query.select_node(gather, fields["selectStmt"], around))
        gather.keep(found, before)
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
            gather.relation(action, each)
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


def _insert_rows(gather: Gather, found: Found, columns: list[str], shape: Shape) -> None:
    names = columns or [column.name for column in found.relation.columns] if found.relation else columns
    if shape.rest is not None:
        for name in (*names, "?"):
            gather.write(found, name, shape.taint)
        return
    for index, (_, cell) in enumerate(shape.cells):
        gather.write(found, names[index] if index < len(names) else "?", cell.taint)


def _assign(gather: Gather, targets: list[Node], found: Found, scope: Scope) -> None:
    before = gather.unseen_calls
    for each in targets:
        target = each["ResTarget"]
        taint = expression.evaluate(gather, target["val"], scope)
        taint |= expression.evaluate_all(
            gather, [step for step in target.get("indirection", ()) if "String" not in step], scope
        )
        gather.write(found, target["name"], taint)
    gather.keep(found, before)


def _on_conflict(gather: Gather, fields: Node, found: Found, scope: Scope) -> None:
    infer = fields.get("infer", {})
    for each in infer.get("indexElems", ()):
        if "expr" in each["IndexElem"]:
            conditions.other(gather, expression.evaluate(gather, each["IndexElem"]["expr"], scope))
    if "whereClause" in infer:
        conditions.condition(gather, infer["whereClause"], scope)
    if fields["action"] != "ONCONFLICT_UPDATE":
        return
    gather.relation(Action.UPDATE, found)
    scope.hidden.append(make_source("excluded", relation_shape(gather, found)))
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
        names = columns or [column.name for column in found.relation.columns] if found.relation else columns
        before = gather.unseen_calls
        for index, value in enumerate(fields.get("values", ())):
            taint = expression.evaluate(gather, value, scope)
            gather.write(found, names[index] if index < len(names) else "?", taint)
        gather.keep(found, before)


def _returning(
    gather: Gather, fields: Node, scope: Scope, where: Node | None, *, is_bounded: bool = False
) -> Shape:
    clause = fields.get("returningClause")
    if clause is None:
        return Shape()
    target = scope.sources[0]
    for each in sources.lookup(gather, fields["relation"]):
        gather.relation(Action.SELECT, each)
    aliases = {"old": "old", "new": "new"}
    for option in clause.get("options", ()):
        each = option["ReturningOption"]
        aliases["old" if each["option"] == "RETURNING_OPTION_OLD" else "new"] = each["value"]
    for alias in aliases.values():
        scope.hidden.append(make_source(alias, target.shape))
    shape = query.targets(gather, clause.get("exprs", []), scope)
    exports = frozenset[int]() if is_bounded else bounds.returning(gather, where, scope)
    return Shape(shape.cells, shape.rest, exports)
