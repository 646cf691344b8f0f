"""The small world of the policy tests: a shop with two databases, some people and a service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from narrows import policy
from narrows.model.action import Action
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.resource import Resource, ResourceKind
from narrows.model.session import Client, Session
from narrows.model.statement import Fact, Operation, Protocol, Statement
from narrows.policy.cases import World

DATA = Path(__file__).parent / "data"

DECLARED = policy.Declared(
    users=frozenset({"sam", "frida", "fin", "ada"}),
    services=frozenset({"loader"}),
    groups=frozenset(
        {"support", "fraud", "finance", "pipelines", "administrators", "data-stewards", "managers"}
    ),
    connections=frozenset({"shop", "crm"}),
    databases={"shop": ("shop", "archive"), "crm": ("crm",)},
    labels=frozenset({"ssn", "email", "card", "salary", "pii"}),
)
HOMES = {"shop": "shop", "crm": "crm"}

SAM = Principal(PrincipalKind.USER, "sam", frozenset({"support"}))
FRIDA = Principal(PrincipalKind.USER, "frida", frozenset({"fraud"}))
FIN = Principal(PrincipalKind.USER, "fin", frozenset({"finance"}))
ADA = Principal(PrincipalKind.USER, "ada", frozenset({"administrators"}))
LOADER = Principal(PrincipalKind.SERVICE, "loader", frozenset({"pipelines"}))

WORLD = World({one.id: one for one in (SAM, FRIDA, FIN, ADA, LOADER)}, HOMES)
NOW = 1_790_000_000.0


def sources() -> dict[str, str]:
    """The sample directory's policies."""
    return {f"policies/{path.name}": path.read_text() for path in sorted((DATA / "policies").glob("*.cedar"))}


def load(text: str, declared: policy.Declared = DECLARED) -> policy.PolicySet:
    return policy.load({"test.cedar": text}, declared)


def faults(text: str, declared: policy.Declared = DECLARED) -> list[str]:
    """What `load` finds wrong, as it is printed."""
    try:
        load(text, declared)
    except policy.PolicyError as error:
        return [str(fault) for fault in error.faults]
    return []


def session(principal: Principal, connection: str = "shop", **client: object) -> Session:
    facts = {"address": "10.1.2.3", "is_tls": True, "application": "psql", **client}
    return Session(
        id="s1",
        principal=principal,
        connection=connection,
        database=HOMES[connection],
        protocol=Protocol.POSTGRES,
        client=Client(str(facts["address"]), bool(facts["is_tls"]), str(facts["application"])),
        started_at=NOW,
        method="token",
        token_id="t1",
        expires_at=NOW + 3600,
    )


def table(name: str, connection: str = "shop") -> Resource:
    return Resource(ResourceKind.TABLE, (connection, HOMES[connection], "public", name))


def column(of: str, name: str, connection: str = "shop") -> Resource:
    return Resource(ResourceKind.COLUMN, (*table(of, connection).path, name))


BOUNDED: Mapping[str, Fact] = {"is_bounded": True, "limit": 10, "is_unknown": False, "is_derived": False}


def statement(
    *operations: tuple[Action, Resource] | Operation,
    discloses: Mapping[Resource, set[str]] | None = None,
    facts: Mapping[str, Fact] = BOUNDED,
) -> Statement:
    return Statement(
        protocol=Protocol.POSTGRES,
        kind="select",
        text="SELECT 1",
        operations=tuple(one if isinstance(one, Operation) else Operation(*one) for one in operations),
        disclosures={column_: frozenset(labels) for column_, labels in (discloses or {}).items()},
        facts=facts,
    )


def query(principal: Principal, asked: Statement, connection: str = "shop", **client: object) -> policy.Query:
    return policy.Query(principal, session(principal, connection, **client), asked)
