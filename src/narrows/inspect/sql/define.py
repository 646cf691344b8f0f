"""Statements that define, drop, grant or keep in order: which operation upon which object.

Laws: each object kind has one row that says what resource it is; whatever would take a label off a column
(renaming, moving, detaching) is refused; expressions and queries inside are walked like any others.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import expression, guards, query, sources
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.refused import Refused, undecided, unsupported
from narrows.inspect.sql.running import code, created
from narrows.inspect.sql.scope import Cell, Scope, Shape, make_source
from narrows.inspect.sql.settings import Rule, setting
from narrows.inspect.sql.tree import GRAMMAR, LIST, SCALAR, WRAPPED, Node, strings, unwrap
from narrows.model.action import Action
from narrows.model.reason import Reason
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


def _within_table(gather: Gather, words: Words) -> list[Resource]:
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
    "OBJECT_COLUMN": _within_table,
    "OBJECT_TABCONSTRAINT": _within_table,
    "OBJECT_TRIGGER": _within_table,
    "OBJECT_RULE": _within_table,
    "OBJECT_POLICY": _within_table,
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
        named = words[:-1] if resolve is _within_table else words
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
        expression.evaluate(gather, {type_: fields}, scope)
    elif type_ == "RangeVar":
        for found in sources.lookup(gather, fields):
            gather.relation_mention(found)
    elif type_ == "Constraint" and "pktable" in fields:
        for found in sources.lookup(gather, fields["pktable"]):
            gather.relation(Action.SELECT, found)
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
        from narrows.inspect.sql.gather import relation_shape

        shape = relation_shape(gather, found)
        scope.sources.append(make_source(found.name, shape, relation=found.relation, has_system_columns=True))
        scope.hidden += [make_source(alias, shape) for alias in ("old", "new")]
    return scope


def _range_words(range_var: Node) -> Words:
    return words_of({"RangeVar": range_var})


# --- tables and what belongs to them


def create_table(draft: Draft, fields: Node) -> None:
    _create_relation(draft, fields)
    gather = draft.gather
    for each in fields.get("inhRelations", ()):
        need(draft, Action.ALTER, "OBJECT_TABLE", _range_words(each["RangeVar"]))
    for element in fields.get("tableElts", ()):
        like = element.get("TableLikeClause")
        if like:
            for found in sources.lookup(gather, like["relation"]):
                gather.need(Action.SELECT, gather.names.table(found.schema, found.name))


def create_foreign_table(draft: Draft, fields: Node) -> None:
    _create_relation(draft, fields["base"])


def _create_relation(draft: Draft, fields: Node) -> None:
    created(draft, fields["relation"])
    draft.changes_schema = True
    columns = {
        element["ColumnDef"]["colname"] for element in fields.get("tableElts", ()) if "ColumnDef" in element
    }
    scope = Scope()
    scope.sources.append(make_source(fields["relation"]["relname"], guards.open_shape(columns)))
    rest = {name: each for name, each in fields.items() if name not in ("relation", "inhRelations")}
    sweep(draft.gather, "CreateStmt", rest, scope)


def create_view(draft: Draft, fields: Node) -> None:
    created(draft, fields["view"])
    if fields.get("replace") and draft.gather.state.facts.temp.isdisjoint({fields["view"]["relname"]}):
        need(draft, Action.ALTER, "OBJECT_VIEW", _range_words(fields["view"]))
    query.select_node(draft.gather, fields["query"], None)
    draft.changes_schema = True


def create_index(draft: Draft, fields: Node) -> None:
    need(draft, Action.ALTER, "OBJECT_TABLE", _range_words(fields["relation"]))
    draft.changes.clear()
    draft.changes |= {fields["idxname"]} if "idxname" in fields else set()
    draft.has_own_transaction = bool(fields.get("concurrent"))
    rest = {name: each for name, each in fields.items() if name != "relation"}
    sweep(draft.gather, "IndexStmt", rest, scope_of(draft.gather, fields["relation"]))


def create_sequence(draft: Draft, fields: Node) -> None:
    created(draft, fields["sequence"])
    draft.changes_schema = True


def alter_table(draft: Draft, fields: Node) -> None:
    words = _range_words(fields["relation"])
    need(
        draft,
        Action.ALTER,
        fields["objtype"] if fields["objtype"] != "OBJECT_TYPE" else "OBJECT_TABLE",
        words,
    )
    scope = scope_of(draft.gather, fields["relation"])
    for each in fields["cmds"]:
        command = each["AlterTableCmd"]
        guards.table_command(draft.gather, fields["relation"], command, scope)
        if command["subtype"] == "AT_DropColumn":
            need(draft, Action.DROP, "OBJECT_TABLE", words)
        if command["subtype"] == "AT_ChangeOwner":
            draft.gather.need(
                Action.GRANT, draft.gather.names.role(words_of({"RoleSpec": command["newowner"]})[-1])
            )
        if command["subtype"] in PARTNERS and "def" in command:
            _partner(draft, command["def"])
        sweep(draft.gather, "AlterTableCmd", {"def": command["def"]} if "def" in command else {}, scope)


PARTNERS = listed(
    """
    AT_AddInherit AT_DropInherit AT_AttachPartition AT_DetachPartition AT_DetachPartitionFinalize
    """
)


def _partner(draft: Draft, node: Node) -> None:
    type_, fields = unwrap(node)
    other = fields if type_ == "RangeVar" else fields.get("name")
    if other:
        need(draft, Action.ALTER, "OBJECT_TABLE", _range_words(other))


def rename(draft: Draft, fields: Node) -> None:
    kind = fields["renameType"]
    if "relation" in fields:
        owner = "OBJECT_TABLE" if kind in INSIDE else kind
        need(draft, Action.ALTER, owner, _range_words(fields["relation"]))
    elif "object" in fields:
        need(draft, Action.ALTER, kind, words_of(fields["object"]))
    else:
        need(draft, Action.ALTER, kind, (fields["subname"],))
    draft.changes.add(fields["newname"])
    guards.rename(draft.gather, fields)


INSIDE = listed(
    """
    OBJECT_COLUMN OBJECT_TABCONSTRAINT OBJECT_TRIGGER OBJECT_RULE OBJECT_POLICY OBJECT_ATTRIBUTE
    """
)


def set_schema(draft: Draft, fields: Node) -> None:
    _alter_object(draft, fields)
    draft.gather.need(Action.CREATE, draft.gather.names.schema(fields["newschema"]))
    if "relation" in fields:
        guards.move(draft.gather, fields["relation"])


def set_owner(draft: Draft, fields: Node) -> None:
    _alter_object(draft, fields)
    draft.gather.need(Action.GRANT, draft.gather.names.role(words_of({"RoleSpec": fields["newowner"]})[-1]))


def _alter_object(draft: Draft, fields: Node) -> None:
    words = _range_words(fields["relation"]) if "relation" in fields else words_of(fields["object"])
    need(draft, Action.ALTER, fields["objectType"], words)


def depends(draft: Draft, fields: Node) -> None:
    if "relation" in fields:
        need(draft, Action.ALTER, "OBJECT_TABLE", _range_words(fields["relation"]))
    else:
        need(draft, Action.ALTER, fields["objectType"], words_of(fields["object"]))


def drop(draft: Draft, fields: Node) -> None:
    kind = fields["removeType"]
    for each in fields["objects"]:
        words = words_of(each)
        need(draft, Action.DROP if OBJECTS.get(kind) is not _within_table else Action.ALTER, kind, words)
        if words and words[-1] in draft.gather.names.temp:
            draft.effects.append(fx.DropTemp(words[-1]))
    draft.has_own_transaction = bool(fields.get("concurrent"))


def comment(draft: Draft, fields: Node) -> None:
    need(draft, Action.COMMENT, fields["objtype"], words_of(fields["object"]))


def security_label(draft: Draft, fields: Node) -> None:
    need(draft, Action.ALTER, fields["objtype"], words_of(fields["object"]))


def on_relation(field: str, type_: str) -> Handler:
    """Policies, rules, triggers: they change a table and may hold expressions and queries."""

    def handle(draft: Draft, fields: Node) -> None:
        need(draft, Action.ALTER, "OBJECT_TABLE", _range_words(fields[field]))
        rest = {name: each for name, each in fields.items() if name != field}
        sweep(draft.gather, type_, rest, scope_of(draft.gather, fields[field]))
        if type_ != "CreatePolicyStmt" and type_ != "AlterPolicyStmt":
            draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())

    return handle


def statistics(draft: Draft, fields: Node) -> None:
    for each in fields["relations"]:
        need(draft, Action.ALTER, "OBJECT_TABLE", words_of(each))


def refresh(draft: Draft, fields: Node) -> None:
    for found in sources.lookup(draft.gather, fields["relation"]):
        draft.gather.relation(Action.REFRESH, found)


# --- functions, types, schemas and the like


def create_function(draft: Draft, fields: Node) -> None:
    words = strings(fields["funcname"])
    schema = words[-2] if len(words) > 1 else draft.gather.names.creation_schema
    draft.gather.need(Action.CREATE, draft.gather.names.function(schema, words[-1]))
    draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())
    draft.changes.add(words[-1])
    draft.changes_schema = True


def named(action: Action, kind: str, field: str, *, runs: bool = False) -> Handler:
    """An object whose name stands in one field."""

    def handle(draft: Draft, fields: Node) -> None:
        value = fields[field]
        words = (value,) if isinstance(value, str) else _words_in(value)
        need(draft, action, kind, words)
        if runs:
            draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())

    return handle


def _words_in(value: object) -> Words:
    if isinstance(value, list):
        return strings(value)
    node: Node = value if isinstance(value, dict) else {}
    return strings(node.get("objname") or node.get("names"))


def define(draft: Draft, fields: Node) -> None:
    """CREATE AGGREGATE, OPERATOR, TYPE, COLLATION, TEXT SEARCH..."""
    need(draft, Action.CREATE, fields["kind"], strings(fields["defnames"]))
    if fields["kind"] in ("OBJECT_AGGREGATE", "OBJECT_OPERATOR", "OBJECT_TYPE"):
        draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())


def domain(draft: Draft, fields: Node) -> None:
    """A domain's checks run whenever a value is made, and for all that there are when one is added."""
    name = strings(fields.get("domainname") or fields["typeName"])
    need(draft, Action.CREATE if "domainname" in fields else Action.ALTER, "OBJECT_DOMAIN", name)
    type_ = "CreateDomainStmt" if "domainname" in fields else "AlterDomainStmt"
    value = make_source("", Shape((("value", Cell()),)))
    sweep(draft.gather, type_, fields, Scope(sources=[value]))


