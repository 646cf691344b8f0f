"""Conditions -> filter operations: which labelled columns decide what comes, by what kind of test, with how many values.

Laws: a condition's single bit is what `filter` is for, so a test of a named kind does not make the outputs derived,
but for what could carry the value out in a column of its own; any other use of a labelled value in a condition does.
What is called a constant is the same for every row: a column, a subquery or a function that varies is none, since
with rows enough it lists all that a value may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from narrows.inspect.sql import compared, expression, functions, lists
from narrows.inspect.sql.compared import Compared
from narrows.inspect.sql.fields import CONSTANTS
from narrows.inspect.sql.functions import Does
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.scope import Cell, Scope
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
COLON_SEPARATED = frozenset({"geometry", "geography"})
"""Types of PostGIS, `{A:B}`."""
READS_ARRAY = frozenset({"AEXPR_OP_ANY", "AEXPR_OP_ALL"})

COLUMN, PART, CONSTANT, CLEAR, OTHER = "column", "part", "constant", "clear", "other"
"""How one side of a comparison is made: a labelled column, something that a function makes of one, the same for every
row, unlabelled columns or subqueries, or anything else that is labelled."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    form: str
    taint: Taint = CLEAN
    is_stored: bool = False
    """It is a plain table's column, or inside a subquery: an equal value does not come out beside it."""
    node: Node | None = None
    """A column of which it has still to be seen whether it is stored."""


SAME = Side(CONSTANT)
CLEARLY = Side(CLEAR)


def side_of(taint: Taint, *, is_stored: bool) -> Side:
    """A column that is not written out, as those of USING and NATURAL."""
    return Side(COLUMN if taint else CLEAR, taint, is_stored)


def condition(gather: Gather, node: Node, scope: Scope) -> None:
    """A WHERE, ON, HAVING or FILTER clause."""
    type_, fields = unwrap(node)
    if type_ == "BoolExpr":
        for each in fields["args"]:
            condition(gather, each, scope)
    elif type_ == "A_Expr":
        _comparison(gather, fields, scope)
    elif type_ == "NullTest" and "ColumnRef" in fields["arg"]:
        cell = expression.column(gather, fields["arg"]["ColumnRef"], scope)
        gather.filter(cell.taint, "null" if _is_plain(gather, cell) else "other", compared.NOTHING)
    elif type_ == "BooleanTest":
        condition(gather, fields["arg"], scope)
    elif type_ == "ColumnRef":
        cell = expression.column(gather, fields, scope)
        gather.filter(cell.taint, "constant" if _is_plain(gather, cell) else "other", compared.ONE, fields)
    elif type_ == "SubLink":
        _membership(gather, fields, scope)
    else:
        other(gather, expression.evaluate(gather, node, scope))


def _is_plain(gather: Gather, cell: Cell) -> bool:
    """Whether a column is what it says; one that was made of labelled values may be the answer to any question."""
    return cell.is_same or not cell.taint <= gather.index.labels.keys() or cell.taint <= gather.index.made


def other(gather: Gather, taint: Taint) -> None:
    """Labelled values decide something in a way that is not named."""
    gather.filter(taint, "other")
    gather.derive(taint)


def equated(gather: Gather, left: Side, right: Side) -> None:
    """Two columns are equal: one could list all that the other may be, unless both bear the same labels."""
    taint = left.taint | right.taint
    if left.taint and right.taint and _bear_the_same(gather, taint):
        gather.filter(taint, "join")
        return
    gather.filter(taint, "match")
    if not all(side.taint or side.is_stored for side in (left, right)):
        gather.derive(taint)


def _bear_the_same(gather: Gather, taint: Taint) -> bool:
    labels = {gather.index.labels.get(column) for column in taint}
    return len(labels) == 1 and None not in labels


# -- comparisons

Operand = tuple[Node, Callable[[Node], Compared]]
"""What the left side is compared with, and how many values that is where it is a constant."""


def _comparison(gather: Gather, fields: Node, scope: Scope) -> None:
    expression.check_operator(gather, fields.get("name"))
    base = KINDS.get(fields["kind"])
    if base is None and fields["kind"] in COMPARES:
        base = OPERATORS.get(strings(fields.get("name"))[-1])
    if base is None or "lexpr" not in fields or "rexpr" not in fields:
        sides = [fields[name] for name in ("lexpr", "rexpr") if name in fields]
        other(gather, expression.evaluate_all(gather, sides, scope))
        return
    for left, operands in _columns(fields["lexpr"], _operands(fields, base)):
        _compare(gather, base, left, operands, scope)


