"""Which expressions may fail for some values of a labelled column and not for others: an error would tell of them.

Laws: what is not listed may fail; a table lists what a labelled value cannot make fail, or only in a way that
whoever wrote the statement had no choice in. Masks hide results, not errors, so that such a use is a `filter`.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.inspect.sql import data
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.inspect.sql.work import spend

_COLUMN = "column"
_SIZE = "size"
TOTAL: Mapping[str, str] = dict(data.rows("total.txt"))

SIZES = listed(
    """
    unnest generate_subscripts json_each json_each_text json_object_keys json_array_elements
    json_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_array_elements
    jsonb_array_elements_text skeys svals each
    """
)
"""Functions that give a row for each element of a value."""
ONE_ROW = listed("json_to_record jsonb_to_record json_populate_record jsonb_populate_record")
SPLITS = listed("regexp_split_to_table string_to_table")
"""With nothing to split at they give a row for each letter."""

TEXTS = listed("text varchar bpchar char name citext unknown")
NARROW = listed("int2 int4 int8 oid bool bit varbit money xid regclass regtype regproc regprocedure regrole")
"""Types that hold some values of a column and not others, as one may choose."""
WIDER: Mapping[str, frozenset[str]] = {
    "smallint": listed("int4 int8 numeric float4 float8 integer bigint"),
    "integer": listed("int8 numeric float8 bigint"),
    "bigint": listed("numeric float8"),
    "numeric": listed("numeric float8"),
    "real": listed("float8"),
    "date": listed("timestamp timestamptz date"),
}
"""Type of a column -> types that hold all of its values."""

COMPARES = listed(
    "= <> != < <= > >= ~~ !~~ ~~* !~~* ^@ @> <@ && -> ->> #> #>> ? ?| ?& @? @@ || -|- << >> &< &>"
)
PATTERNS = listed("~ !~ ~* !~* ~~ !~~ ~~* !~~*")
"""A labelled value as the pattern may be no pattern."""
SMALL = 1000
"""Adding, or multiplying by, a constant up to this overflows for no value that one could want to know of."""


def is_total(name: str, args: list[Node], labelled: list[bool]) -> bool:
    """Whether a function never fails for what is labelled in these arguments."""
    rule = TOTAL.get(name)
    if rule is None:
        return name == "chr" and len(args) == 1 and _is_letter(args[0])
    if rule == "-":
        return True
    if rule in (_SIZE, _COLUMN):
        return False
    first = int(rule.strip("="))
    return not any(labelled[first - 1 : first if "=" in rule else None])


def fails_for_size(name: str, args: list[Node], labelled: list[bool]) -> bool:
    """Whether a call fails only for a value that is shorter than an index, or of another form: nobody chose which."""
    if TOTAL.get(name) == _COLUMN:
        return all(
            "ColumnRef" in arg for arg, is_labelled in zip(args, labelled, strict=False) if is_labelled
        )
    value = args[0] if args else {}
    while "TypeCast" in value:
        value = value["TypeCast"]["arg"]
    return TOTAL.get(name) == _SIZE and "ColumnRef" in value and not any(labelled[1:])


def size_kind(name: str, args: list[Node], is_users: bool) -> str | None:
    """How the number of rows that a function gives tells of a labelled argument; None where it does not."""
    if is_users:
        return "other"
    if name in ONE_ROW:
        return None
    first = args[0] if args else {}
    if name == "unnest" and len(args) == 1 and "A_ArrayExpr" in first:
        return None
    if name in SIZES and "ColumnRef" in first:
        return "size"
    if name in SPLITS and len(args) == 2 and "ColumnRef" in first and _is_empty(args[1]):
        return "size"
    return "other"


def _is_empty(node: Node) -> bool:
    constant = node.get("A_Const", {})
    return bool(constant.get("isnull")) or ("sval" in constant and not constant["sval"].get("sval"))


def cast(target: tuple[str, ...], source: str, value: Node) -> str | None:
    """What kind of use a cast of a labelled value amounts to by failing for some; None where it never does.

    `source` is a column's type where it is known.
    """
    name = target[-1] if target else ""
    if name in TEXTS or name in WIDER.get(source.partition("(")[0], frozenset()) or _fits(name, value):
        return None
    if "ColumnRef" in value and name not in NARROW:
        return "size"
    is_compared = name in ("int8", "bigint", "numeric") and _is_column_without(value)
    return "constant" if is_compared else "fallible"


def _fits(name: str, value: Node) -> bool:
    """What a function gives fits the type, whatever it was given."""
    if name == "uuid":
        return _called(value) == "md5"
    joined = value.get("A_Expr", {})
    is_hex = strings(joined.get("name")) == ("||",) and _text_of(joined.get("lexpr", {})) == "\\x"
    is_encoded = is_hex and _called(joined["rexpr"]) == "encode"
    return name == "bytea" and is_encoded and _text_of(joined["rexpr"]["FuncCall"]["args"][-1]) == "hex"


def _is_column_without(value: Node) -> bool:
    """`replace(column, 'x', '')`: no number is left only where the value was made of nothing but that constant."""
    args = value.get("FuncCall", {}).get("args", [])
    is_plain = _called(value) == "replace" and len(args) == 3 and "ColumnRef" in args[0]
    return is_plain and "A_Const" in args[1] and _is_empty(args[2])


def _called(node: Node) -> str:
    return (strings(node.get("FuncCall", {}).get("funcname")) or ("",))[-1]


def _text_of(node: Node) -> str | None:
    text: str | None = node.get("A_Const", {}).get("sval", {}).get("sval")
    return text


def operator(fields: Node, left: bool, right: bool) -> bool:
    """Whether an operator may fail for a labelled value on either side."""
    kind: str = fields["kind"]
    if kind not in ("AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_LIKE", "AEXPR_ILIKE"):
        return kind == "AEXPR_SIMILAR"
    symbol = strings(fields.get("name"))[-1]
    if right and symbol in PATTERNS:
        return True
    if symbol in COMPARES:
        return False
    if symbol in ("+", "-", "*"):
        return not _is_small_step(fields, left, right)
    if symbol == "/":
        return not (left and not right and _number(fields.get("rexpr", {})) > 0)
    return True


def _is_small_step(fields: Node, left: bool, right: bool) -> bool:
    """Arithmetic of columns as they stand, or of one with a small constant."""
    sides = [fields[side] for side in ("lexpr", "rexpr") if side in fields]
    if left and right:
        return all("ColumnRef" in side for side in sides)
    if len(sides) < 2:
        return "ColumnRef" in sides[0]
    value, step = (sides[0], sides[1]) if left else (sides[1], sides[0])
    if not _is_dated(step) and not 0 <= _number(step) <= SMALL:
        return False
    return "ColumnRef" in value or _is_ascii(value) or _is_wide(value)


def _is_wide(node: Node) -> bool:
    """A number of so many digits that a small step does not leave its type."""
    names = strings(node.get("TypeCast", {}).get("typeName", {}).get("names"))
    return names[-1:] in (("int8",), ("numeric",))


def _is_letter(node: Node) -> bool:
    """`ascii(x) + 1`: the number of a letter, and never 0."""
    fields = node.get("A_Expr", {})
    is_sum = strings(fields.get("name")) == ("+",) and "lexpr" in fields
    return is_sum and _is_ascii(fields["lexpr"]) and 1 <= _number(fields["rexpr"]) <= SMALL


def _is_dated(node: Node) -> bool:
    """A constant date, time or interval: their differences are wide enough for all that is stored."""
    inner = node.get("TypeCast", {})
    return "A_Const" in inner.get("arg", {}) and strings(inner.get("typeName", {}).get("names"))[-1:] in DATED


DATED = (("date",), ("timestamp",), ("timestamptz",), ("interval",), ("time",))


def _is_ascii(node: Node) -> bool:
    names = strings(node.get("FuncCall", {}).get("funcname"))
    return names[-1:] in (("ascii",), ("length",), ("char_length",), ("octet_length",))


def _number(node: Node) -> float:
    """A constant's value; -1 where it is none."""
    constant = node.get("A_Const", {})
    if "ival" in constant:
        return float(constant["ival"].get("ival", 0))
    digits = str(constant.get("fval", {}).get("fval", ""))
    return float(digits) if digits.replace(".", "", 1).isdecimal() else -1.0


