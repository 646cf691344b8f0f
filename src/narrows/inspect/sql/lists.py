"""Lists of constants in SQL: how many values stand in `ARRAY[...]`, `'{...}'`, `$1` or `(SELECT unnest($1))`.

Law: what is not surely a list that can be counted is of unknown length.
"""

from __future__ import annotations

from narrows.inspect.sql import arrays, compared
from narrows.inspect.sql.compared import Compared
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.inspect.sql.work import spend


def elements(node: Node) -> Compared:
    """How many values an expression without columns holds, where it is read as an array."""
    casts, inner = _uncast(node)
    type_, fields = unwrap(inner)
    if type_ == "ParamRef":
        is_countable = not any(_is_vector(cast) for cast in casts)
        return Compared(0, (fields.get("number", 0),)) if is_countable else compared.UNKNOWN
    if type_ == "A_ArrayExpr":
        return sum((element(each) for each in fields.get("elements", ())), compared.NOTHING)
    if type_ == "A_Const":
        return _constant(fields) if all(map(_is_array, casts)) else compared.UNKNOWN
    return compared.UNKNOWN


def element(node: Node) -> Compared:
    """One element of ARRAY[...], which may be an array of its own."""
    casts, inner = _uncast(node)
    type_, fields = unwrap(inner)
    if type_ == "A_Const" and not any(map(_is_vector, casts)):
        return _constant(fields)
    if type_ == "FuncCall" and strings(fields["funcname"])[-1] in GIVES_ONE:
        return compared.ONE
    return elements(node)


GIVES_ONE = frozenset({"lower", "upper", "btrim", "now"})
"""Functions whose result is no array."""


def _constant(fields: Node) -> Compared:
    if "sval" not in fields:
        return compared.ONE
    text = fields["sval"].get("sval", "")
    spend(len(text) // 8)
    return Compared(arrays.of_text(text.encode("utf-8", "replace")))


def _uncast(node: Node) -> tuple[list[Node], Node]:
    casts: list[Node] = []
    while "TypeCast" in node:
        casts.append(node["TypeCast"]["typeName"])
        node = node["TypeCast"]["arg"]
    return casts, node


def _is_array(type_name: Node) -> bool:
    """`text[]` or `_text`."""
    return "arrayBounds" in type_name or strings(type_name.get("names"))[-1:][0].startswith("_")


def _is_vector(type_name: Node) -> bool:
    """int2vector and oidvector: an array that is written without braces."""
    return strings(type_name.get("names"))[-1:][0].endswith("vector")


def selected(node: Node) -> Node | None:
    """The array whose elements a subquery gives, and nothing else: `SELECT unnest(x)`, `SELECT y FROM unnest(x) y`."""
    fields = node.get("SelectStmt", {})
    targets = fields.get("targetList", [])
    if fields.keys() - SIMPLE or fields.get("op", "SETOP_NONE") != "SETOP_NONE" or len(targets) != 1:
        return None
    value = targets[0]["ResTarget"].get("val", {})
    items = fields.get("fromClause", [])
    if not items:
        return _unnested(value)
    function = items[0].get("RangeFunction", {}) if len(items) == 1 else {}
    calls = function.get("functions", [])
    if len(calls) != 1 or function.get("ordinality") or not _names_column(value, function):
        return None
    return _unnested(calls[0]["List"]["items"][0])


def _names_column(value: Node, function: Node) -> bool:
    """Whether a target is the one column of that function, and no other that is in sight."""
    alias = function.get("alias", {})
    name = (*strings(alias.get("colnames")), alias.get("aliasname", "unnest"))[0]
    named = value.get("ColumnRef", {}).get("fields", [])
    return strings(named) == (name,) or [*map(unwrap, named)] == [("A_Star", {})]


SIMPLE = frozenset({"targetList", "fromClause", "limitOption", "op"})


def _unnested(node: Node) -> Node | None:
    call = node.get("FuncCall", {})
    args = call.get("args", [])
    is_unnest = strings(call.get("funcname")) in (("unnest",), ("pg_catalog", "unnest"))
    return args[0] if is_unnest and len(args) == 1 else None


def rows(node: Node) -> list[Node] | None:
    """The values of a subquery that is a VALUES list of one column."""
    fields = node.get("SelectStmt", {})
    if fields.keys() - {"valuesLists", "limitOption", "op"}:
        return None
    items = [row["List"].get("items", []) for row in fields.get("valuesLists", ())]
    return [each[0] for each in items] if items and all(len(each) == 1 for each in items) else None