def _operands(fields: Node, base: str) -> list[Operand]:
    right = fields["rexpr"]
    if "List" in right:  # IN and BETWEEN
        return [(each, _one) for each in right["List"]["items"]]
    if fields["kind"] not in READS_ARRAY or base == "range":  # greater than all of them is than the greatest
        return [(right, _one)]
    if "A_ArrayExpr" in right:
        return [(each, lists.element) for each in right["A_ArrayExpr"].get("elements", ())]
    return [(right, lists.elements)]


def _one(_node: Node) -> Compared:
    return compared.ONE


def _columns(left: Node, operands: list[Operand]) -> Iterator[tuple[Node, list[Operand]]]:
    """Rows are compared column by column."""
    mine = _row(left)
    rows = [_row(node) for node, _ in operands]
    if mine and all(len(row) == len(mine) for row in rows):
        for place, each in enumerate(mine):
            yield each, [(row[place], _one) for row in rows]
    else:
        yield left, operands


def _row(node: Node) -> list[Node]:
    args: list[Node] = node.get("RowExpr", {}).get("args", [])
    return args


def _compare(gather: Gather, base: str, left: Node, operands: list[Operand], scope: Scope) -> None:
    mine = _side(gather, left, scope)
    values = compared.NOTHING
    is_constant = False
    for node, count in operands:
        side = _side(gather, node, scope)
        if side.form == CONSTANT:
            values += count(node) if count is _one or _has_commas(gather, mine.taint) else compared.UNKNOWN
            is_constant = True
        else:
            _relate(gather, base, (mine, side), compared.ONE, node, scope)
    if is_constant:
        _relate(gather, base, (mine, SAME), values, left, scope)


def _has_commas(gather: Gather, taint: Taint) -> bool:
    """Whether arrays of the column's type are written with commas, as those of all but a few extensions' are."""
    for column in taint:
        relation = gather.view.snapshot.by_name.get((column.path[2], column.path[3]))
        known = relation.column(column.path[4]) if relation else None
        if known is not None and known.type_name.rpartition(".")[2] in COLON_SEPARATED:
            return False
    return True


def _relate(
    gather: Gather, base: str, sides: tuple[Side, Side], values: Compared, of: Node, scope: Scope
) -> None:
    left, right = sides
    taint = left.taint | right.taint
    if not taint:
        return
    forms = {left.form, right.form}
    if CONSTANT in forms and OTHER not in forms:
        gather.filter(taint, "pattern" if PART in forms and base == "constant" else base, values, of)
    elif base == "constant" and forms <= {COLUMN, CLEAR}:
        equated(gather, _seen(left, scope), _seen(right, scope))
    elif (
        base == "range"
        and forms <= {COLUMN, CLEAR}
        and all(side.taint or _seen(side, scope).is_stored for side in sides)
    ):
        gather.filter(taint, "range")
    else:
        other(gather, taint)


# -- sides


def _side(gather: Gather, node: Node, scope: Scope) -> Side:
    taint = expression.evaluate(gather, node, scope)
    while "CollateClause" in node:
        node = node["CollateClause"]["arg"]
    if taint:
        return Side(_labelled_form(gather, node, scope), taint)
    if "ColumnRef" in node:
        return Side(CLEAR, node=node["ColumnRef"])
    return SAME if _is_constant(gather, node) else CLEARLY


def _seen(side: Side, scope: Scope) -> Side:
    """Looked up only where it matters: most conditions are on columns that bear no label."""
    return side if side.node is None else Side(CLEAR, is_stored=_is_table_column(side.node, scope))


def _labelled_form(gather: Gather, node: Node, scope: Scope) -> str:
    type_, fields = unwrap(node)
    if type_ == "ColumnRef":
        return COLUMN if _is_plain(gather, expression.column(gather, fields, scope)) else OTHER
    if type_ == "SubLink":
        is_value = fields["subLinkType"] == "EXPR_SUBLINK" and _gives_column(fields["subselect"])
        return COLUMN if is_value else OTHER
    if type_ == "FuncCall" and fields.get("args"):
        return COLUMN if _is_folded(gather, fields, scope) else PART
    return OTHER


