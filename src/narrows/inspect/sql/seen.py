"""Users' functions that are seen through: those in SQL that run one query as their caller, and change nothing.

Laws: a body is analysed where it is called, under the facts that hold there, since that is where its names are
looked up; every overload that the call could mean must be seen through; what is called counts as called all the same.
"""

from __future__ import annotations

import re

from narrows.inspect.sql import query, tree
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import Taint
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.scope import Cell, Scope, Shape, make_source
from narrows.inspect.sql.work import is_spent
from narrows.model.snapshot import Function

MAX_DEPTH = 8
_ATOMIC = re.compile(r"\s*BEGIN ATOMIC\s+(.*?);?\s*END\s*;?\s*\Z", re.DOTALL | re.IGNORECASE)
_RETURN = re.compile(r"\s*RETURN\s+", re.IGNORECASE)


def through(gather: Gather, overloads: tuple[Function, ...], arguments: Taint) -> Taint | None:
    """What the result of a call may carry; None where somebody's code would run that is not seen through."""
    if gather.call_depth >= MAX_DEPTH or not all(map(_is_plain, overloads)):
        return None
    bodies = [_query(gather, each.body or "") for each in overloads]
    if None in bodies:
        return None
    taint = arguments
    gather.call_depth += 1
    try:
        for each, body in zip(overloads, bodies, strict=True):
            taint |= query.select_node(gather, body or {}, _inputs(each, arguments)).taint
    except Refused:
        if is_spent():
            raise
        return None
    finally:
        gather.call_depth -= 1
    return taint


def _is_plain(function: Function) -> bool:
    return function.kind == "f" and function.language == "sql" and function.body is not None


def _query(gather: Gather, body: str) -> tree.Node | None:
    """The one query that a body runs."""
    atomic = _ATOMIC.match(body)
    text = _RETURN.sub("SELECT ", atomic.group(1) if atomic else body, count=1)
    try:
        parsed = tree.parse(text, gather.limits)
    except Refused:
        if is_spent():
            raise
        return None
    is_one = len(parsed) == 1 and parsed[0].type == "SelectStmt"
    return {parsed[0].type: parsed[0].fields} if is_one else None


def _inputs(function: Function, arguments: Taint) -> Scope:
    """The parameters by name, each carrying what any argument does: as columns, and as rows with any field."""
    scope = Scope()
    names = [name for name in function.parameters if name]
    columns = Shape(tuple((name, Cell(arguments)) for name in names))
    scope.hidden += [make_source(name, Shape(rest=arguments)) for name in names]
    scope.sources.append(make_source(function.name, columns))
    return scope
