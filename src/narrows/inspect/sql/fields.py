"""What stands in each field of each expression node.

Law: an expression node is walked by its row here, or by a visitor of its own; a field without an entry refuses.
"""

from __future__ import annotations

PLAIN, EXPRESSION, EXPRESSIONS, TYPE = "", "*", "[]", "type"

CONSTANTS = frozenset({"A_Const", "ParamRef", "SetToDefault", "SQLValueFunction", "CurrentOfExpr", "A_Star"})
"""Nodes that carry nothing of a table."""

FIELDS: dict[str, dict[str, str]] = {
    "A_Expr": {
        "kind": PLAIN,
        "name": PLAIN,
        "lexpr": EXPRESSION,
        "rexpr": EXPRESSION,
        "rexpr_list_start": PLAIN,
        "rexpr_list_end": PLAIN,
        "location": PLAIN,
    },
    "A_ArrayExpr": {"elements": EXPRESSIONS, "list_start": PLAIN, "list_end": PLAIN, "location": PLAIN},
    "A_Indices": {"is_slice": PLAIN, "lidx": EXPRESSION, "uidx": EXPRESSION},
    "BoolExpr": {"boolop": PLAIN, "args": EXPRESSIONS, "location": PLAIN},
    "BooleanTest": {"arg": EXPRESSION, "booltesttype": PLAIN, "location": PLAIN},
    "NullTest": {"arg": EXPRESSION, "nulltesttype": PLAIN, "argisrow": PLAIN, "location": PLAIN},
    "CaseExpr": {"arg": EXPRESSION, "args": EXPRESSIONS, "defresult": EXPRESSION, "location": PLAIN},
    "CaseWhen": {"expr": EXPRESSION, "result": EXPRESSION, "location": PLAIN},
    "CoalesceExpr": {"args": EXPRESSIONS, "location": PLAIN},
    "MinMaxExpr": {"op": PLAIN, "args": EXPRESSIONS, "location": PLAIN},
    "CollateClause": {"arg": EXPRESSION, "collname": PLAIN, "location": PLAIN},
    "NamedArgExpr": {"arg": EXPRESSION, "name": PLAIN, "argnumber": PLAIN, "location": PLAIN},
    "GroupingFunc": {"args": EXPRESSIONS, "location": PLAIN},
    "GroupingSet": {"kind": PLAIN, "content": EXPRESSIONS, "location": PLAIN},
    "RowExpr": {"args": EXPRESSIONS, "row_format": PLAIN, "colnames": PLAIN, "location": PLAIN},
    "List": {"items": EXPRESSIONS},
    "ResTarget": {"name": PLAIN, "indirection": EXPRESSIONS, "val": EXPRESSION, "location": PLAIN},
    "String": {"sval": PLAIN},
    "MergeSupportFunc": {"location": PLAIN},
    "MultiAssignRef": {"source": EXPRESSION, "colno": PLAIN, "ncolumns": PLAIN},
    "XmlExpr": {
        "op": PLAIN,
        "name": PLAIN,
        "named_args": EXPRESSIONS,
        "args": EXPRESSIONS,
        "xmloption": PLAIN,
        "indent": PLAIN,
        "location": PLAIN,
    },
    "XmlSerialize": {
        "xmloption": PLAIN,
        "expr": EXPRESSION,
        "typeName": TYPE,
        "indent": PLAIN,
        "location": PLAIN,
    },
    "JsonObjectConstructor": {
        "exprs": EXPRESSIONS,
        "output": TYPE,
        "absent_on_null": PLAIN,
        "unique": PLAIN,
        "location": PLAIN,
    },
    "JsonArrayConstructor": {
        "exprs": EXPRESSIONS,
        "output": TYPE,
        "absent_on_null": PLAIN,
        "location": PLAIN,
    },
    "JsonKeyValue": {"key": EXPRESSION, "value": "JsonValueExpr"},
    "JsonValueExpr": {"raw_expr": EXPRESSION, "formatted_expr": EXPRESSION, "format": PLAIN},
    "JsonIsPredicate": {
        "expr": EXPRESSION,
        "format": PLAIN,
        "item_type": PLAIN,
        "unique_keys": PLAIN,
        "location": PLAIN,
    },
    "JsonParseExpr": {"expr": "JsonValueExpr", "output": TYPE, "unique_keys": PLAIN, "location": PLAIN},
    "JsonScalarExpr": {"expr": EXPRESSION, "output": TYPE, "location": PLAIN},
    "JsonSerializeExpr": {"expr": "JsonValueExpr", "output": TYPE, "location": PLAIN},
    "JsonFuncExpr": {
        "op": PLAIN,
        "column_name": PLAIN,
        "context_item": "JsonValueExpr",
        "pathspec": EXPRESSION,
        "passing": EXPRESSIONS,
        "output": TYPE,
        "on_empty": "JsonBehavior",
        "on_error": "JsonBehavior",
        "wrapper": PLAIN,
        "quotes": PLAIN,
        "location": PLAIN,
    },
    "JsonArgument": {"val": "JsonValueExpr", "name": PLAIN},
    "JsonBehavior": {"btype": PLAIN, "expr": EXPRESSION, "coerce": PLAIN, "location": PLAIN},
}
"""Node -> field -> what stands there: nothing to look into, an expression, several, a type, or that node."""
