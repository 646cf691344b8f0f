"""Functions that run SQL given to them as text: seen through where the text is a constant.

Law: only functions that an extension brought and that run the text as it stands, with the caller's own rights.
"""

from __future__ import annotations

from narrows.inspect.sql import query, tree
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.setting_calls import constant_text
from narrows.inspect.sql.tree import Node, strings

RUN_TEXT = listed("crosstab crosstab2 crosstab3 crosstab4")
EXTENSION = "tablefunc"


def runs(gather: Gather, call: Node) -> Taint | None:
    """What the rows of such a call may carry; None where it is none, or its text is not known."""
    fields = call.get("FuncCall", {})
    words = strings(fields.get("funcname"))
    if not words or words[-1] not in RUN_TEXT:
        return None
    known = gather.names.functions(words[-1], words[-2] if len(words) > 1 else None)
    is_own = bool(known) and all(each.extension == EXTENSION for _, overloads in known for each in overloads)
    texts = [constant_text(each) for each in fields.get("args", ())]
    if not is_own or not texts or None in texts:
        return None
    gather.mentions.add(words[-1])
    return CLEAN.union(*(_rows(gather, text or "") for text in texts))


def _rows(gather: Gather, text: str) -> Taint:
    parsed = tree.parse(text, gather.limits)
    if len(parsed) != 1 or parsed[0].type != "SelectStmt":
        return gather.unseen()
    shape = query.select_node(gather, {parsed[0].type: parsed[0].fields}, None)
    named = shape.cells[:-1] if shape.rest is None else ()
    rows = CLEAN.union(*(cell.taint for _, cell in named)) if shape.rest is None else shape.taint
    gather.filter(rows, "other")  # which rows and columns come follows from all but the last
    return shape.taint