def node(type_: str, fields: Node) -> bool:
    """Whether a piece of grammar may fail for a labelled value in it."""
    if type_ == "XmlExpr":
        return fields["op"] not in ("IS_XMLCONCAT", "IS_XMLELEMENT", "IS_XMLFOREST", "IS_DOCUMENT")
    if type_ == "JsonFuncExpr":
        return any(
            fields.get(field, {}).get("JsonBehavior", fields.get(field, {})).get("btype")
            == "JSON_BEHAVIOR_ERROR"
            for field in ("on_empty", "on_error")
        )
    return type_ == "JsonParseExpr"


SIMPLE = listed(
    """
    ascii btrim char_length character_length coalesce concat concat_ws count initcap json_build_array
    json_build_object jsonb_build_array jsonb_build_object left length lower ltrim max md5 min now
    octet_length quote_literal quote_nullable replace reverse right rtrim sha256 strpos sum to_json to_jsonb
    upper
    """
)
"""Functions that never fail whatever they are given, and do nothing."""
CALM = listed(
    """
    AEXPR_IN AEXPR_DISTINCT AEXPR_NOT_DISTINCT AEXPR_NULLIF AEXPR_BETWEEN AEXPR_NOT_BETWEEN AEXPR_BETWEEN_SYM
    AEXPR_NOT_BETWEEN_SYM
    """
)
"""Comparisons by words."""
_LEAVES = frozenset({"A_Const", "ColumnRef", "ParamRef", "SQLValueFunction"})
_BRANCHES = {
    "CaseExpr": ("arg", "args", "defresult"),
    "CaseWhen": ("expr", "result"),
    "CoalesceExpr": ("args",),
    "BoolExpr": ("args",),
    "NullTest": ("arg",),
    "BooleanTest": ("arg",),
    "MinMaxExpr": ("args",),
    "List": ("items",),
}


