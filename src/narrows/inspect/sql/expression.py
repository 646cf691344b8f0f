"""Expressions -> the labelled columns whose values they may carry, and what evaluating them needs.

Laws: every field of every node has a row in FIELDS that says what stands there; a node without rows refuses;
the taint of an expression is the union of the taints of its parts, unless a visitor knows better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.inspect.sql import catalogue, conditions, functions, query, setting_calls
from narrows.inspect.sql.fields import CONSTANTS, EXPRESSION, EXPRESSIONS, FIELDS, PLAIN, TYPE
from narrows.inspect.sql.functions import Does
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.refused import undecided, unsupported
from narrows.inspect.sql.scope import Cell, Scope
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.model.action import Action


def evaluate(gather: Gather, node: Node, scope: Scope) -> Taint:
    """The taint of a wrapped expression."""
    for type_, fields in node.items():
        if type_ == "ColumnRef":
            return column(gather, fields, scope).taint
        if type_ in CONSTANTS:
            return CLEAN
        visit = VISITORS.get(type_)
        return visit(gather, fields, scope) if visit else parts(gather, type_, fields, scope)
    return CLEAN


def evaluate_all(gather: Gather, nodes: list[Node] | None, scope: Scope) -> Taint:
    taint = CLEAN
    for node in nodes or ():
        taint |= evaluate(gather, node, scope)
    return taint


def parts(gather: Gather, type_: str, fields: Node, scope: Scope) -> Taint:
    """The union over the parts of a node, by its row in FIELDS."""
    roles = FIELDS.get(type_)
    if roles is None:
        raise undecided(f"an expression uses {type_}, which the gateway does not look into")
    taint = CLEAN
    for field, value in fields.items():
        role = roles.get(field)
        if role is None:
            raise undecided(f"an expression uses {type_}.{field}, which the gateway does not look into")
        if role == EXPRESSION:
            taint |= evaluate(gather, value, scope)
        elif role == EXPRESSIONS:
            taint |= evaluate_all(gather, value, scope)
        elif role not in (PLAIN, TYPE):
            taint |= parts(gather, role, value, scope)
    return taint


def column(gather: Gather, fields: Node, scope: Scope) -> Cell:
    """What a column reference stands for; a name that is found nowhere may be anything."""
    names = strings(fields["fields"])
    if len(names) != len(fields["fields"]):
        return Cell(_star(names, scope))
    found = _one_name(names[0], scope) if len(names) == 1 else _dotted(gather, names, scope)
    if found is not None:
        return found
    gather.is_unknown = gather.is_unknown or bool(gather.index.labels)
    return Cell(gather.unknown_column("?", names[-2] if len(names) > 1 else "?", names[-1]))


def _one_name(name: str, scope: Scope) -> Cell | None:
    cell = scope.column(name)
    if cell is not None and cell.taint and any(name in level.merged for level in scope.levels()):
        return Cell(cell.taint)
    return cell


def _dotted(gather: Gather, names: tuple[str, ...], scope: Scope) -> Cell | None:
    """`alias.column`, `schema.table.column`, and `alias.function` in functional notation."""
    source = scope.source(names[-2])
    if source is None:
        return None
    cell = source.find(names[-1])
    if cell is not None:
        return cell
    if source.shape.rest is not None:
        return Cell(source.shape.rest)
    return Cell(source.shape.taint | _functional_notation(gather, names[-1]))


def _functional_notation(gather: Gather, name: str) -> Taint:
    _call(gather, name, None)
    return CLEAN


def _star(names: tuple[str, ...], scope: Scope) -> Taint:
    if names:
        source = scope.source(names[-1])
        return source.shape.taint if source else CLEAN
    taint = CLEAN
    for source in scope.sources:
        taint |= source.shape.taint
    return taint


def _operator(gather: Gather, fields: Node, scope: Scope) -> Taint:
    check_operator(gather, fields.get("name"))
    return parts(gather, "A_Expr", fields, scope)


def check_operator(gather: Gather, name: list[Node] | None) -> None:
    """An operator that is not surely PostgreSQL's own or a computing extension's may do anything."""
    words = strings(name)
    if not words:
        return
    schema, symbol = (words[-2] if len(words) > 1 else None), words[-1]
    users = gather.view.snapshot.operators
    if schema not in (None, "pg_catalog"):
        gather.is_unknown |= (schema, symbol) in users or symbol not in catalogue.OPERATORS
        gather.mentions.add(symbol)
    elif users and schema is None and any((each, symbol) in users for each in gather.names.path):
        gather.is_unknown = True


def _cast(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """A cast runs the type's input or cast function; a constant's only the type's own input."""
    inner = fields["arg"]
    if unwrap(inner)[0] not in CONSTANTS:
        check_type(gather, fields["typeName"])
    return evaluate(gather, inner, scope)


