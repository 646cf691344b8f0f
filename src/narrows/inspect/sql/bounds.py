"""How much a statement touches: whether a WHERE bounds it, how many rows may flow out, what is an export.

Law: what cannot be seen to be bounded is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from narrows.inspect.sql import relations
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.fields import CONSTANTS
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.scope import Cell, Scope, Shape, named
from narrows.inspect.sql.tree import Node, strings, unwrap, walk
from narrows.inspect.sql.work import spend
from narrows.model.snapshot import Relation

SCALAR_AGGREGATES = listed(
    """
    count sum avg min max bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop stddev_samp
    variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept
    regr_r2 regr_slope regr_sxx regr_sxy regr_syy percentile_cont percentile_disc mode
    """
)
COLLECTING_AGGREGATES = listed(
    """
    array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg xmlagg json_agg_strict
    jsonb_agg_strict json_object_agg_strict jsonb_object_agg_strict range_agg any_value
    """
)
"""These put every row into one value."""

Place = tuple[int, str]
"""(relation oid, column)"""


@dataclass(slots=True)
class Bounds:
    """What the conditions of one query level that must all hold say about its tables."""

    constants: set[Place] = field(default_factory=set)
    joins: list[tuple[Place, Place]] = field(default_factory=list)


def read(nodes: list[Node], scope: Scope) -> Bounds:
    """The equalities among conditions joined by AND."""
    found = Bounds()
    for node in nodes:
        for each in _conjuncts(node):
            _equality(each, scope, found)
    return found


def exports(gather: Gather, fields: Node, scope: Scope, shape: Shape) -> Shape:
    """Which labelled tables give rows to this level's result without a bound."""
    flowing = frozenset[int]().union(*(source.shape.exports for source in scope.sources))
    if scope.sources:
        flowing |= _own(gather, [*_wheres(fields)], scope)
    if flowing and "groupClause" not in fields and _is_one_row(fields.get("targetList", [])):
        flowing = frozenset()
    return replace(shape, exports=flowing) if flowing else shape


def limit(gather: Gather, fields: Node, shape: Shape) -> Shape:
    """A constant LIMIT no greater than the connection's threshold ends an export."""
    count = constant_limit(fields)
    if shape.exports and count is not None and 0 <= count <= gather.view.export_rows:
        return replace(shape, exports=frozenset())
    return shape


def returning(gather: Gather, where: Node | None, scope: Scope) -> frozenset[int]:
    """The labelled tables that RETURNING gives rows of without a bound."""
    return _own(gather, [where] if where else [], scope)


def constant_limit(fields: Node) -> int | None:
    """LIMIT's number; -1 where it is no constant, None where there is no LIMIT."""
    count = fields.get("limitCount")
    if count is None or fields.get("limitOption") == "LIMIT_OPTION_WITH_TIES":
        return None
    constant = count.get("A_Const")
    if constant is None:
        return -1
    if constant.get("isnull"):
        return None
    return int(constant["ival"].get("ival", 0)) if "ival" in constant else -1


def note(gather: Gather, fields: Node, scope: Scope) -> None:
    """The facts about a level that rows flow through, as policy sees them."""
    if gather.is_in_sublink or not any(source.has_system_columns for source in scope.sources):
        return
    wheres = [*_wheres(fields)]
    if not wheres:
        gather.constant_filters, gather.is_bounded = frozenset(), False
        return
    relations = {source.relation.oid: source.relation for source in scope.sources if source.relation}
    found = read(wheres, scope)
    names = {f"{relations[oid].name}.{column}" for oid, column in found.constants if oid in relations}
    before = gather.constant_filters
    gather.constant_filters = frozenset(names) if before is None else before & names
    gather.is_bounded = gather.is_bounded and any(is_bounding(where, scope) for where in wheres)
    gather.bounded_relations |= _bounded(found, scope)


def is_bounding(node: Node, scope: Scope) -> bool:
    """Whether a condition compares a table's column with something else, on every way through it."""
    type_, fields = unwrap(node)
    if type_ == "BoolExpr":
        each = (is_bounding(arg, scope) for arg in fields["args"])
        if fields["boolop"] == "AND_EXPR":
            return any(each)
        return all(each) if fields["boolop"] == "OR_EXPR" else _is_flag(fields["args"][0], scope)
    if type_ == "CurrentOfExpr":
        return True
    if type_ in ONE_OF_FEW:
        return fields[ONE_OF_FEW[type_]] in FEW and _has_column(fields["arg"], scope)
    if _is_flag(node, scope):
        return True
    if type_ == "SubLink":
        is_in = fields["subLinkType"] == "ANY_SUBLINK" and _has_column(fields.get("testexpr"), scope)
        return is_in and _narrows(fields["subselect"], scope)
    if type_ != "A_Expr" or "lexpr" not in fields or "rexpr" not in fields:
        return False
    if strings(fields.get("name"))[-1:] == ("<>",) or _is_everything(fields["rexpr"]):
        return False
    if fields["kind"] == "AEXPR_DISTINCT":  # true of all rows but one value's
        return False
    left, right = (_columns(fields[side], scope) for side in ("lexpr", "rexpr"))
    return bool(left or right) and not (left & right)


ONE_OF_FEW = {"NullTest": "nulltesttype", "BooleanTest": "booltesttype"}
FEW = frozenset({"IS_NULL", "IS_TRUE", "IS_FALSE", "IS_UNKNOWN"})
"""What a column has few values for: backfills are bounded by `IS NULL`, sweeps by a flag."""


def _is_flag(node: Node, scope: Scope) -> bool:
    """A boolean column by itself."""
    return "ColumnRef" in node and _has_column(node, scope)


