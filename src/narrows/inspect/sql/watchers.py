"""What looks at the values of a table's columns: constraints, indexes, partition bounds, statistics, generated columns.

Laws: what looks at a labelled value tells of it by an error, a place or a size, so that it is a use of the kind `other`;
a plain index of a labelled column that stands in the target's own schema is of the kind `key`. A relation of the
session's own making remembers what looks at it, for values may come later.
"""

from __future__ import annotations

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import expression, fallible, sources
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft
from narrows.inspect.sql.labelled import CLEAN
from narrows.inspect.sql.scope import Scope
from narrows.inspect.sql.tree import Node, strings

KEYS = listed("CONSTR_PRIMARY CONSTR_UNIQUE CONSTR_FOREIGN")
EXPRESSIONS = listed("CONSTR_CHECK CONSTR_EXCLUSION CONSTR_GENERATED")


def of_table(fields: Node) -> frozenset[str] | None:
    """The columns that something in a CREATE TABLE looks at; None where it may be any."""
    names: set[str] = set()
    for element in fields.get("tableElts", ()):
        definition = element.get("ColumnDef", {})
        constraints = [each["Constraint"] for each in definition.get("constraints", ())]
        if "Constraint" in element:
            constraints.append(element["Constraint"])
        for constraint in constraints:
            found = _columns(constraint, definition.get("colname", ""))
            if found is None:
                return None
            names |= found
    for part in fields.get("partspec", {}).get("partParams", ()):
        each = part["PartitionElem"]
        if "name" not in each:
            return None
        names.add(each["name"])
    is_part = "partbound" in fields or "partspec" in fields
    return None if is_part else frozenset(names)


def _columns(constraint: Node, own: str) -> set[str] | None:
    """The columns that a constraint looks at."""
    if constraint["contype"] in EXPRESSIONS:
        return None
    if constraint["contype"] not in KEYS:
        return set()
    return {*strings(constraint.get("keys")), *strings(constraint.get("fk_attrs"))} or {own}


def index(draft: Draft, fields: Node, scope: Scope) -> None:
    """CREATE INDEX."""
    gather = draft.gather
    is_plain = "whereClause" not in fields and len(fields.get("indexParams", ())) == 1
    is_plain = is_plain and not fields.get("indexIncludingParams")
    names: set[str] | None = set()
    for part in (*fields.get("indexParams", ()), *fields.get("indexIncludingParams", ())):
        element = part["IndexElem"]
        if "name" in element:
            cell = scope.column(element["name"])
            gather.filter(cell.taint if cell else CLEAN, "key" if is_plain else "other")
            names = names if names is None else names | {element["name"]}
            continue
        names = None
        is_simple = is_plain and not fields.get("unique") and fallible.is_simple(element["expr"])
        taint = expression.evaluate(gather, element["expr"], scope)
        gather.filter(taint, "key" if is_simple else "other")
    if "whereClause" in fields:
        names = None
        gather.filter(expression.evaluate(gather, fields["whereClause"], scope), "other")
    watch(draft, fields["relation"], None if names is None else frozenset(names))


def watch(draft: Draft, range_var: Node, names: frozenset[str] | None) -> None:
    """Something looks at these columns of a relation from here on; only the session's own has to be told."""
    found, *others = sources.lookup(draft.gather, range_var)
    if found.overlaid is None or others:
        return
    held = found.overlaid.columns
    taint = CLEAN.union(*(each.taint for each in held if names is None or each.name in names))
    draft.gather.filter(taint, "other")
    draft.effects.append(fx.Overlay(found.schema, found.name, found.overlaid.watched(names)))


def commands(draft: Draft, range_var: Node, altered: list[Node]) -> None:
    """ALTER TABLE ... ADD CONSTRAINT."""
    for command in altered:
        constraint = command.get("def", {}).get("Constraint")
        if constraint is None:
            continue
        names = _columns(constraint, "")
        if names != set():
            watch(draft, range_var, None if names is None else frozenset(names))
