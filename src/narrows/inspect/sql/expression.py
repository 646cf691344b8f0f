"""Expressions -> the labelled columns whose values they may carry, and what evaluating them needs.

Laws: every field of every node has a row in FIELDS that says what stands there; a node without rows refuses;
the taint of an expression is the union of the taints of its parts, unless a visitor knows better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.inspect.sql import catalogue, compared, conditions, fallible, functions, query, setting_calls
from narrows.inspect.sql import seen as seen_
from narrows.inspect.sql.fields import CONSTANTS, EXPRESSION, EXPRESSIONS, FIELDS, PLAIN, TYPE
from narrows.inspect.sql.functions import Does
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.refused import undecided, unsupported
from narrows.inspect.sql.scope import Cell, Scope, Source
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.inspect.sql.work import spend
from narrows.model.action import Action
from narrows.model.snapshot import Function

Visitor = Callable[[Gather, Node, Scope], Taint]


def evaluate(gather: Gather, node: Node, scope: Scope) -> Taint:
    """The taint of a wrapped expression."""
    for type_, fields in node.items():
        if type_ == "ColumnRef":
            return column(gather, fields, scope).taint
        if type_ in CONSTANTS:
            return CLEAN
        visit = VISITORS.get(type_)
        taint = visit(gather, fields, scope) if visit else parts(gather, type_, fields, scope)
        if taint and fallible.node(type_, fields):
            gather.filter(taint, "fallible")
        if type_ in GRAMMAR:
            taint |= grammar(gather, type_, fields, taint)
        if taint:
            spend(1 + len(taint) // 4)
        return taint
    return CLEAN


def grammar(gather: Gather, type_: str, fields: Node, taint: Taint) -> Taint:
    """What a newer grammar reads as its own syntax is a call of a function of that name in an older one."""
    since, name = GRAMMAR[type_]
    if gather.view.snapshot.server_version < since:
        return call(gather, name or JSON_FUNCTIONS[fields["op"]], None, None, taint)
    return CLEAN


GRAMMAR: dict[str, tuple[int, str]] = {
    "JsonObjectConstructor": (160000, "json_object"),
    "JsonArrayConstructor": (160000, "json_array"),
    "JsonArrayQueryConstructor": (160000, "json_array"),
    "JsonObjectAgg": (160000, "json_objectagg"),
    "JsonArrayAgg": (160000, "json_arrayagg"),
    "JsonParseExpr": (170000, "json"),
    "JsonScalarExpr": (170000, "json_scalar"),
    "JsonSerializeExpr": (170000, "json_serialize"),
    "JsonFuncExpr": (170000, ""),
    "JsonTable": (170000, "json_table"),
    "MergeSupportFunc": (170000, "merge_action"),
}
"""Node -> the first server version whose grammar has it, and the name that it is called by."""

JSON_FUNCTIONS = {
    "JSON_EXISTS_OP": "json_exists",
    "JSON_QUERY_OP": "json_query",
    "JSON_VALUE_OP": "json_value",
}


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
        return Cell(_star(gather, names, scope))
    found = _one_name(names[0], scope) if len(names) == 1 else _dotted(gather, names, scope)
    if found is not None:
        return found
    gather.is_unknown = gather.is_unknown or bool(gather.index.labels)
    return Cell(gather.unknown_column("?", names[-2] if len(names) > 1 else "?", names[-1]))


def _one_name(name: str, scope: Scope) -> Cell | None:
    cell = scope.column(name)
    if cell is not None and cell.taint and any(name in level.merged for level in scope.levels()):
        return Cell(cell.taint, is_same=cell.is_same)
    return cell


def _dotted(gather: Gather, names: tuple[str, ...], scope: Scope) -> Cell | None:
    """`alias.column`, `schema.table.column`, and `alias.function` in functional notation."""
    source = scope.source(names[-2], names[-3] if len(names) > 2 else None)
    return _field(gather, source, names[-1], {"ColumnRef": {"fields": []}}) if source is not None else None


def _field(gather: Gather, source: Source, name: str, row: Node) -> Cell:
    """`row.name`: a column of the source, or a function of its row, or either where nobody can tell."""
    cell = source.find(name)
    if cell is not None:
        return cell
    whole, rest = source.shape.taint, source.shape.rest
    if rest is None:
        return Cell(whole | call(gather, name, None, {"args": [row]}, whole))
    if name in source.known:
        return Cell(rest)
    could_be, given = _field_or_call(gather, name, row, whole)
    return Cell((whole if could_be else rest) | given)


def _field_or_call(gather: Gather, name: str, row: Node, taint: Taint) -> tuple[bool, Taint]:
    """`row.name` is decided as `name(row)` is where that could be a call; whether it could give the whole row."""
    given = _calls(gather, name, None, {"args": [row]}, taint)
    if given is not None:
        return name in functions.OF_ANY_ROW or bool(gather.names.functions(name, None)), given
    if ("pg_catalog", name) in gather.view.snapshot.functions and name not in SAMPLING_METHODS:
        return False, _nobody_knows(gather, name, None)
    return False, CLEAN


SAMPLING_METHODS = frozenset({"bernoulli", "system"})
"""Functions of pg_catalog that nothing but TABLESAMPLE can call."""


def _star(gather: Gather, names: tuple[str, ...], scope: Scope) -> Taint:
    if names:
        source = scope.source(names[-1], names[-2] if len(names) > 1 else None)
        if source is None:
            gather.is_unknown = gather.is_unknown or bool(gather.index.labels)
            return gather.unknown_column("?", names[-1], "*")
        return source.shape.taint
    taint = CLEAN
    for source in scope.sources:
        taint |= source.shape.taint
    return taint


def _operator(gather: Gather, fields: Node, scope: Scope) -> Taint:
    given = check_operator(gather, fields.get("name"))
    left, right = (
        evaluate(gather, fields[side], scope) if side in fields else CLEAN for side in ("lexpr", "rexpr")
    )
    if (left or right) and fallible.operator(fields, bool(left), bool(right)):
        gather.filter(left | right, "fallible")
    return left | right | given


def check_operator(gather: Gather, name: list[Node] | None) -> Taint:
    """An operator that is not surely PostgreSQL's own or a computing extension's may do anything, and give it."""
    words = strings(name)
    if not words:
        return CLEAN
    given = CLEAN
    schema, symbols = (words[-2] if len(words) > 1 else None), SPELT.get(words[-1], words[-1:])
    users = gather.view.snapshot.operators
    schemas = gather.names.path if schema is None else (schema,)
    for symbol in symbols:
        is_foreign = schema not in (None, "pg_catalog") and symbol not in catalogue.OPERATORS
        if is_foreign or any((each, symbol) in users for each in schemas):
            gather.mentions.add(symbol)
            given |= gather.unseen()
    return given


EQUALS: list[Node] = [{"String": {"sval": "="}}]
"""What IN, USING and CASE compare with."""

SPELT = {
    "BETWEEN": (">=", "<="),
    "NOT BETWEEN": ("<", ">"),
    "BETWEEN SYMMETRIC": (">=", "<="),
    "NOT BETWEEN SYMMETRIC": ("<", ">"),
}
"""Words that stand for operators, which are looked up like any."""


def _cast(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """A cast runs the type's input or cast function; a constant's only the type's own input."""
    inner = fields["arg"]
    type_, content = unwrap(inner)
    if type_ in CONSTANTS:
        return evaluate(gather, inner, scope)
    given = check_type(gather, fields["typeName"])
    source = ""
    if type_ == "ColumnRef":
        cell = column(gather, content, scope)
        taint = cell.taint
        known = cell.relation.column(cell.column) if cell.relation else None
        source = known.type_name if known else ""
    else:
        taint = evaluate(gather, inner, scope)
    kind = fallible.cast(strings(fields["typeName"].get("names"))[-1:], source, inner) if taint else None
    if kind == "constant":
        gather.compare(taint, 1, fields)
    elif kind is not None:
        gather.filter(taint, kind)
    return taint | given


