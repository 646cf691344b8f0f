"""Conditions -> filter operations: which labelled columns decide what comes, and by what kind of test.

Law: a condition's single bit is what `filter` is for, so a constant, range, pattern or join test does not make
the outputs derived; any other use of a labelled value in a condition does both.
"""

from __future__ import annotations

from narrows.inspect.sql import expression
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import Taint
from narrows.inspect.sql.scope import Scope
from narrows.inspect.sql.tree import Node, strings, unwrap, walk

KINDS: dict[str, str] = {
    "AEXPR_LIKE": "pattern",
    "AEXPR_ILIKE": "pattern",
    "AEXPR_SIMILAR": "pattern",
    "AEXPR_BETWEEN": "range",
    "AEXPR_NOT_BETWEEN": "range",
    "AEXPR_BETWEEN_SYM": "range",
    "AEXPR_NOT_BETWEEN_SYM": "range",
    "AEXPR_IN": "constant",
    "AEXPR_DISTINCT": "constant",
    "AEXPR_NOT_DISTINCT": "constant",
}
OPERATORS: dict[str, str] = {
    "=": "constant",
    "<>": "constant",
    "<": "range",
    "<=": "range",
    ">": "range",
    ">=": "range",
    "~~": "pattern",
    "!~~": "pattern",
    "~~*": "pattern",
    "!~~*": "pattern",
    "~": "pattern",
    "!~": "pattern",
    "~*": "pattern",
    "!~*": "pattern",
    "^@": "pattern",
}
"""What a comparison with a constant is, by its operator."""

CASE_FOLDING = frozenset({"lower", "upper", "btrim"})
COMPARES = frozenset({"AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL"})


def condition(gather: Gather, node: Node, scope: Scope) -> None:
    """A WHERE, ON, HAVING or FILTER clause."""
    type_, fields = unwrap(node)
    if type_ == "BoolExpr":
        for each in fields["args"]:
            condition(gather, each, scope)
    elif type_ == "A_Expr":
        _comparison(gather, fields, scope)
    elif type_ in ("NullTest", "BooleanTest") and "ColumnRef" in fields["arg"]:
        gather.filter(expression.evaluate(gather, fields["arg"], scope), "constant")
    elif type_ == "ColumnRef":
        gather.filter(expression.column(gather, fields, scope).taint, "constant")
    elif type_ == "SubLink":
        _membership(gather, fields, scope)
    else:
        other(gather, expression.evaluate(gather, node, scope))


def other(gather: Gather, taint: Taint) -> None:
    """Labelled values decide something in a way that is not named."""
    gather.filter(taint, "other")
    gather.derive(taint)


def _comparison(gather: Gather, fields: Node, scope: Scope) -> None:
    expression.check_operator(gather, fields.get("name"))
    sides = [fields[side] for side in ("lexpr", "rexpr") if side in fields]
    taints = [expression.evaluate(gather, side, scope) for side in sides]
    taint = frozenset[object]().union(*taints)
    if not taint:
        return
    kind = _kind(fields, sides, taints, scope)
    for each in taints:
        gather.filter(each, kind)
        if kind == "other":
            gather.derive(each)


def _kind(fields: Node, sides: list[Node], taints: list[Taint], scope: Scope) -> str:
    base = KINDS.get(fields["kind"])
    if base is None and fields["kind"] in COMPARES:
        base = OPERATORS.get(strings(fields.get("name"))[-1])
    if base is None or len(sides) != 2:
        return "other"
    shapes = [_shape(side, taint, scope) for side, taint in zip(sides, taints, strict=True)]
    if "other" in shapes:
        return "other"
    if shapes.count("constant") == 1:
        return "pattern" if "part" in shapes and base == "constant" else base
    both_columns = shapes == ["column", "column"]
    return (
        "join"
        if both_columns and base == "constant"
        else "range"
        if both_columns and base == "range"
        else "other"
    )


def _shape(side: Node, taint: Taint, scope: Scope) -> str:
    """How one side of a comparison is made: a column, part of one, a constant, or something else."""
    type_, fields = unwrap(side)
    if type_ == "ColumnRef":
        return "column" if taint or _is_table_column(fields, scope) else "other"
    if not taint:
        return "constant" if _is_constant(side) else "other"
    if type_ == "SubLink":
        is_value = fields["subLinkType"] == "EXPR_SUBLINK" and _gives_column(fields["subselect"])
        return "column" if is_value else "other"
    if type_ == "FuncCall" and len(fields.get("args", ())) >= 1:
        is_folded = strings(fields["funcname"])[-1] in CASE_FOLDING and "ColumnRef" in fields["args"][0]
        return "column" if is_folded else "part"
    if type_ in ("RowExpr", "List", "CollateClause"):
        return "column"
    return "other"


def _is_table_column(fields: Node, scope: Scope) -> bool:
    names = strings(fields["fields"])
    if len(names) > 1:
        source = scope.source(names[-2], names[-3] if len(names) > 2 else None)
        cell = source.find(names[-1]) if source else None
    else:
        cell = scope.column(names[-1])
    return cell is not None and cell.relation is not None


def _is_constant(node: Node) -> bool:
    return not any(type_ in ("ColumnRef", "SubLink") for type_, _ in walk(*unwrap(node)))


def _membership(gather: Gather, fields: Node, scope: Scope) -> None:
    """`column IN (SELECT column)` is a join; EXISTS tells of nothing but its own conditions."""
    if fields["subLinkType"] == "EXISTS_SUBLINK":
        expression.evaluate(gather, {"SubLink": fields}, scope)
        return
    taint = expression.evaluate(gather, {"SubLink": fields}, scope)
    test = fields.get("testexpr", {})
    # What is no table's column could list all that a value may be.
    is_column = (
        "ColumnRef" in test and _shape(test, expression.evaluate(gather, test, scope), scope) == "column"
    )
    if is_column and _gives_column(fields["subselect"]) and fields["subLinkType"] == "ANY_SUBLINK":
        gather.filter(taint, "join")
    else:
        other(gather, taint)


def _gives_column(node: Node) -> bool:
    targets = node.get("SelectStmt", {}).get("targetList") or []
    return len(targets) == 1 and "ColumnRef" in targets[0]["ResTarget"].get("val", {})
