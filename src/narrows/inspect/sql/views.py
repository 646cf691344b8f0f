"""What a view's columns may carry, read from its definition.

Law: this only ever narrows what `anything` would be: the view itself stays an unknown relation, and a definition
that cannot be analysed leaves its columns unknown.
"""

from __future__ import annotations

from narrows.inspect.sql import gather as gathering
from narrows.inspect.sql import query, tree, work
from narrows.inspect.sql.analysis import SessionState
from narrows.inspect.sql.facts import SessionFacts
from narrows.inspect.sql.limits import LIMITS
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.scope import Cell, Shape
from narrows.model.snapshot import Relation

MAX_DEPTH = 16


def shape(gather: gathering.Gather, relation: Relation) -> Shape | None:
    """The columns of a view with what they may carry; None where that cannot be told."""
    if relation.definition is None or gather.view_depth >= MAX_DEPTH:
        return None
    memo: dict[int, Shape | None] = gather.view.view_shapes
    if relation.oid not in memo:
        memo[relation.oid] = _derive(gather, relation)
    return memo[relation.oid]


def _derive(gather: gathering.Gather, relation: Relation) -> Shape | None:
    # Definitions are read with an empty search path: what they name without a schema is pg_catalog's.
    inner = gathering.Gather(gather.view, SessionState(SessionFacts(search_path=())), LIMITS)
    inner.view_depth = gather.view_depth + 1
    try:
        parsed = tree.parse(relation.definition or "", LIMITS)
        found = query.select_node(inner, {parsed[0].type: parsed[0].fields}, None)
    except Refused:
        if work.is_spent():
            raise
        return None
    if found.rest is not None or len(found.cells) != len(relation.columns):
        return None
    pairs = zip(relation.columns, found.cells, strict=True)
    return Shape(tuple((column.name, Cell(cell.taint)) for column, (_, cell) in pairs))
