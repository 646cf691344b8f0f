"""What a definition names: each kind of object with the resources that stand for it, and what lies inside.

Law: an object kind without a row is refused; queries, functions and relations inside a definition are walked
like any others.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import expression, query, relations, sources
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.refused import undecided
from narrows.inspect.sql.scope import Scope, make_source
from narrows.inspect.sql.tree import GRAMMAR, LIST, SCALAR, WRAPPED, Node, strings, unwrap
from narrows.model.action import Action
from narrows.model.resource import Resource

Words = tuple[str, ...]


def words_of(node: Node) -> Words:
    """The name of an object, however the grammar wraps it."""
    type_, fields = unwrap(node)
    match type_:
        case "String":
            return (fields.get("sval", ""),)
        case "List":
            return tuple(word for item in fields.get("items", ()) for word in words_of(item))
        case "TypeName":
            return strings(fields.get("names"))
        case "ObjectWithArgs":
            return strings(fields.get("objname"))
        case "RangeVar":
            return tuple(fields[part] for part in ("schemaname", "relname") if part in fields)
        case "RoleSpec":
            return (str(fields.get("rolename", fields["roletype"])),)
        case _:
            return ()


def _table(gather: Gather, words: Words) -> list[Resource]:
    found = gather.names.relations(words[-1], words[-2] if len(words) > 1 else None)
    for each in found:
        gather.relation_mention(each)
    return [gather.names.table(each.schema, each.name) for each in found]


def within_table(gather: Gather, words: Words) -> list[Resource]:
    return _table(gather, words[:-1]) if len(words) > 1 else [gather.names.database()]


def _function(gather: Gather, words: Words) -> list[Resource]:
    schema = words[-2] if len(words) > 1 else None
    known = [each for each, _ in gather.names.functions(words[-1], schema)]
    return [gather.names.function(known[0] if known else schema or gather.names.creation_schema, words[-1])]


def _in_schema(gather: Gather, words: Words) -> list[Resource]:
    return [gather.names.schema(words[-2] if len(words) > 1 else gather.names.creation_schema)]


def _schema(gather: Gather, words: Words) -> list[Resource]:
    return [gather.names.schema(words[-1])]


def _database_object(gather: Gather, _words: Words) -> list[Resource]:
    return [gather.names.database()]


def _database(gather: Gather, words: Words) -> list[Resource]:
    return [gather.names.database(words[-1])]


def _server_object(gather: Gather, _words: Words) -> list[Resource]:
    return [gather.names.connection()]


def _role(gather: Gather, words: Words) -> list[Resource]:
    return [gather.names.role(words[-1])]


Resolve = Callable[[Gather, Words], list[Resource]]

OBJECTS: dict[str, Resolve] = {
    "OBJECT_TABLE": _table,
    "OBJECT_VIEW": _table,
    "OBJECT_MATVIEW": _table,
    "OBJECT_FOREIGN_TABLE": _table,
    "OBJECT_SEQUENCE": _table,
    "OBJECT_INDEX": _table,
    "OBJECT_COLUMN": within_table,
    "OBJECT_TABCONSTRAINT": within_table,
    "OBJECT_TRIGGER": within_table,
    "OBJECT_RULE": within_table,
    "OBJECT_POLICY": within_table,
    "OBJECT_FUNCTION": _function,
    "OBJECT_PROCEDURE": _function,
    "OBJECT_ROUTINE": _function,
    "OBJECT_AGGREGATE": _function,
    "OBJECT_TYPE": _in_schema,
    "OBJECT_DOMAIN": _in_schema,
    "OBJECT_DOMCONSTRAINT": _in_schema,
    "OBJECT_ATTRIBUTE": _in_schema,
    "OBJECT_COLLATION": _in_schema,
    "OBJECT_CONVERSION": _in_schema,
    "OBJECT_OPERATOR": _in_schema,
    "OBJECT_OPCLASS": _in_schema,
    "OBJECT_OPFAMILY": _in_schema,
    "OBJECT_STATISTIC_EXT": _in_schema,
    "OBJECT_TSCONFIGURATION": _in_schema,
    "OBJECT_TSDICTIONARY": _in_schema,
    "OBJECT_TSPARSER": _in_schema,
    "OBJECT_TSTEMPLATE": _in_schema,
    "OBJECT_SCHEMA": _schema,
    "OBJECT_DATABASE": _database,
    "OBJECT_ROLE": _role,
    "OBJECT_TABLESPACE": _server_object,
    "OBJECT_PARAMETER_ACL": _server_object,
    "OBJECT_ACCESS_METHOD": _database_object,
    "OBJECT_AMOP": _database_object,
    "OBJECT_AMPROC": _database_object,
    "OBJECT_CAST": _database_object,
    "OBJECT_DEFACL": _database_object,
    "OBJECT_DEFAULT": _database_object,
    "OBJECT_EVENT_TRIGGER": _database_object,
    "OBJECT_EXTENSION": _database_object,
    "OBJECT_FDW": _database_object,
    "OBJECT_FOREIGN_SERVER": _database_object,
    "OBJECT_LANGUAGE": _database_object,
    "OBJECT_LARGEOBJECT": _database_object,
    "OBJECT_PUBLICATION": _database_object,
    "OBJECT_PUBLICATION_NAMESPACE": _database_object,
    "OBJECT_PUBLICATION_REL": _database_object,
    "OBJECT_SUBSCRIPTION": _database_object,
    "OBJECT_TRANSFORM": _database_object,
    "OBJECT_USER_MAPPING": _database_object,
}
"""Kind of object -> the resources that stand for it in policy."""


def need(draft: Draft, action: Action, kind: str, words: Words) -> None:
    """The statement does this to that object, and later statements of the same text must not depend on it."""
    resolve = OBJECTS.get(kind)
    if resolve is None:
        raise undecided(f"{kind} is not known to the gateway")
    for resource in resolve(draft.gather, words):
        draft.gather.need(action, resource)
    if action in (Action.CREATE, Action.ALTER, Action.DROP):
        named = words[:-1] if resolve is within_table else words
        draft.changes |= set(named[-1:]) if named else set(words[-1:])
        draft.changes_schema = True
    draft.gather.mentions |= set(words)


def sweep(gather: Gather, type_: str, fields: Node, scope: Scope) -> None:
    """Queries, functions, types and relations anywhere inside a definition."""
    shape = GRAMMAR[type_]
    for field, value in fields.items():
        kind = shape[field]
        if kind == SCALAR:
            continue
        for child in value if kind == LIST else (value,):
            if kind not in (LIST, WRAPPED):
                _sweep_node(gather, kind, child, scope)
            elif child:
                _sweep_node(gather, *unwrap(child), scope)


def _sweep_node(gather: Gather, type_: str, fields: Node, scope: Scope) -> None:
    if type_ in QUERIES:
        query.select_node(gather, {type_: fields}, scope)
    elif type_ in EXPRESSIONS:
        # What it looks at is told by what becomes of the definition.
        gather.filter(expression.evaluate(gather, {type_: fields}, scope), "other")
    elif type_ == "RangeVar":
        for found in sources.lookup(gather, fields):
            gather.relation_mention(found)
    elif type_ == "Constraint" and "pktable" in fields:
        for found in sources.lookup(gather, fields["pktable"]):
            relations.touch(gather, Action.SELECT, found)
        sweep(gather, type_, {name: each for name, each in fields.items() if name != "pktable"}, scope)
    elif type_ == "TypeName":
        gather.mentions |= set(strings(fields.get("names"))[-1:])
    else:
        sweep(gather, type_, fields, scope)


QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"})
EXPRESSIONS = listed(
    """
    A_Expr BoolExpr FuncCall TypeCast CaseExpr CoalesceExpr MinMaxExpr NullTest BooleanTest SubLink
    A_ArrayExpr A_Indirection CollateClause RowExpr XmlExpr ColumnRef JsonObjectConstructor
    JsonArrayConstructor JsonIsPredicate JsonFuncExpr JsonParseExpr JsonScalarExpr JsonSerializeExpr
    """
)


def scope_of(gather: Gather, range_var: Node | None) -> Scope:
    """A scope in which the columns of one relation are in sight."""
    scope = Scope()
    if range_var is not None:
        found = sources.lookup(gather, range_var)[0]
        shape = relations.shape(gather, found)
        scope.sources.append(make_source(found.name, shape, relation=found.relation, has_system_columns=True))
        scope.hidden += [make_source(alias, shape) for alias in ("old", "new")]
    return scope


def range_words(range_var: Node) -> Words:
    return words_of({"RangeVar": range_var})
