"""Statements that define, change and drop what a database holds: tables, functions, types, servers, extensions.

Law: whatever would take a label off a column (renaming, moving, detaching) is refused.
"""

from __future__ import annotations

from narrows.inspect.sql import alterations, expression, guards, overlays, query, relations, sources, watchers
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.objects import (
    OBJECTS,
    Words,
    need,
    range_words,
    scope_of,
    sweep,
    within_table,
    words_of,
)
from narrows.inspect.sql.overlay import TEMP
from narrows.inspect.sql.refused import unsupported
from narrows.inspect.sql.running import created
from narrows.inspect.sql.scope import Cell, Scope, Shape, make_source
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.model.action import Action

# --- tables and what belongs to them


def create_table(draft: Draft, fields: Node) -> None:
    _create_relation(draft, fields)
    gather = draft.gather
    for each in fields.get("inhRelations", ()):
        need(draft, Action.ALTER, "OBJECT_TABLE", range_words(each["RangeVar"]))
    for element in fields.get("tableElts", ()):
        like = element.get("TableLikeClause")
        if like:
            for found in sources.lookup(gather, like["relation"]):
                gather.need(Action.SELECT, gather.names.table(found.schema, found.name))


def create_foreign_table(draft: Draft, fields: Node) -> None:
    _create_relation(draft, fields["base"])


def _create_relation(draft: Draft, fields: Node) -> None:
    found = created(draft, fields["relation"])
    columns = {
        element["ColumnDef"]["colname"] for element in fields.get("tableElts", ()) if "ColumnDef" in element
    }
    scope = Scope()
    scope.sources.append(make_source(fields["relation"]["relname"], guards.open_shape(columns)))
    for parent in fields.get("inhRelations", ()):  # its columns are the table's, with what they bear
        scope.sources += scope_of(draft.gather, parent["RangeVar"]).sources
    rest = {name: each for name, each in fields.items() if name not in ("relation", "inhRelations")}
    sweep(draft.gather, "CreateStmt", rest, scope)
    for element in fields.get("tableElts", ()):
        guards.defaults(draft.gather, found, element.get("ColumnDef", {}).get("constraints", []), scope)
    overlays.parents(draft, found, fields.get("inhRelations", []))
    relation = overlays.of_definition(draft.gather, fields)
    if relation is not None:
        overlays.made(draft, found, fields["relation"], relation)


def create_view(draft: Draft, fields: Node) -> None:
    gather = draft.gather
    shape = query.select_node(gather, fields["query"], None)
    found = created(draft, fields["view"])
    is_temporary = found.is_temp or any(
        each.is_temp for name in gather.mentions - {found.name} for each in gather.names.relations(name)
    )
    if is_temporary and not found.is_temp:  # a view of what is temporary is temporary, too
        found = Found(TEMP, found.name, found.nature)
    if fields.get("replace") and not is_temporary:
        need(draft, Action.ALTER, "OBJECT_VIEW", range_words(fields["view"]))
    made = overlays.of_shape(shape, strings(fields.get("aliases")), is_view=True)
    overlays.made(draft, found, fields["view"], made, is_new=not fields.get("replace"))


def create_index(draft: Draft, fields: Node) -> None:
    need(draft, Action.ALTER, "OBJECT_TABLE", range_words(fields["relation"]))
    draft.changes.clear()
    draft.changes |= {fields["idxname"]} if "idxname" in fields else set()
    draft.has_own_transaction = bool(fields.get("concurrent"))
    draft.is_doubtful = False
    watchers.index(draft, fields, scope_of(draft.gather, fields["relation"]))


def create_sequence(draft: Draft, fields: Node) -> None:
    found = created(draft, fields["sequence"])
    overlays.made(draft, found, fields["sequence"], overlays.SEQUENCE)


def alter_table(draft: Draft, fields: Node) -> None:
    words = range_words(fields["relation"])
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
    alterations.alter(draft, fields)
    watchers.commands(draft, fields["relation"], [each["AlterTableCmd"] for each in fields["cmds"]])


PARTNERS = listed(
    """
    AT_AddInherit AT_DropInherit AT_AttachPartition AT_DetachPartition AT_DetachPartitionFinalize
    """
)


