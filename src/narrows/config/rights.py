"""What a principal may do, found by asking policy: about a whole connection, and about what is known in it.

Laws: nothing is read out of policy texts; every answer is a verdict on a made-up statement. Known are the
connection, its databases, and the schemas, tables and columns that labels.yaml names, up to a limit; so the
answer is a guide for people, and only the gate's own verdict counts. Asking takes hundreds of questions of about
a millisecond each, so the functions are generators: a caller on the event loop lets it turn between two of them.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from narrows.config.loaded import Config
from narrows.model.action import GROUPS, Action
from narrows.model.label import Rung
from narrows.model.principal import Principal
from narrows.model.resource import GATEWAY, Resource, ResourceKind
from narrows.model.session import Client, Mode, Session
from narrows.model.statement import Operation, Protocol, Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict
from narrows.policy import engine
from narrows.policy.request import Query

COLUMNS_LIMIT = 200
TABLES_LIMIT = 50

_OPERATE = GROUPS["operate"]
_ON_DATA = tuple(
    action for group, members in GROUPS.items() if group not in ("operate", "disclose") for action in members
)
_WHOLE = frozenset(GROUPS["session"])
"""What concerns a session and not a table."""
_WHOLE_KINDS = (ResourceKind.CONNECTION, ResourceKind.DATABASE)


T = TypeVar("T")
Steps = Generator[None, None, T]
"""An answer that takes many questions; it yields between them."""


@dataclass(frozen=True, slots=True)
class ConnectionRights:
    """What one principal may do on one connection."""

    connection: str
    allowed: tuple[Action, ...]
    """Permitted on the connection as a whole and on everything known in it."""
    partly: tuple[Action, ...]
    """Permitted on some of it."""
    rungs: Mapping[str, Rung]
    """Label -> the lowest rung among the readable columns that bear it; NONE where none is readable."""


def finish(steps: Steps[T]) -> T:
    """The answer, without letting anything else run in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: T = end.value
            return answer


def operate_rights(config: Config, principal: Principal, now: float) -> Steps[tuple[Action, ...]]:
    """What the principal may do with the gateway itself."""
    session = hypothetical_session(config, principal, "", "", now)
    found = []
    for action in _OPERATE:
        if _is_allowed(config, session, action, GATEWAY, now):
            found.append(action)
        yield
    return tuple(found)


def connection_rights(config: Config, principal: Principal, name: str, now: float) -> Steps[ConnectionRights]:
    """What the principal may do on one connection; KeyError where there is none of that name."""
    session = hypothetical_session(config, principal, name, config.connections[name].database, now)
    places = list(_places(config, name))
    found: dict[Action, list[bool]] = {action: [] for action in _ON_DATA}
    for action, answers in found.items():
        for place in places:
            if action not in _WHOLE or place.kind in _WHOLE_KINDS:
                answers.append(_is_allowed(config, session, action, place, now))
                yield
    return ConnectionRights(
        connection=name,
        allowed=tuple(action for action, answers in found.items() if all(answers)),
        partly=tuple(action for action, answers in found.items() if any(answers) and not all(answers)),
        rungs=(yield from _rungs(config, session, now)),
    )


def is_reachable(config: Config, principal: Principal, name: str, now: float) -> Steps[bool]:
    """Whether the principal may open the connection at one database at least."""
    known = config.connections[name]
    for database in known.all_databases:
        session = hypothetical_session(config, principal, name, database, now)
        resource = Resource(ResourceKind.DATABASE, (name, database), database == known.database)
        if _is_allowed(config, session, Action.CONNECT, resource, now):
            return True
        yield
    return False


def hypothetical_session(
    config: Config, principal: Principal, connection: str, database: str, now: float
) -> Session:
    """The session that a question is asked in: by this principal, over TLS, as of now."""
    day = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    return Session(
        id="question",
        principal=principal,
        connection=connection,
        database=database,
        protocol=Protocol.POSTGRES if connection else Protocol.CONTROL,
        client=Client(address="", is_tls=True),
        started_at=now,
        method="token",
        token_id="",
        expires_at=math.inf,
        mode=config.mode(connection, day) if connection else Mode.ENFORCE,
    )


def ask(config: Config, session: Session, statement: Statement, now: float) -> Verdict:
    """The verdict on a made-up statement; a disabled principal is not looked at here."""
    return engine.evaluate(config.policies, Query(session.principal, session, statement, config.labels), now)


def rungs_of(verdict: Verdict) -> Mapping[Resource, Rung]:
    """Labelled column -> rung, as far as the verdict says."""
    return {
        column: rung
        for obligation in verdict.obligations
        if isinstance(obligation, MaskObligation)
        for column, rung in obligation.rungs.items()
    }


def _is_allowed(config: Config, session: Session, action: Action, resource: Resource, now: float) -> bool:
    statement = Statement(session.protocol, "question", "", (Operation(action, resource),))
    return ask(config, session, statement, now).effect is Effect.ALLOW


def _places(config: Config, name: str) -> Iterator[Resource]:
    known = config.connections[name]
    yield Resource(ResourceKind.CONNECTION, (name,))
    for database in known.all_databases:
        is_home = database == known.database
        yield Resource(ResourceKind.DATABASE, (name, database), is_home)
        tables = _tables(config, name, database)
        for schema in dict.fromkeys(schema for schema, _ in tables):
            yield Resource(ResourceKind.SCHEMA, (name, database, schema), is_home)
        for schema, table in tables[:TABLES_LIMIT]:
            yield Resource(ResourceKind.TABLE, (name, database, schema, table), is_home)


def _tables(config: Config, name: str, database: str) -> list[tuple[str, str]]:
    columns = config.labels.of(name, database).columns
    return sorted({(schema, table) for schema, table, _ in columns})


def _rungs(config: Config, session: Session, now: float) -> Steps[dict[str, Rung]]:
    """The ladder, asked as a SELECT of each labelled table would."""
    lowest: dict[str, Rung] = {}
    readable: dict[str, Rung] = {}
    for table, columns in _labelled(config, session.connection):
        statement = Statement(
            session.protocol,
            "select",
            "",
            (Operation(Action.SELECT, table, frozenset().union(*columns.values())),),
            disclosures=columns,
        )
        verdict = ask(config, session, statement, now)
        rungs = rungs_of(verdict) if verdict.effect is Effect.ALLOW else {}
        for column, labels in columns.items():
            for label in labels:
                lowest.setdefault(label, Rung.NONE)
                if column in rungs:
                    readable[label] = min(readable.get(label, Rung.RAW), rungs[column])
        yield
    return dict(sorted({**lowest, **readable}.items()))


def _labelled(config: Config, name: str) -> Iterable[tuple[Resource, dict[Resource, frozenset[str]]]]:
    known = config.connections[name]
    found: dict[Resource, dict[Resource, frozenset[str]]] = {}
    for database in known.all_databases:
        is_home = database == known.database
        items = sorted(config.labels.of(name, database).columns.items())[:COLUMNS_LIMIT]
        for (schema, table, column), labels in items:
            of = Resource(ResourceKind.TABLE, (name, database, schema, table), is_home)
            found.setdefault(of, {})[Resource(ResourceKind.COLUMN, (*of.path, column), is_home)] = labels
    return found.items()
