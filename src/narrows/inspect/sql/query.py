"""SELECT -> the shape of its result; everything below it is walked on the way.

Laws: a column that reaches the result unchanged through subqueries and common tables stays direct, since
RowDescription traces it too; through a set operation, an expression or a merged join column it does not, and a
labelled one makes the statement derived.
"""

from __future__ import annotations

from dataclasses import replace

from narrows.inspect.sql import bounds, conditions, dml, expression, sources
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.refused import undecided
from narrows.inspect.sql.scope import Cell, Scope, Shape
from narrows.inspect.sql.tree import Node, strings, too_complex, unwrap
from narrows.inspect.sql.work import spend

HANDLED = listed(
    """
    distinctClause targetList fromClause whereClause groupClause groupDistinct havingClause windowClause
    valuesLists sortClause limitOffset limitCount limitOption lockingClause withClause op all larg rarg
    intoClause
    """
)


def select_node(gather: Gather, node: Node, parent: Scope | None) -> Shape:
    """A wrapped statement that gives rows, inside another or on its own."""
    type_, fields = unwrap(node)
    if type_ == "SelectStmt":
        return select(gather, fields, parent)
    visit = dml.VISITORS.get(type_)
    if visit is None:
        raise undecided(f"a query contains {type_}, which the gateway does not look into")
    return visit(gather, fields, parent)


def select(gather: Gather, fields: Node, parent: Scope | None) -> Shape:
    """SELECT, VALUES and set operations."""
    if not fields.keys() <= HANDLED:
        unknown = fields.keys() - HANDLED
        raise undecided(f"a query uses {', '.join(sorted(unknown))}, which the gateway does not look into")
    scope = Scope(parent)
    if "withClause" in fields:
        with_clause(gather, fields["withClause"], scope)
    if fields.get("op", "SETOP_NONE") != "SETOP_NONE":
        shape = _set_operation(gather, fields, scope)
    elif "valuesLists" in fields:
        shape = _values(gather, fields, scope)
    else:
        shape = _plain(gather, fields, scope)
    return bounds.limit(gather, fields, _limits(gather, fields, scope, shape))


def with_clause(gather: Gather, fields: Node, scope: Scope) -> None:
    """Common tables, each in sight of the next; a recursive one is in its own sight too."""
    is_recursive = fields.get("recursive", False)
    if is_recursive:  # any of them may name a later one
        scope.ctes |= {each["CommonTableExpr"]["ctename"]: None for each in fields["ctes"]}
    for each in fields.get("ctes", ()):
        cte = each["CommonTableExpr"]
        name = cte["ctename"]
        names = strings(cte.get("aliascolnames"))
        if is_recursive:
            shape = _recursive(gather, cte, name, names, scope)
        else:
            shape = sources.rename(select_node(gather, cte["ctequery"], scope), names)
        scope.ctes[name] = _with_extras(cte, shape)


def _recursive(gather: Gather, cte: Node, name: str, names: tuple[str, ...], scope: Scope) -> Shape:
    """Walked until its columns carry no more than they are known to: what a column carries only grows."""
    gather.recursions += 1
    if gather.recursions > gather.limits.recursions:
        raise too_complex()
    shape = Shape(rest=CLEAN)
    body = cte["ctequery"].get("SelectStmt", {})
    is_union = body.get("op", "SETOP_NONE") != "SETOP_NONE"
    if is_union:  # the first side does not name the table, and says which columns there are
        scope.ctes[name] = shape
        shape = sources.rename(select(gather, body["larg"], Scope(scope)), names)
    for _ in range(ROUNDS):
        scope.ctes[name] = shape
        found = sources.rename(select_node(gather, cte["ctequery"], scope), names)
        grown = _grown(shape, found) if is_union else found
        if not is_union or grown == shape:
            gather.recursions -= 1
            return grown
        shape = grown
    everything = shape.taint
    gather.recursions -= 1
    scope.ctes[name] = shape = Shape(tuple((each, Cell(everything)) for each, _ in shape.cells), everything)
    select_node(gather, cte["ctequery"], scope)
    return shape


ROUNDS = 4
"""After so many the columns of a recursive table are taken to carry all that any of them does."""