def composite(draft: Draft, fields: Node) -> None:
    need(draft, Action.CREATE, "OBJECT_TYPE", _range_words(fields["typevar"]))


def create_schema(draft: Draft, fields: Node) -> None:
    name = fields.get("schemaname") or words_of({"RoleSpec": fields["authrole"]})[-1]
    need(draft, Action.CREATE, "OBJECT_SCHEMA", (name,))
    if fields.get("schemaElts"):
        raise unsupported("CREATE SCHEMA with objects in it: send the statements one by one")


def in_database(action: Action, *also: Action, server: bool = False) -> Handler:
    """Objects of the whole database, with what else making them amounts to."""

    def handle(draft: Draft, fields: Node) -> None:
        gather = draft.gather
        gather.need(action, gather.names.connection() if server else gather.names.database())
        for each in also:
            on_server = each in (Action.CONFIGURE_SERVER, Action.REPLICATE)
            gather.need(each, gather.names.connection() if on_server else gather.names.database())
        draft.changes |= {value for value in fields.values() if isinstance(value, str)}
        draft.changes_schema = True

    return handle


def publication(draft: Draft, fields: Node) -> None:
    in_database(Action.ALTER if "action" in fields else Action.CREATE, Action.REPLICATE)(draft, fields)
    for each in fields.get("pubobjects", ()):
        table = each["PublicationObjSpec"].get("pubtable")
        if table:
            for found in sources.lookup(draft.gather, table["relation"]):
                draft.gather.relation(Action.EXPORT, found)