def _partner(draft: Draft, node: Node) -> None:
    type_, fields = unwrap(node)
    other = fields if type_ == "RangeVar" else fields.get("name")
    if other:
        need(draft, Action.ALTER, "OBJECT_TABLE", range_words(other))


def rename(draft: Draft, fields: Node) -> None:
    kind = fields["renameType"]
    if "relation" in fields:
        owner = "OBJECT_TABLE" if kind in INSIDE else kind
        need(draft, Action.ALTER, owner, range_words(fields["relation"]))
    elif "object" in fields:
        need(draft, Action.ALTER, kind, words_of(fields["object"]))
    else:
        need(draft, Action.ALTER, kind, (fields["subname"],))
    draft.changes.add(fields["newname"])
    alterations.rename(draft, fields)
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
    words = range_words(fields["relation"]) if "relation" in fields else words_of(fields["object"])
    need(draft, Action.ALTER, fields["objectType"], words)


def depends(draft: Draft, fields: Node) -> None:
    if "relation" in fields:
        need(draft, Action.ALTER, "OBJECT_TABLE", range_words(fields["relation"]))
    else:
        need(draft, Action.ALTER, fields["objectType"], words_of(fields["object"]))


def drop(draft: Draft, fields: Node) -> None:
    kind = fields["removeType"]
    for each in fields["objects"]:
        words = words_of(each)
        need(draft, Action.DROP if OBJECTS.get(kind) is not within_table else Action.ALTER, kind, words)
        if kind in RELATIONS:
            overlays.dropped(draft, words)
        if kind in RELATIONS or kind == "OBJECT_INDEX":
            draft.is_doubtful = draft.is_doubtful or False
        else:
            draft.is_doubtful = True
    draft.has_own_transaction = bool(fields.get("concurrent"))


RELATIONS = listed("OBJECT_TABLE OBJECT_VIEW OBJECT_MATVIEW OBJECT_SEQUENCE OBJECT_FOREIGN_TABLE")


def comment(draft: Draft, fields: Node) -> None:
    need(draft, Action.COMMENT, fields["objtype"], words_of(fields["object"]))


def security_label(draft: Draft, fields: Node) -> None:
    need(draft, Action.ALTER, fields["objtype"], words_of(fields["object"]))


def on_relation(field: str, type_: str) -> Handler:
    """Policies, rules, triggers: they change a table and may hold expressions and queries."""

    def handle(draft: Draft, fields: Node) -> None:
        need(draft, Action.ALTER, "OBJECT_TABLE", range_words(fields[field]))
        rest = {name: each for name, each in fields.items() if name != field}
        sweep(draft.gather, type_, rest, scope_of(draft.gather, fields[field]))
        if type_ != "CreatePolicyStmt" and type_ != "AlterPolicyStmt":
            draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())

    return handle


def statistics(draft: Draft, fields: Node) -> None:
    for each in fields["relations"]:
        need(draft, Action.ALTER, "OBJECT_TABLE", words_of(each))
    scope = scope_of(draft.gather, fields["relations"][0].get("RangeVar"))
    for each in fields.get("exprs", ()):
        element = each["StatsElem"]
        if "expr" in element:
            draft.gather.filter(expression.evaluate(draft.gather, element["expr"], scope), "other")


def refresh(draft: Draft, fields: Node) -> None:
    for found in sources.lookup(draft.gather, fields["relation"]):
        relations.touch(draft.gather, Action.REFRESH, found)


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
    guards.defaults(
        draft.gather,
        Found("", name[-1], Nature.OPAQUE),
        fields.get("constraints", []),
        Scope(sources=[value]),
    )
    sweep(draft.gather, type_, fields, Scope(sources=[value]))


def composite(draft: Draft, fields: Node) -> None:
    need(draft, Action.CREATE, "OBJECT_TYPE", range_words(fields["typevar"]))


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
                relations.touch(draft.gather, Action.EXPORT, found)


def extension(action: Action) -> Handler:
    def handle(draft: Draft, fields: Node) -> None:
        draft.gather.need(action, draft.gather.names.database(), facts={"extension": fields["extname"]})
        draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())
        draft.runs_code = draft.changes_schema = True

    return handle


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
        lambda draft, fields: need(draft, Action.ALTER, "OBJECT_SEQUENCE", range_words(fields["sequence"])),
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
}