def _grown(before: Shape, after: Shape) -> Shape:
    """The columns of both; what is not listed in one may be anything of it."""
    if before.rest is not None or after.rest is not None or len(before.cells) != len(after.cells):
        everything = before.taint | after.taint
        return Shape(tuple((name, Cell(everything)) for name, _ in after.cells), everything)
    return Shape(
        tuple(
            (name, Cell(one.taint | other.taint, is_same=one.is_same and other.is_same))
            for (name, one), (_, other) in zip(before.cells, after.cells, strict=True)
        )
    )


def _with_extras(cte: Node, shape: Shape) -> Shape:
    """The columns that SEARCH and CYCLE add."""
    extra: list[tuple[str, Cell]] = []
    if "search_clause" in cte:
        extra.append((cte["search_clause"]["search_seq_column"], Cell(shape.taint)))
    if "cycle_clause" in cte:
        cycle = cte["cycle_clause"]
        extra += [(cycle[field], Cell(shape.taint)) for field in ("cycle_mark_column", "cycle_path_column")]
    return replace(shape, cells=shape.cells + tuple(extra)) if extra else shape


def _plain(gather: Gather, fields: Node, scope: Scope) -> Shape:
    for item in fields.get("fromClause", ()):
        sources.add(gather, item, scope)
    if "whereClause" in fields:
        conditions.condition(gather, fields["whereClause"], scope)
    bounds.note(gather, fields, scope)
    shape = targets(gather, fields.get("targetList", []), scope)
    _grouping(gather, fields, scope, shape)
    for each in fields.get("windowClause", ()):
        gather.derive(expression.window(gather, each["WindowDef"], scope))
    _sorting(gather, fields.get("sortClause"), scope, shape)
    for locking in fields.get("lockingClause", ()):
        sources.lock(gather, strings_of_relations(locking["LockingClause"]), scope)
    return bounds.exports(gather, fields, scope, shape)


def strings_of_relations(fields: Node) -> frozenset[str]:
    """The aliases that FOR UPDATE OF names; none means all."""
    return frozenset(each["RangeVar"]["relname"] for each in fields.get("lockedRels", ()))


def _grouping(gather: Gather, fields: Node, scope: Scope, shape: Shape) -> None:
    grouped = list(fields.get("groupClause", ()))
    while grouped:
        node = grouped.pop()
        if "GroupingSet" in node:  # ROLLUP, CUBE, GROUPING SETS
            grouped += node["GroupingSet"].get("content", [])
            continue
        cell = _named_or(gather, node, scope, shape)
        gather.filter(cell.taint, "group" if cell.is_same else "other")
    if "havingClause" in fields:
        conditions.condition(gather, fields["havingClause"], scope)
    distinct = fields.get("distinctClause")
    if distinct is not None:
        named = [_named_or(gather, node, scope, shape) for node in distinct if node]
        cells = named or [cell for _, cell in shape.cells]
        for cell in cells:
            gather.filter(cell.taint, "group" if cell.is_same else "other")
        if not named and shape.rest:
            gather.filter(shape.rest, "other")


def _sorting(gather: Gather, nodes: list[Node] | None, scope: Scope, shape: Shape) -> None:
    for node in nodes or ():
        sort = node["SortBy"]
        expression.check_operator(gather, sort.get("useOp"))
        gather.filter(_named_or(gather, sort["node"], scope, shape).taint, "order")


def _named_or(gather: Gather, node: Node, scope: Scope, shape: Shape) -> Cell:
    """GROUP BY and ORDER BY take an output's number or name before an expression."""
    type_, fields = unwrap(node)
    if type_ == "A_Const" and "ival" in fields:
        index = fields["ival"].get("ival", 0) - 1
        is_known = shape.rest is None and 0 <= index < len(shape.cells)
        return shape.cells[index][1] if is_known else Cell(shape.taint)
    if type_ != "ColumnRef":
        return Cell(expression.evaluate(gather, node, scope))
    names = strings(fields["fields"])
    spend(len(shape.cells))
    outputs = [cell for name, cell in shape.cells if (name,) == names]
    taint = CLEAN.union(*(cell.taint for cell in outputs))
    is_same = all(cell.is_same for cell in outputs)
    if outputs and scope.column(names[0]) is None:
        return Cell(taint, is_same=is_same)
    found = expression.column(gather, fields, scope)
    return Cell(taint | found.taint, is_same=is_same and found.is_same)