def extension(action: Action) -> Handler:
    def handle(draft: Draft, fields: Node) -> None:
        draft.gather.need(action, draft.gather.names.database(), facts={"extension": fields["extname"]})
        draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())
        draft.runs_code = draft.changes_schema = True

    return handle


# --- databases and the server


def database(action: Action) -> Handler:
    def handle(draft: Draft, fields: Node) -> None:
        draft.gather.need(action, draft.gather.names.database(fields.get("dbname") or None))
        draft.has_own_transaction = action is not Action.ALTER

    return handle


def set_for_database(draft: Draft, fields: Node) -> None:
    draft.gather.need(Action.ALTER, draft.gather.names.database(fields["dbname"]))
    _lasting_setting(draft, fields["setstmt"])


def set_for_role(draft: Draft, fields: Node) -> None:
    if "role" in fields:
        draft.gather.need(Action.ALTER, draft.gather.names.role(words_of({"RoleSpec": fields["role"]})[-1]))
    else:
        draft.gather.need(Action.CONFIGURE_SERVER, draft.gather.names.connection())
    _lasting_setting(draft, fields["setstmt"])


def _lasting_setting(draft: Draft, fields: Node) -> None:
    """A default for later sessions, the gateway's own among them: nothing that changes meanings."""
    name = fields.get("name", "")
    if fields["kind"] in ("VAR_RESET_ALL", "VAR_RESET", "VAR_SET_DEFAULT"):
        return
    if setting(name).rule not in (Rule.FREE, Rule.PRIVILEGED) or setting(name).accepts is not None:
        raise Refused(
            Reason.SETTING_REFUSED, f"a lasting default of {name} would change what later sessions mean"
        )
    draft.gather.settings.add(name)