def _narrows(node: Node, scope: Scope) -> bool:
    """Whether a subquery could leave anything out: one that reads the same table whole does not."""
    fields = node.get("SelectStmt", {})
    if fields.get("op", "SETOP_NONE") != "SETOP_NONE":
        return all(_narrows({"SelectStmt": fields[side]}, scope) for side in ("larg", "rarg"))
    same = {source.relation.name for source in scope.sources if source.relation}
    read = {item["RangeVar"]["relname"] for item in fields.get("fromClause", ()) if "RangeVar" in item}
    return not same & read or bool(fields.keys() & NARROWING)


NARROWING = frozenset({"whereClause", "limitCount", "havingClause"})


def _is_everything(node: Node) -> bool:
    return set(node.get("A_Const", {}).get("sval", {}).get("sval", "x")) <= {"%"}


def _columns(node: Node, scope: Scope) -> set[str]:
    if not node.keys().isdisjoint(CONSTANTS):
        return set()
    return {
        ".".join(strings(fields["fields"])[-1:])
        for type_, fields in walk(*unwrap(node))
        if type_ == "ColumnRef" and _cell(fields, scope) is not None
    }


def _has_column(node: Node | None, scope: Scope) -> bool:
    return node is not None and bool(_columns(node, scope))


def _wheres(fields: Node) -> Iterator[Node]:
    """WHERE and the ON clauses of inner joins."""
    if "whereClause" in fields:
        yield fields["whereClause"]
    stack = list(fields.get("fromClause", ()))
    while stack:
        join = stack.pop().get("JoinExpr")
        if join is None:
            continue
        if "quals" in join and join["jointype"] in ("JOIN_INNER", "JOIN_LEFT"):
            yield join["quals"]
        stack += [join["larg"], join["rarg"]]


def _conjuncts(node: Node) -> Iterator[Node]:
    fields = node.get("BoolExpr")
    if fields is None or fields["boolop"] != "AND_EXPR":
        yield node
        return
    for each in fields["args"]:
        yield from _conjuncts(each)


def _equality(node: Node, scope: Scope, found: Bounds) -> None:
    fields = node.get("A_Expr", {})
    if not _is_equality(fields):
        return
    left, right = (_place(fields[side], scope) for side in ("lexpr", "rexpr"))
    if left and right:
        found.joins.append((left, right))
    elif left and _is_constant(fields["rexpr"]):
        found.constants.add(left)
    elif right and _is_constant(fields["lexpr"]):
        found.constants.add(right)


def _is_equality(fields: Node) -> bool:
    return (
        fields.get("kind") in ("AEXPR_OP", "AEXPR_IN", "AEXPR_OP_ANY")
        and strings(fields.get("name"))[-1:] == ("=",)
        and "lexpr" in fields
        and "rexpr" in fields
    )


def _is_constant(node: Node) -> bool:
    return not node.keys().isdisjoint(CONSTANTS) or not any(
        type_ in ("ColumnRef", "SubLink", "FuncCall") for type_, _ in walk(*unwrap(node))
    )


def _place(node: Node, scope: Scope) -> Place | None:
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    fields = node.get("ColumnRef")
    cell = _cell(fields, scope) if fields else None
    return (cell.relation.oid, cell.column) if cell is not None and cell.relation is not None else None


def _cell(fields: Node, scope: Scope) -> Cell | None:
    """The column of this query level that a reference names."""
    names = strings(fields["fields"])
    if not names or len(names) != len(fields["fields"]):
        return None
    sources = scope.sources
    if len(names) > 1:
        sources = named(sources, names[-2], names[-3] if len(names) > 2 else None)
        if len(sources) > 1:
            return None
    spend(len(sources))
    return next((cell for each in sources if (cell := each.find(names[-1])) is not None), None)


def _own(gather: Gather, wheres: list[Node], scope: Scope) -> frozenset[int]:
    """The labelled tables of this level that are neither bounded nor known to be small."""
    labelled = [
        source.relation
        for source in scope.sources
        if source.relation is not None and relations.is_labelled(gather, source.relation)
    ]
    large = [each for each in labelled if not 0 <= each.rows_estimate < gather.view.export_rows]
    if not large:
        return frozenset()
    bounded = _bounded(read(wheres, scope), scope)
    return frozenset(relation.oid for relation in large if relation.oid not in bounded)


def _bounded(found: Bounds, scope: Scope) -> set[int]:
    """Tables of which a key is fixed by constants, or by tables that are so bounded."""
    bounded: set[int] = set()
    if not found.constants:
        return bounded
    relations = {source.relation.oid: source.relation for source in scope.sources if source.relation}
    grew = True
    while grew:
        grew = False
        for oid, relation in relations.items():
            if oid not in bounded and is_key(relation, _fixed(oid, found, bounded)):
                bounded.add(oid)
                grew = True
    return bounded


def _fixed(oid: int, found: Bounds, bounded: set[int]) -> set[str]:
    spend(2 * (len(found.constants) + 2 * len(found.joins)))
    fixed = {column for each, column in found.constants if each == oid}
    for one, other in found.joins:
        for (mine, column), (theirs, _) in ((one, other), (other, one)):
            if mine == oid and theirs in bounded:
                fixed.add(column)
    return fixed


def is_key(relation: Relation, columns: set[str]) -> bool:
    """Whether these columns hold a unique key."""
    spend(len(relation.columns) + len(relation.keys))
    numbers = {known.attnum for name in columns if (known := relation.column(name)) is not None}
    return any(numbers.issuperset(key) for key in relation.keys)


def _is_one_row(targets: list[Node]) -> bool:
    names = {
        strings(fields["funcname"])[-1]
        for target in targets
        for type_, fields in walk(*unwrap(target))
        if type_ == "FuncCall" and "over" not in fields
    }
    return bool(names & SCALAR_AGGREGATES) and not names & COLLECTING_AGGREGATES