def _set_operation(gather: Gather, fields: Node, scope: Scope) -> Shape:
    left = select(gather, fields["larg"], scope)
    right = select(gather, fields["rarg"], scope)
    spend(8 * (len(left.cells) + len(right.cells)) + len(left.exports) + len(right.exports))
    exports = left.exports | right.exports
    is_compared = fields["op"] != "SETOP_UNION" or not fields.get("all")
    if left.rest is not None or right.rest is not None or len(left.cells) != len(right.cells):
        taint = left.taint | right.taint
        gather.derive(taint)
        shape = Shape(tuple((name, Cell(taint)) for name, _ in left.cells), taint, exports)
        if is_compared:
            gather.filter(taint, "match")
    else:
        pairs = list(zip(left.cells, right.cells, strict=True))
        cells = tuple((name, _either(gather, one, other)) for (name, one), (_, other) in pairs)
        shape = Shape(cells, None, exports)
        gather.derive(shape.taint)
        for (_, one), (_, other) in pairs if is_compared else ():
            _compared(gather, one, other, fields)
    _sorting(gather, fields.get("sortClause"), scope, shape)
    return shape


def _either(gather: Gather, one: Cell, other: Cell) -> Cell:
    """A column that holds what either side's does."""
    is_same = one.is_same and other.is_same and _labels(gather, one) == _labels(gather, other)
    is_overlaid = one.is_overlaid or other.is_overlaid
    return Cell(one.taint | other.taint, is_same=is_same, is_overlaid=is_overlaid)


def _compared(gather: Gather, one: Cell, other: Cell, of: Node) -> None:
    """UNION, INTERSECT and EXCEPT tell which values of one side stand on the other."""
    if one.is_same and other.is_same and _labels(gather, one) == _labels(gather, other):
        gather.filter(one.taint | other.taint, "group")
        return
    for mine, theirs in ((one, other), (other, one)):
        if mine.taint and theirs.is_fixed:
            gather.compare(mine.taint, 1, of)
        elif mine.taint:
            gather.filter(mine.taint, "match")


def _labels(gather: Gather, cell: Cell) -> frozenset[str]:
    return frozenset[str]().union(*(gather.labels_of(each) for each in cell.taint))


def _values(gather: Gather, fields: Node, scope: Scope) -> Shape:
    taints: list[Taint] = []
    for row in fields["valuesLists"]:
        for index, node in enumerate(row["List"].get("items", ())):
            if index == len(taints):
                taints.append(CLEAN)
            taints[index] |= expression.evaluate(gather, node, scope)
    is_fixed = len(fields["valuesLists"]) == 1
    cells = (Cell(taint, is_fixed=is_fixed and not taint) for taint in taints)
    shape = Shape(tuple((f"column{index}", cell) for index, cell in enumerate(cells, 1)))
    gather.derive(shape.taint)
    _sorting(gather, fields.get("sortClause"), scope, shape)
    return shape


def _limits(gather: Gather, fields: Node, scope: Scope, shape: Shape) -> Shape:
    """A number of rows that follows from a labelled value would tell it."""
    for field in ("limitCount", "limitOffset"):
        if field in fields and expression.evaluate(gather, fields[field], scope):
            raise undecided("the number of rows would follow from labelled values")
    return shape


def targets(gather: Gather, nodes: list[Node], scope: Scope) -> Shape:
    """A target list or RETURNING list: its columns, labelled ones that are not direct made derived."""
    cells: list[tuple[str, Cell]] = []
    rest: Taint | None = None
    for node in nodes:
        target = node["ResTarget"]
        value = target["val"]
        star = _star(value, scope)
        if star is None:
            cells.append(_target(gather, target, value, scope))
            continue
        if len(cells) > gather.limits.columns:
            raise too_complex()
        for each in star:
            spend(len(each.cells))
            cells += each.cells
            if each.rest is not None:
                rest = (rest or CLEAN) | each.rest
        if not star:
            rest = (rest or CLEAN) | expression.evaluate(gather, value, scope)
    spend(len(cells))
    for _, cell in cells:
        if cell.taint and not cell.is_direct:
            gather.derive(cell.taint)
    gather.derive(rest or CLEAN)
    return Shape(tuple(cells), rest)