def check_type(gather: Gather, type_name: Node) -> None:
    words = strings(type_name.get("names"))
    is_own = words[:-1] == ("pg_catalog",) or (len(words) == 1 and gather.names.path[0] == "pg_catalog")
    if words and words[-1] not in (catalogue.HARMLESS_TYPES if is_own else catalogue.EXTENSION_TYPES):
        gather.is_unknown = True
        gather.mentions.add(words[-1])


def _indirection(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """`(row).field`: that field where the row is one source; else all that the row may carry."""
    return indirection(gather, fields, scope).taint


def indirection(gather: Gather, fields: Node, scope: Scope) -> Cell:
    inner_type, inner = unwrap(fields["arg"])
    steps = fields["indirection"]
    if inner_type == "ColumnRef" and len(steps) == 1 and "String" in steps[0]:
        names = strings(inner["fields"])
        source = scope.source(names[-1]) if len(names) == len(inner["fields"]) else None
        field = steps[0]["String"].get("sval", "")
        if source is not None and _one_name(names[-1], scope) is not None and names[-1] not in source.columns:
            found = source.find(field)
            if found is not None:
                return found
            if source.shape.rest is None:
                _call(gather, field, None)
    taint = evaluate(gather, fields["arg"], scope)
    for step in steps:
        type_, content = unwrap(step)
        if type_ == "A_Indices":
            taint |= parts(gather, "A_Indices", content, scope)
        elif type_ == "String":
            _call(gather, content.get("sval", ""), None, only_users=True)
    return Cell(taint)


def _function(gather: Gather, fields: Node, scope: Scope) -> Taint:
    words = strings(fields["funcname"])
    name, schema = words[-1], words[-2] if len(words) > 1 else None
    if name == "count" and _counts_column(fields):
        return _count(gather, fields, scope)
    taint = evaluate_all(gather, fields.get("args"), scope)
    taint |= evaluate_all(gather, fields.get("agg_order"), scope)
    if "agg_filter" in fields:
        conditions.condition(gather, fields["agg_filter"], scope)
    if "over" in fields:
        taint |= window(gather, fields["over"], scope)
    _call(gather, name, schema, fields, taint)
    return taint


def _counts_column(fields: Node) -> bool:
    args = fields.get("args") or []
    return (
        len(args) == 1
        and "ColumnRef" in args[0]
        and not fields.keys() & {"agg_distinct", "over", "agg_order"}
    )


def _count(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """`count(column)` tells how many are not NULL and nothing of their values."""
    gather.filter(evaluate(gather, fields["args"][0], scope), "constant")
    if "agg_filter" in fields:
        conditions.condition(gather, fields["agg_filter"], scope)
    _call(gather, "count", None, fields, CLEAN)
    return CLEAN


def _call(
    gather: Gather,
    name: str,
    schema: str | None,
    fields: Node | None = None,
    taint: Taint = CLEAN,
    *,
    only_users: bool = False,
) -> None:
    """Whatever the name could call: PostgreSQL's own function, users' functions, or both."""
    gather.mentions.add(name)
    users = gather.names.functions(name, schema)
    is_own = schema in (None, "pg_catalog") and not only_users
    own = functions.behaviour(name) if is_own else None
    for each, overloads in users:
        if functions.only_computes(overloads):
            continue
        gather.need(Action.CALL, gather.names.function(each, name))
        if (each, name) not in gather.view.labels.trusted_functions:
            gather.is_unknown = gather.calls_users = True
    if own is not None:
        _own_function(gather, name, own, fields or {}, taint)
    elif not users and not only_users:
        _nobody_knows(gather, name, schema)


def _nobody_knows(gather: Gather, name: str, schema: str | None) -> None:
    if schema == "pg_catalog" or ("pg_catalog", name) in gather.view.snapshot.functions:
        raise unsupported(f"the gateway does not pass calls of pg_catalog.{name}")
    gather.need(Action.CALL, gather.names.function(schema or gather.names.creation_schema, name))
    gather.is_unknown = gather.calls_users = True


def _own_function(gather: Gather, name: str, own: functions.Behaviour, fields: Node, taint: Taint) -> None:
    match own.does:
        case Does.COMPUTES:
            if name in functions.AS_MANY_ROWS:
                gather.filter(taint, "other")
            return
        case Does.RUNS_SQL:
            raise undecided(f"{name} runs SQL that the gateway does not see")
        case Does.SHOWS:
            gather.is_unknown = True
        case Does.READS_SETTING:
            setting_calls.reads(gather, fields)
        case Does.WRITES_SETTING:
            setting_calls.writes(gather, fields)
        case Does.ON_SEQUENCE:
            _sequence(gather, fields)
        case _:
            if own.action is not None:
                gather.need(own.action, _act_upon(gather, own.on))
    if own.on == "large_object":
        gather.is_unknown = True
    if taint and own.does is not Does.SHOWS:
        raise undecided(f"{name} would act upon labelled values")


def _act_upon(gather: Gather, on: str) -> Any:
    if on == "large_object":
        return gather.names.table("pg_catalog", "pg_largeobject")
    return gather.names.connection() if on == "connection" else gather.names.database()


def _sequence(gather: Gather, fields: Node) -> None:
    """nextval and setval write their sequence; one that is not named plainly could be any."""
    name = setting_calls.constant_text(fields.get("args", [None])[0])
    words = query.identifiers(name) if name is not None else ()
    if not words:
        gather.need(Action.UPDATE, gather.names.schema(gather.names.creation_schema))
        return
    for found in gather.names.relations(words[-1], words[-2] if len(words) > 1 else None):
        gather.mentions.add(found.name)
        gather.need(Action.UPDATE, gather.names.table(found.schema, found.name))


def window(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """What a window's order and partitions may show of values."""
    order = evaluate_all(gather, fields.get("orderClause"), scope)
    group = evaluate_all(gather, fields.get("partitionClause"), scope)
    gather.filter(order, "order")
    gather.filter(group, "group")
    bounds = CLEAN
    for bound in ("startOffset", "endOffset"):
        if bound in fields:
            bounds |= evaluate(gather, fields[bound], scope)
    return order | group | bounds


def _sort(gather: Gather, fields: Node, scope: Scope) -> Taint:
    check_operator(gather, fields.get("useOp"))
    return evaluate(gather, fields["node"], scope)


def _sublink(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """A subquery in an expression; EXISTS tells of its conditions only, and those are filters."""
    gather.is_in_sublink += 1
    shape = query.select_node(gather, fields["subselect"], scope)
    gather.is_in_sublink -= 1
    check_operator(gather, fields.get("operName"))
    if fields["subLinkType"] == "EXISTS_SUBLINK":
        return CLEAN
    test = evaluate(gather, fields["testexpr"], scope) if "testexpr" in fields else CLEAN
    return shape.taint | test


def _case(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """The branch taken tells of its condition; each part is walked once, or nested ones would double each time."""
    test = evaluate(gather, fields["arg"], scope) if "arg" in fields else CLEAN
    result = evaluate(gather, fields["defresult"], scope) if "defresult" in fields else CLEAN
    for each in fields["args"]:
        when = each["CaseWhen"]
        test |= evaluate(gather, when["expr"], scope)
        result |= evaluate(gather, when["result"], scope)
    gather.filter(test, "other")
    return test | result


def _json_window(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """The common part of JSON aggregates: output, filter, order, window."""
    taint = evaluate_all(gather, fields.get("agg_order"), scope)
    if "agg_filter" in fields:
        conditions.condition(gather, fields["agg_filter"], scope)
    if "over" in fields:
        taint |= window(gather, fields["over"], scope)
    return taint


def _json_query(gather: Gather, fields: Node, scope: Scope) -> Taint:
    return query.select_node(gather, fields["query"], scope).taint


def _json_aggregate(gather: Gather, fields: Node, scope: Scope) -> Taint:
    taint = _json_window(gather, fields.get("constructor", {}), scope)
    if "arg" in fields:
        inner = "JsonKeyValue" if "key" in fields["arg"] else "JsonValueExpr"
        taint |= parts(gather, inner, fields["arg"], scope)
    return taint


Visitor = Callable[[Gather, Node, Scope], Taint]

VISITORS: dict[str, Visitor] = {
    "A_Expr": _operator,
    "TypeCast": _cast,
    "A_Indirection": _indirection,
    "FuncCall": _function,
    "SubLink": _sublink,
    "CaseExpr": _case,
    "SortBy": _sort,
    "WindowDef": window,
    "JsonArrayQueryConstructor": _json_query,
    "JsonObjectAgg": _json_aggregate,
    "JsonArrayAgg": _json_aggregate,
}
"""Nodes that need more than the union over their parts."""