def _is_folded(gather: Gather, fields: Node, scope: Scope) -> bool:
    """`lower(column)`; a second argument could cut away more than case and blanks."""
    words = strings(fields["funcname"])
    is_own = words[:-1] in ((), ("pg_catalog",)) and not gather.names.functions(words[-1], None)
    if not is_own or words[-1] not in CASE_FOLDING or len(fields["args"]) != 1:
        return False
    return _labelled_form(gather, fields["args"][0], scope) == COLUMN and "ColumnRef" in fields["args"][0]


def _is_table_column(fields: Node, scope: Scope) -> bool:
    names = strings(fields["fields"])
    if len(names) != len(fields["fields"]):
        return False
    if len(names) > 1:
        source = scope.source(names[-2], names[-3] if len(names) > 2 else None)
        cell = source.find(names[-1]) if source else None
    else:
        cell = scope.column(names[-1])
    return cell is not None and cell.relation is not None


def _is_constant(gather: Gather, node: Node) -> bool:
    """Whether it is the same for every row; the parameter of a function that is seen through need not be."""
    type_, fields = unwrap(node)
    others = OF_ROWS if gather.call_depth == 0 else OF_CALLS
    if type_ in CONSTANTS:
        return type_ not in others
    return not any(
        name in others or (name == "FuncCall" and _varies(gather, each)) for name, each in walk(type_, fields)
    )


OF_ROWS = frozenset({"ColumnRef", "SubLink"})
OF_CALLS = OF_ROWS | {"ParamRef"}


def _varies(gather: Gather, fields: Node) -> bool:
    """Whether a function could give another value for every row: of a sequence, by chance, from a setting."""
    words = strings(fields["funcname"])
    schema = words[-2] if len(words) > 1 else None
    users = gather.names.functions(words[-1], schema)
    if any(function.volatility not in ("i", "s") for _, overloads in users for function in overloads):
        return True
    own = functions.behaviour(words[-1]) if schema in (None, "pg_catalog") else None
    return own is not None and (own.does is not Does.COMPUTES or words[-1] in functions.VARYING)


# -- subqueries


def _membership(gather: Gather, fields: Node, scope: Scope) -> None:
    """`column IN (SELECT ...)`; EXISTS tells of nothing but its own conditions."""
    if fields["subLinkType"] == "EXISTS_SUBLINK":
        expression.evaluate(gather, {"SubLink": fields}, scope)
        return
    if fields["subLinkType"] not in ("ANY_SUBLINK", "ALL_SUBLINK"):
        other(gather, expression.evaluate(gather, {"SubLink": fields}, scope))
        return
    operator = fields.get("operName") or expression.EQUALS
    expression.check_operator(gather, operator)
    test = _side(gather, fields["testexpr"], scope)
    base = OPERATORS.get(strings(operator)[-1], OTHER)
    side, values = _selected(gather, fields, scope)
    if base == "range":
        values = compared.ONE
    _relate(gather, base, (test, side), values, fields, scope)


def _selected(gather: Gather, fields: Node, scope: Scope) -> tuple[Side, Compared]:
    """What a subquery gives: a column, a list of constants, or something else."""
    query = {name: value for name, value in fields.items() if name != "testexpr"}
    taint = expression.evaluate(gather, {"SubLink": query}, scope)
    if taint:
        return Side(COLUMN if _gives_column(fields["subselect"]) else OTHER, taint), compared.ONE
    values = _listed(gather, fields["subselect"])
    return (Side(CLEAR, is_stored=True), compared.UNKNOWN) if values is None else (SAME, values)


def _listed(gather: Gather, node: Node) -> Compared | None:
    """How many values a subquery lists, where all of them are constants."""
    rows = lists.rows(node)
    if rows is not None:
        return Compared(len(rows)) if all(_is_constant(gather, each) for each in rows) else None
    array = lists.selected(node)
    if array is None or gather.names.functions("unnest", None) or not _is_constant(gather, array):
        return None
    return lists.elements(array)


def _gives_column(node: Node) -> bool:
    targets = node.get("SelectStmt", {}).get("targetList") or []
    return len(targets) == 1 and "ColumnRef" in targets[0]["ResTarget"].get("val", {})