def _star(value: Node, scope: Scope) -> list[Shape] | None:
    """What `*`, `alias.*` or `(alias).*` stands for, in order; None where the target is no star."""
    if "A_Indirection" in value:
        return _row_star(value["A_Indirection"], scope)
    fields = value.get("ColumnRef", {}).get("fields")
    if not fields or "A_Star" not in fields[-1]:
        return None
    names = strings(fields)
    if not names:
        return scope.stars
    source = scope.source(names[-1], names[-2] if len(names) > 1 else None)
    return [source.shape] if source else []


def _row_star(fields: Node, scope: Scope) -> list[Shape] | None:
    """`(row).*`: the source where the row is one's whole row; nothing that is known for any other row."""
    if "A_Star" not in fields["indirection"][-1]:
        return None
    names = strings(fields["arg"].get("ColumnRef", {}).get("fields"))
    source = scope.row(names[0]) if len(names) == 1 and len(fields["indirection"]) == 1 else None
    return [source.shape] if source is not None else []


def _target(gather: Gather, target: Node, value: Node, scope: Scope) -> tuple[str, Cell]:
    type_, fields = unwrap(value)
    if type_ == "ColumnRef":
        cell = expression.column(gather, fields, scope)
    elif type_ == "A_Indirection":
        cell = expression.indirection(gather, fields, scope)
    else:
        taint = expression.evaluate(gather, value, scope)
        is_fixed = not taint and not scope.sources and _is_one(value)
        cell = Cell(taint, is_fixed=is_fixed)
    return target.get("name") or _name(type_, fields), cell


def _is_one(node: Node) -> bool:
    """Whether it is one value, whatever the tables hold; what a function gives could be many rows."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    return "A_Const" in node or "ParamRef" in node


def _name(type_: str, fields: Node) -> str:
    """The name that PostgreSQL gives an output; the empty string where it takes more than a look."""
    match type_:
        case "ColumnRef":
            return (strings(fields["fields"]) or ("",))[-1]
        case "FuncCall":
            return strings(fields["funcname"])[-1]
        case "TypeCast":
            return _name(*unwrap(fields["arg"])) or strings(fields["typeName"].get("names"))[-1]
        case "A_Indirection":
            names = strings(fields["indirection"])
            return names[-1] if names else _name(*unwrap(fields["arg"]))
        case "CollateClause":
            return _name(*unwrap(fields["arg"]))
        case "SubLink":
            return _sublink_name(fields)
        case "CaseExpr":
            return _name(*unwrap(fields["defresult"])) if "defresult" in fields else "case"
        case _:
            return NAMES.get(type_, "")


NAMES = {"CoalesceExpr": "coalesce", "RowExpr": "row", "A_ArrayExpr": "array", "GroupingFunc": "grouping"}


def _sublink_name(fields: Node) -> str:
    if fields["subLinkType"] == "EXISTS_SUBLINK":
        return "exists"
    if fields["subLinkType"] == "ARRAY_SUBLINK":
        return "array"
    targets_ = fields["subselect"].get("SelectStmt", {}).get("targetList") or []
    if fields["subLinkType"] == "EXPR_SUBLINK" and len(targets_) == 1:
        target = targets_[0]["ResTarget"]
        return str(target.get("name") or _name(*unwrap(target["val"])))
    return ""


def identifiers(text: str) -> tuple[str, ...]:
    """A dotted name as `'schema.name'::regclass` reads it; empty where it is none."""
    names: list[str] = []
    rest = text.strip()
    while rest:
        if rest.startswith('"'):
            end = rest.find('"', 1)
            while end > 0 and rest[end : end + 2] == '""':
                end = rest.find('"', end + 2)
            if end < 0:
                return ()
            names.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            word = rest.split(".", 1)[0]
            names.append(word.strip().lower())
            rest = rest[len(word) :]
        if rest and not rest.startswith("."):
            return ()
        rest = rest[1:]
    return tuple(names)