def alter_system(draft: Draft, fields: Node) -> None:
    name = fields["setstmt"].get("name", "all")
    draft.gather.need(Action.CONFIGURE_SERVER, draft.gather.names.connection(), facts={"setting": name})
    draft.has_own_transaction = True


def checkpoint(draft: Draft, _fields: Node) -> None:
    draft.gather.need(Action.CONFIGURE_SERVER, draft.gather.names.connection())


def load(draft: Draft, _fields: Node) -> None:
    draft.gather.need(Action.SERVER_FILE, draft.gather.names.connection())
    code(draft)


# --- roles and rights


def create_role(draft: Draft, fields: Node) -> None:
    need(draft, Action.CREATE, "OBJECT_ROLE", (fields["role"],))
    draft.gather.need(Action.GRANT, draft.gather.names.role(fields["role"]))


def alter_role(draft: Draft, fields: Node) -> None:
    need(draft, Action.ALTER, "OBJECT_ROLE", words_of({"RoleSpec": fields["role"]}))


def drop_role(draft: Draft, fields: Node) -> None:
    for each in fields["roles"]:
        need(draft, Action.DROP, "OBJECT_ROLE", words_of(each))


def grant(draft: Draft, fields: Node) -> None:
    action = Action.GRANT if fields.get("is_grant") else Action.REVOKE
    draft.kind = Kind.GRANT if action is Action.GRANT else Kind.REVOKE
    draft.tag = draft.kind.value.upper()
    kind = fields["objtype"]
    for each in fields.get("objects", ()):
        if fields["targtype"] == "ACL_TARGET_ALL_IN_SCHEMA":
            draft.gather.need(action, draft.gather.names.schema(words_of(each)[-1]))
        else:
            need(draft, action, kind, words_of(each))
    if not fields.get("objects"):
        draft.gather.need(action, draft.gather.names.database())


def grant_role(draft: Draft, fields: Node) -> None:
    action = Action.GRANT if fields.get("is_grant") else Action.REVOKE
    draft.kind = Kind.GRANT if action is Action.GRANT else Kind.REVOKE
    for each in fields["granted_roles"]:
        draft.gather.need(action, draft.gather.names.role(each["AccessPriv"]["priv_name"]))


def default_privileges(draft: Draft, fields: Node) -> None:
    action = Action.GRANT if fields["action"].get("is_grant") else Action.REVOKE
    draft.gather.need(action, draft.gather.names.database())


def owned(action: Action) -> Handler:
    """DROP OWNED and REASSIGN OWNED touch whatever the roles own."""

    def handle(draft: Draft, fields: Node) -> None:
        draft.gather.need(action, draft.gather.names.database())
        for each in fields["roles"]:
            draft.gather.need(Action.GRANT, draft.gather.names.role(words_of(each)[-1]))
        if "newrole" in fields:
            draft.gather.need(
                Action.GRANT, draft.gather.names.role(words_of({"RoleSpec": fields["newrole"]})[-1])
            )
        draft.runs_code = draft.changes_schema = True

    return handle


# --- upkeep


def vacuum(draft: Draft, fields: Node) -> None:
    relations = [each["VacuumRelation"]["relation"] for each in fields.get("rels", ())]
    _maintain(draft, relations)
    draft.has_own_transaction = bool(fields.get("is_vacuumcmd"))
    draft.tag = "VACUUM" if fields.get("is_vacuumcmd") else "ANALYZE"


def cluster(draft: Draft, fields: Node) -> None:
    _maintain(draft, [fields["relation"]] if "relation" in fields else [])


