"""Questions that people put to policy: an action upon something, asked as a session of somebody would.

For statements that were analysed, and for plain (action, resource) pairs where there is no target to ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from narrows.config.loaded import Config
from narrows.config.rights import hypothetical_session
from narrows.model.action import Action
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.resource import GATEWAY, Resource, ResourceKind
from narrows.model.statement import Fact, Operation, Protocol, Statement
from narrows.policy import ids, schema
from narrows.policy.cases import World
from narrows.policy.explain import Explanation, explain
from narrows.policy.policyset import PolicySet
from narrows.policy.request import Query

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_KINDS = {1: ResourceKind.SCHEMA, 2: ResourceKind.TABLE, 3: ResourceKind.COLUMN}
_LABELLED = (ResourceKind.TABLE, ResourceKind.COLUMN)


class QuestionError(Exception):
    """The question names something that there is not; the message says what."""


def answer(
    config: Config, principal: Principal, connection: str, database: str, statement: Statement, now: float
) -> Explanation:
    """What policy says of a statement in a session of that principal, and why.

    May run in a thread: with many policies it takes long, and its caches are its own.
    """
    session = hypothetical_session(config, principal, connection, database, now)
    own = PolicySet(config.policies.policies, config.policies.version, config.policies.uses_time)
    return explain(own, Query(principal, session, statement, config.labels), now)


def question(
    config: Config, connection: str, database: str, action: str, on: str, facts: Mapping[str, Fact]
) -> Statement:
    """A statement with this one operation; a read of a labelled table discloses its labelled columns."""
    if action not in set(Action):
        raise QuestionError(f"there is no action {action!r}; `narrows policy schema` lists them")
    for name in facts:
        if name not in schema.FACTS:
            raise QuestionError(f"there is no fact {name!r}; `narrows policy schema` lists them")
    resource = find_resource(config, connection, database, on)
    columns = _labelled_columns(config, resource)
    labels: frozenset[str] = frozenset().union(*columns.values())
    return Statement(
        protocol=Protocol.POSTGRES if connection else Protocol.CONTROL,
        kind=action,
        text="",
        operations=(Operation(Action(action), resource, labels, facts),),
        disclosures=columns if action in (Action.SELECT, Action.EXPORT) else {},
        facts=facts,
    )


def find_resource(config: Config, connection: str, database: str, on: str) -> Resource:
    """`Table::"shop/public.orders"` as in a policy, `public.orders`, `database`, `connection` or `gateway`."""
    homes = {name: known.database for name, known in config.connections.items()}
    if "::" in on:
        found = ids.parse_reference(on.strip(), homes)
        if found is None:
            raise QuestionError(f'{on} is no resource; write one as in a policy: Table::"shop/public.orders"')
        return found
    if on == "gateway" or not connection:
        return GATEWAY
    is_home = homes.get(connection) == database
    if on in ("", "connection"):
        return Resource(ResourceKind.CONNECTION, (connection,))
    if on == "database":
        return Resource(ResourceKind.DATABASE, (connection, database), is_home)
    return _dotted(connection, database, on, is_home)


def check_place(config: Config, connection: str, database: str | None) -> str:
    """The database that is meant; QuestionError where connection or database is not declared."""
    if connection not in config.connections:
        raise QuestionError(f"there is no connection {connection!r} in narrows.yaml")
    known = config.connections[connection].all_databases
    if database is not None and database not in known:
        raise QuestionError(f"connection {connection!r} does not list the database {database!r}")
    return database or known[0]


def find_principal(config: Config, name: str) -> Principal:
    """`alice`, `User/alice` or `Service/reports`; QuestionError where not declared."""
    kind, slash, rest = name.partition("/")
    found = config.principal(rest if slash and kind in set(PrincipalKind) else name)
    if found is None or (slash and kind in set(PrincipalKind) and found.kind != kind):
        raise QuestionError(f"there is no user or service {name!r} in narrows.yaml")
    return found


def world(config: Config) -> World:
    """What policy cases may refer to."""
    principals = [
        Principal(kind, name, frozenset(member.groups))
        for kind, members in ((PrincipalKind.USER, config.users), (PrincipalKind.SERVICE, config.services))
        for name, member in members.items()
    ]
    homes = {name: known.database for name, known in config.connections.items()}
    return World({principal.id: principal for principal in principals}, homes, config.labels)


def _dotted(connection: str, database: str, on: str, is_home: bool) -> Resource:
    names = tuple((quoted or plain).replace('""', '"') for quoted, plain in _PART.findall(on))
    kind = _KINDS.get(len(names))
    if kind is None:
        raise QuestionError(f"{on} is no schema, schema.table or schema.table.column")
    return Resource(kind, (connection, database, *names), is_home)


def _labelled_columns(config: Config, resource: Resource) -> dict[Resource, frozenset[str]]:
    """The labelled columns of a table, or the column itself where it is one."""
    if resource.kind not in _LABELLED:
        return {}
    connection, database, schema, table, *column = resource.path
    found = config.labels.of(connection, database).columns.items()
    return {
        Resource(ResourceKind.COLUMN, (connection, database, *key), resource.is_home): labels
        for key, labels in found
        if key[:2] == (schema, table) and (not column or key[2] == column[0])
    }
