"""ALTER TABLE and renaming -> what the relation is afterwards, as the session sees it before the snapshot does.

Laws: what is not listed leaves the session in doubt; a labelled column keeps its name, so that what is renamed or
added bears only what is stored in it.
"""

from __future__ import annotations

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import overlays, sources
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft
from narrows.inspect.sql.names import Found
from narrows.inspect.sql.overlay import Overlaid
from narrows.inspect.sql.tree import Node

SAME = listed(
    """
    AT_ColumnDefault AT_DropNotNull AT_SetNotNull AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetStorage
    AT_SetCompression AT_AddConstraint AT_DropConstraint AT_ValidateConstraint AT_AlterConstraint AT_AddIndex
    AT_AddIndexConstraint AT_ChangeOwner AT_ClusterOn AT_DropCluster AT_SetLogged AT_SetUnLogged
    AT_SetTableSpace AT_SetRelOptions AT_ResetRelOptions AT_ReplaceRelOptions AT_AlterColumnType
    AT_AddIdentity AT_SetIdentity AT_DropIdentity AT_ReplicaIdentity AT_EnableRowSecurity
    AT_DisableRowSecurity AT_ForceRowSecurity AT_NoForceRowSecurity AT_DetachPartition
    AT_DropExpression AT_SetExpression
    """
)
"""Commands after which the relation has the columns that it had."""

JOINS = listed("AT_AttachPartition")
"""Commands after which a relation shows what another holds: no labelled values, where it bears no label."""


def alter(draft: Draft, fields: Node) -> None:
    """ALTER TABLE: the relation with its columns added and dropped."""
    if fields["objtype"] not in (
        "OBJECT_TABLE",
        "OBJECT_VIEW",
        "OBJECT_MATVIEW",
        "OBJECT_INDEX",
        "OBJECT_SEQUENCE",
    ):
        return
    commands = [each["AlterTableCmd"] for each in fields["cmds"]]
    found, *others = sources.lookup(draft.gather, fields["relation"])
    relation = overlays.current(draft.gather, found)
    is_clean = relation is not None and not relation.taint and not others
    if all(command["subtype"] in SAME or (is_clean and command["subtype"] in JOINS) for command in commands):
        draft.is_doubtful = False
        return
    for command in commands:
        relation = _altered(relation, command)
    if relation is not None and not others:
        draft.is_doubtful = False
        _children(draft, found, relation)


def _altered(relation: Overlaid | None, command: Node) -> Overlaid | None:
    subtype = command["subtype"]
    if relation is None or subtype in SAME:
        return relation
    if subtype == "AT_AddColumn":
        name = command["def"]["ColumnDef"]["colname"]
        is_there = any(column.name == name for column in relation.columns)  # IF NOT EXISTS
        added = overlays.column_of(command["def"]["ColumnDef"], relation.taint)
        return relation if is_there else relation.with_column(added)
    if subtype == "AT_DropColumn":
        return relation.without_column(command["name"])
    return None


def _children(draft: Draft, found: Found, relation: Overlaid) -> None:
    """The relation as it is now; one that others inherit from changes them too, and nobody follows that."""
    oid = found.relation.oid if found.relation else 0
    if oid and any(oid in each.parents for each in draft.gather.view.snapshot.relations.values()):
        draft.is_doubtful = True
        return
    draft.effects.append(fx.Overlay(found.schema, found.name, relation))


def rename(draft: Draft, fields: Node) -> None:
    """RENAME of a relation or of one of its columns."""
    kind = fields["renameType"]
    if kind in HARMLESS:
        draft.is_doubtful = False
    if kind not in RENAMES or "relation" not in fields:
        return
    found, *others = sources.lookup(draft.gather, fields["relation"])
    relation = overlays.current(draft.gather, found)
    if relation is None or others:
        return
    draft.is_doubtful = False
    if kind == "OBJECT_COLUMN":
        _children(draft, found, relation.with_renamed(fields["subname"], fields["newname"]))
        return
    draft.effects.append(fx.DropRelation(found.schema, found.name))
    draft.effects.append(fx.Overlay(found.schema, fields["newname"], relation))


RENAMES = listed("OBJECT_TABLE OBJECT_VIEW OBJECT_MATVIEW OBJECT_SEQUENCE OBJECT_COLUMN")
HARMLESS = listed("OBJECT_INDEX OBJECT_TABCONSTRAINT OBJECT_TRIGGER OBJECT_RULE OBJECT_POLICY")