def is_simple(wrapped: Node) -> bool:
    """Whether evaluating an expression never fails and does nothing, so that nobody can tell if it was."""
    stack = [wrapped]
    while stack:
        spend(5)
        type_, fields = unwrap(stack.pop())
        if type_ in _LEAVES:
            continue
        if type_ == "A_Expr":
            symbol = strings(fields.get("name"))[-1]
            if fields["kind"] not in CALM and symbol not in COMPARES:
                return False
            if symbol in PATTERNS and not _has_constant_pattern(fields):
                return False
            stack += [fields[side] for side in ("lexpr", "rexpr") if side in fields]
        elif type_ == "TypeCast":
            if strings(fields["typeName"].get("names"))[-1] not in TEXTS and "A_Const" not in fields["arg"]:
                return False
            stack.append(fields["arg"])
        elif type_ == "FuncCall":
            if strings(fields["funcname"])[-1] not in SIMPLE or fields.keys() & {"agg_order", "over"}:
                return False
            stack += fields.get("args", [])
        elif type_ in _BRANCHES:
            for part in _BRANCHES[type_]:
                value = fields.get(part, [])
                stack += value if isinstance(value, list) else [value]
        else:
            return False
    return True


def _has_constant_pattern(fields: Node) -> bool:
    """A LIKE pattern that is surely one; others fail where they end in a backslash, or are no regular expression."""
    text = fields.get("rexpr", {}).get("A_Const", {}).get("sval", {}).get("sval")
    return fields["kind"] in ("AEXPR_LIKE", "AEXPR_ILIKE") and text is not None and "\\" not in text