def check_type(gather: Gather, type_name: Node) -> Taint:
    """What a value may carry once it is of that type: nothing more, unless nobody knows what the type runs."""
    words = strings(type_name.get("names"))
    is_own = words[:-1] == ("pg_catalog",) or (len(words) == 1 and gather.names.path[0] == "pg_catalog")
    if not words or words[-1] in (catalogue.HARMLESS_TYPES if is_own else catalogue.EXTENSION_TYPES):
        return CLEAN
    gather.is_unknown = True
    gather.mentions.add(words[-1])
    return gather.anything()


def _indirection(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """`(row).field`: that field where the row is one source; else all that the row may carry."""
    return indirection(gather, fields, scope).taint


def indirection(gather: Gather, fields: Node, scope: Scope) -> Cell:
    inner_type, inner = unwrap(fields["arg"])
    steps = fields["indirection"]
    if inner_type == "ColumnRef" and len(steps) == 1 and "String" in steps[0]:
        names = strings(inner["fields"])
        source = scope.row(names[0]) if len(names) == len(inner["fields"]) == 1 else None
        if source is not None:
            return _field(gather, source, steps[0]["String"].get("sval", ""), fields["arg"])
    taint = evaluate(gather, fields["arg"], scope)
    for step in steps:
        type_, content = unwrap(step)
        if type_ == "A_Indices":
            taint |= parts(gather, "A_Indices", content, scope)
        elif type_ == "String":
            taint |= _field_or_call(gather, content.get("sval", ""), fields["arg"], taint)[1]
    return Cell(taint)


def _function(gather: Gather, fields: Node, scope: Scope) -> Taint:
    words = strings(fields["funcname"])
    name, schema = words[-1], words[-2] if len(words) > 1 else None
    is_syntax = fields.get("funcformat") == "COERCE_SQL_SYNTAX"
    if name == "system_user" and is_syntax and gather.view.snapshot.server_version < 160000:
        return _system_user(gather, scope)
    if _is_count(gather, name, schema) and _counts_column(fields):
        return _count(gather, fields, scope)
    each = [evaluate(gather, node, scope) for node in fields.get("args", ())]
    taint = CLEAN.union(*each) | evaluate_all(gather, fields.get("agg_order"), scope)
    if "agg_filter" in fields:
        conditions.condition(gather, fields["agg_filter"], scope)
    if "over" in fields:
        taint |= window(gather, fields["over"], scope)
    given = call(gather, name, schema, fields, taint)
    if taint and not _is_total(gather, name, schema, fields, each):
        labelled = [bool(one) for one in each]
        is_size = fallible.fails_for_size(name, fields.get("args", []), labelled)
        gather.filter(taint, "size" if is_size else "fallible")
    return taint | given


def _is_total(gather: Gather, name: str, schema: str | None, fields: Node, each: list[Taint]) -> bool:
    """Whether a call of PostgreSQL's own or a computing extension's function never fails for a labelled value."""
    if any(
        (of, name) in gather.view.labels.trusted_functions for of, _ in gather.names.functions(name, schema)
    ):
        return True
    return fallible.is_total(name, fields.get("args", []), [bool(taint) for taint in each])


def _system_user(gather: Gather, scope: Scope) -> Taint:
    """SYSTEM_USER is the name of a column where the target's grammar does not have it."""
    return column(gather, {"fields": [{"String": {"sval": "system_user"}}]}, scope).taint


def _is_count(gather: Gather, name: str, schema: str | None) -> bool:
    """PostgreSQL's own count, which no user's function of that name could stand in for."""
    return name == "count" and schema in (None, "pg_catalog") and not gather.names.functions(name, schema)


def _counts_column(fields: Node) -> bool:
    args = fields.get("args") or []
    return (
        len(args) == 1
        and "ColumnRef" in args[0]
        and not fields.keys() & {"agg_distinct", "over", "agg_order"}
    )


def _count(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """`count(column)` tells how many are not NULL and nothing of their values."""
    gather.filter(evaluate(gather, fields["args"][0], scope), "null", compared.NOTHING)
    if "agg_filter" in fields:
        conditions.condition(gather, fields["agg_filter"], scope)
    call(gather, "count", None, fields, CLEAN)
    return CLEAN


def call(gather: Gather, name: str, schema: str | None, fields: Node | None, taint: Taint) -> Taint:
    """Whatever the name could call, by whatever notation: PostgreSQL's own function, users', or both.

    What its result may carry besides its arguments.
    """
    given = _calls(gather, name, schema, fields or {}, taint)
    if given is not None:
        return given
    if schema is None and name in catalogue.TYPES:  # a cast: `json(x)`
        return check_type(gather, {"names": [{"String": {"sval": name}}]})
    return _nobody_knows(gather, name, schema)


def _calls(gather: Gather, name: str, schema: str | None, fields: Node, taint: Taint) -> Taint | None:
    """What a function of that name gives, and what calling it needs is then noted; None where none is known."""
    gather.mentions.add(name)
    users = gather.names.functions(name, schema)
    own = functions.behaviour(name) if schema in (None, "pg_catalog") else None
    if taint and ((own and name in catalogue.SETS) or any(functions.returns_set(each) for _, each in users)):
        kind = fallible.size_kind(name, fields.get("args", []), bool(users))
        if kind:
            gather.filter(taint, kind)  # the number of rows tells of the arguments
    given = CLEAN
    for each, overloads in users:
        if functions.only_computes(overloads):
            continue
        seen = None
        if (each, name) not in gather.view.labels.trusted_functions:
            seen = _seen_through(gather, overloads, taint)
            given |= gather.unseen() if seen is None else seen
        gather.need(Action.CALL, gather.names.function(each, name), facts={"is_seen": seen is not None})
    if own is not None:
        given |= _own_function(gather, name, own, fields, taint)
    return given if own is not None or users else None


def _seen_through(gather: Gather, overloads: tuple[Function, ...], taint: Taint) -> Taint | None:
    """What a function in SQL gives; where its body brings in what nobody sees through, it is no better than that."""
    before = gather.calls_users, gather.is_unknown
    gather.calls_users = gather.is_unknown = False
    seen = seen_.through(gather, overloads, taint)
    is_seen = seen is not None and not (gather.calls_users or gather.is_unknown)
    gather.calls_users |= before[0]
    gather.is_unknown |= before[1]
    return seen if is_seen else None


def _nobody_knows(gather: Gather, name: str, schema: str | None) -> Taint:
    if schema == "pg_catalog" or ("pg_catalog", name) in gather.view.snapshot.functions:
        raise unsupported(f"the gateway does not pass calls of pg_catalog.{name}")
    gather.need(Action.CALL, gather.names.function(schema or gather.names.creation_schema, name))
    return gather.unseen()


def _own_function(gather: Gather, name: str, own: functions.Behaviour, fields: Node, taint: Taint) -> Taint:
    given = CLEAN
    match own.does:
        case Does.COMPUTES:
            return CLEAN
        case Does.RUNS_SQL:
            raise undecided(f"{name} runs SQL that the gateway does not see")
        case Does.SHOWS:
            gather.is_unknown = True
            given = gather.anything()
        case Does.READS_SETTING:
            given = setting_calls.reads(gather, fields)
        case Does.WRITES_SETTING:
            setting_calls.writes(gather, fields)
        case Does.ON_SEQUENCE:
            _sequence(gather, fields)
        case _:
            if own.action is not None:
                gather.need(own.action, _act_upon(gather, own.on))
    if own.on == "large_object":
        gather.is_unknown = True
        given = gather.anything()
    if taint and own.does is not Does.SHOWS:
        raise undecided(f"{name} would act upon labelled values")
    return given


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
    return check_operator(gather, fields.get("useOp")) | evaluate(gather, fields["node"], scope)


def _sublink(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """A subquery in an expression; EXISTS tells of its conditions only, and those are filters."""
    gather.is_in_sublink += 1
    shape = query.select_node(gather, fields["subselect"], scope)
    gather.is_in_sublink -= 1
    given = check_operator(gather, fields.get("operName") or (EQUALS if "testexpr" in fields else None))
    if fields["subLinkType"] == "EXISTS_SUBLINK":
        return CLEAN
    test = evaluate(gather, fields["testexpr"], scope) if "testexpr" in fields else CLEAN
    return shape.taint | test | given


def _case(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """The branch taken tells of its condition; each part is walked once, or nested ones would double each time."""
    test = evaluate(gather, fields["arg"], scope) if "arg" in fields else CLEAN
    given = check_operator(gather, EQUALS) if "arg" in fields else CLEAN
    branches = [fields["defresult"]] if "defresult" in fields else []
    result = evaluate_all(gather, branches, scope)
    for each in fields["args"]:
        when = each["CaseWhen"]
        test |= evaluate(gather, when["expr"], scope)
        result |= evaluate(gather, when["result"], scope)
        branches += [when["expr"], when["result"]]
    _chosen(gather, test, branches)
    return test | result | given


def _chosen(gather: Gather, test: Taint, branches: list[Node]) -> None:
    """Labelled values decide which of these is evaluated: one that may fail, or do something, tells of them."""
    if test and not all(fallible.is_simple(branch) for branch in branches):
        gather.filter(test, "other")


def _one_of(gather: Gather, fields: Node, scope: Scope) -> Taint:
    """COALESCE, AND and OR stop where an earlier part has decided."""
    args = fields["args"]
    taint = evaluate_all(gather, args, scope)
    _chosen(gather, taint, args)
    return taint


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


VISITORS: dict[str, Visitor] = {
    "CoalesceExpr": _one_of,
    "BoolExpr": _one_of,
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
