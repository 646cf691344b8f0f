"""Statements about databases, the server, roles, rights and upkeep.

Law: a lasting default of a setting that changes meanings is refused: the gateway's own sessions would take it.
"""

from __future__ import annotations

from narrows.inspect.sql import relations, sources
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.define import ALTER, CREATE, DROP, in_database
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.objects import need, words_of
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.running import code
from narrows.inspect.sql.settings import Rule, setting
from narrows.inspect.sql.tree import Node
from narrows.model.action import Action
from narrows.model.reason import Reason

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


def _maintain(draft: Draft, named: list[Node]) -> None:
    gather = draft.gather
    for each in named:
        for found in sources.lookup(gather, each):
            relations.touch(gather, Action.MAINTAIN, found)
    if not named:
        gather.need(Action.MAINTAIN, gather.names.database())


HANDLERS: dict[str, tuple[Kind, str, Handler]] = {
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