def reindex(draft: Draft, fields: Node) -> None:
    _maintain(draft, [fields["relation"]] if "relation" in fields else [])
    if fields["kind"] == "REINDEX_OBJECT_SCHEMA":
        draft.gather.need(Action.MAINTAIN, draft.gather.names.schema(fields["name"]))


def _maintain(draft: Draft, relations: list[Node]) -> None:
    gather = draft.gather
    for each in relations:
        for found in sources.lookup(gather, each):
            gather.relation(Action.MAINTAIN, found)
    if not relations:
        gather.need(Action.MAINTAIN, gather.names.database())


CREATE, ALTER, DROP = (Kind.CREATE, "CREATE"), (Kind.ALTER, "ALTER"), (Kind.DROP, "DROP")

HANDLERS: dict[str, tuple[Kind, str, Handler]] = {
    # tables and what belongs to them
    "CreateStmt": (*CREATE, create_table),
    "CreateForeignTableStmt": (*CREATE, create_foreign_table),
    "ViewStmt": (*CREATE, create_view),
    "IndexStmt": (*CREATE, create_index),
    "CreateSeqStmt": (*CREATE, create_sequence),
    "CreateStatsStmt": (*CREATE, statistics),
    "CreateTrigStmt": (*CREATE, on_relation("relation", "CreateTrigStmt")),
    "RuleStmt": (*CREATE, on_relation("relation", "RuleStmt")),
    "CreatePolicyStmt": (*CREATE, on_relation("table", "CreatePolicyStmt")),
    "AlterPolicyStmt": (*ALTER, on_relation("table", "AlterPolicyStmt")),
    "AlterTableStmt": (*ALTER, alter_table),
    "AlterSeqStmt": (
        *ALTER,
        lambda draft, fields: need(draft, Action.ALTER, "OBJECT_SEQUENCE", _range_words(fields["sequence"])),
    ),
    "AlterStatsStmt": (*ALTER, named(Action.ALTER, "OBJECT_STATISTIC_EXT", "defnames")),
    "AlterTableMoveAllStmt": (*ALTER, in_database(Action.ALTER, Action.CONFIGURE_SERVER)),
    "RenameStmt": (*ALTER, rename),
    "AlterObjectSchemaStmt": (*ALTER, set_schema),
    "AlterOwnerStmt": (*ALTER, set_owner),
    "AlterObjectDependsStmt": (*ALTER, depends),
    "DropStmt": (*DROP, drop),
    "CommentStmt": (Kind.COMMENT, "COMMENT", comment),
    "SecLabelStmt": (*ALTER, security_label),
    "RefreshMatViewStmt": (Kind.REFRESH, "REFRESH MATERIALIZED VIEW", refresh),
    # functions, types, schemas
    "CreateFunctionStmt": (*CREATE, create_function),
    "AlterFunctionStmt": (*ALTER, named(Action.ALTER, "OBJECT_FUNCTION", "func", runs=True)),
    "DefineStmt": (*CREATE, define),
    "CompositeTypeStmt": (*CREATE, composite),
    "CreateEnumStmt": (*CREATE, named(Action.CREATE, "OBJECT_TYPE", "typeName")),
    "CreateRangeStmt": (*CREATE, named(Action.CREATE, "OBJECT_TYPE", "typeName", runs=True)),
    "CreateDomainStmt": (*CREATE, domain),
    "AlterDomainStmt": (*ALTER, domain),
    "AlterEnumStmt": (*ALTER, named(Action.ALTER, "OBJECT_TYPE", "typeName")),
    "AlterTypeStmt": (*ALTER, named(Action.ALTER, "OBJECT_TYPE", "typeName", runs=True)),
    "AlterCollationStmt": (*ALTER, named(Action.ALTER, "OBJECT_COLLATION", "collname")),
    "CreateConversionStmt": (
        *CREATE,
        named(Action.CREATE, "OBJECT_CONVERSION", "conversion_name", runs=True),
    ),
    "CreateOpClassStmt": (*CREATE, named(Action.CREATE, "OBJECT_OPCLASS", "opclassname", runs=True)),
    "CreateOpFamilyStmt": (*CREATE, named(Action.CREATE, "OBJECT_OPFAMILY", "opfamilyname")),
    "AlterOpFamilyStmt": (*ALTER, named(Action.ALTER, "OBJECT_OPFAMILY", "opfamilyname", runs=True)),
    "AlterOperatorStmt": (*ALTER, named(Action.ALTER, "OBJECT_OPERATOR", "opername", runs=True)),
    "AlterTSConfigurationStmt": (*ALTER, named(Action.ALTER, "OBJECT_TSCONFIGURATION", "cfgname")),
    "AlterTSDictionaryStmt": (*ALTER, named(Action.ALTER, "OBJECT_TSDICTIONARY", "dictname")),
    "CreateSchemaStmt": (*CREATE, create_schema),
    # the whole database
    "CreateCastStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE)),
    "CreateTransformStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE)),
    "CreateAmStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE)),
    "CreatePLangStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE)),
    "CreateEventTrigStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE)),
    "AlterEventTrigStmt": (*ALTER, in_database(Action.ALTER, Action.EXECUTE_CODE)),
    "CreateExtensionStmt": (*CREATE, extension(Action.CREATE)),
    "AlterExtensionStmt": (*ALTER, extension(Action.ALTER)),
    "AlterExtensionContentsStmt": (*ALTER, extension(Action.ALTER)),
    "CreateFdwStmt": (*CREATE, in_database(Action.CREATE, Action.EXECUTE_CODE, Action.CONFIGURE_SERVER)),
    "AlterFdwStmt": (*ALTER, in_database(Action.ALTER, Action.EXECUTE_CODE, Action.CONFIGURE_SERVER)),
    "CreateForeignServerStmt": (*CREATE, in_database(Action.CREATE, Action.CONFIGURE_SERVER)),
    "AlterForeignServerStmt": (*ALTER, in_database(Action.ALTER, Action.CONFIGURE_SERVER)),
    "CreateUserMappingStmt": (*CREATE, in_database(Action.CREATE, Action.CONFIGURE_SERVER)),
    "AlterUserMappingStmt": (*ALTER, in_database(Action.ALTER, Action.CONFIGURE_SERVER)),
    "DropUserMappingStmt": (*DROP, in_database(Action.DROP, Action.CONFIGURE_SERVER)),
    "ImportForeignSchemaStmt": (*CREATE, in_database(Action.CREATE, Action.CONFIGURE_SERVER)),
    "CreatePublicationStmt": (*CREATE, publication),
    "AlterPublicationStmt": (*ALTER, publication),
    "CreateSubscriptionStmt": (*CREATE, in_database(Action.CREATE, Action.REPLICATE)),
    "AlterSubscriptionStmt": (*ALTER, in_database(Action.ALTER, Action.REPLICATE)),
    "DropSubscriptionStmt": (*DROP, in_database(Action.DROP, Action.REPLICATE)),
    # databases and the server
    "CreatedbStmt": (*CREATE, database(Action.CREATE)),
    "DropdbStmt": (*DROP, database(Action.DROP)),
    "AlterDatabaseStmt": (*ALTER, database(Action.ALTER)),
    "AlterDatabaseRefreshCollStmt": (*ALTER, database(Action.ALTER)),
    "AlterDatabaseSetStmt": (*ALTER, set_for_database),
    "CreateTableSpaceStmt": (*CREATE, in_database(Action.CREATE, Action.SERVER_FILE, server=True)),
    "AlterTableSpaceOptionsStmt": (*ALTER, in_database(Action.ALTER, server=True)),
    "DropTableSpaceStmt": (*DROP, in_database(Action.DROP, server=True)),
    "AlterSystemStmt": (Kind.SERVER, "ALTER SYSTEM", alter_system),
    "CheckPointStmt": (Kind.SERVER, "CHECKPOINT", checkpoint),
    "LoadStmt": (Kind.LOAD, "LOAD", load),
    # roles and rights
    "CreateRoleStmt": (*CREATE, create_role),
    "AlterRoleStmt": (*ALTER, alter_role),
    "AlterRoleSetStmt": (*ALTER, set_for_role),
    "DropRoleStmt": (*DROP, drop_role),
    "GrantStmt": (Kind.GRANT, "GRANT", grant),
    "GrantRoleStmt": (Kind.GRANT, "GRANT ROLE", grant_role),
    "AlterDefaultPrivilegesStmt": (*ALTER, default_privileges),
    "DropOwnedStmt": (*DROP, owned(Action.DROP)),
    "ReassignOwnedStmt": (*ALTER, owned(Action.ALTER)),
    # upkeep
    "VacuumStmt": (Kind.MAINTAIN, "VACUUM", vacuum),
    "ClusterStmt": (Kind.MAINTAIN, "CLUSTER", cluster),
    "ReindexStmt": (Kind.MAINTAIN, "REINDEX", reindex),
}
