"""A Query as the plain data that Cedar is asked with, which the journal keeps to ask again later.

Laws: this is the one place that builds the entity slice, and nothing is asked before `check_slice` has seen
every resource with all its ancestors in it: Cedar silently skips a `forbid` on a resource it does not know.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from narrows.model.action import Action
from narrows.model.label import ColumnKey, Labels
from narrows.model.principal import Principal
from narrows.model.resource import Resource, ResourceKind
from narrows.model.session import Session
from narrows.model.statement import Fact, Operation, Statement
from narrows.policy import schema
from narrows.policy.schema import FactRule, FactType

SHAPE = 1
"""Version of the request's form in the journal."""

Json = dict[str, Any]
_MAX_LONG = 2**63 - 1


class RequestError(Exception):
    """The facts do not fit the policy schema, so nothing can be asked; this is a fault of the gateway."""


@dataclass(frozen=True, slots=True)
class Query:
    """Who wants what, where; `labels` lets `resource.labels` hold what a table bears as a whole."""

    principal: Principal
    session: Session | None
    statement: Statement
    labels: Labels | None = None


def build(query: Query) -> Json:
    """The whole question as plain data; raises `RequestError` where the facts do not fit the schema."""
    statement = query.statement
    slice_ = _Slice(query)
    request = {
        "shape": SHAPE,
        "kind": statement.kind,
        "principal": _uid(query.principal.kind, query.principal.name),
        "context": {
            "client": _record(schema.CLIENT, _client_facts(query.session)),
            "session": _record(schema.SESSION, _session_facts(query.session)),
        },
        "operations": [
            {
                "action": str(operation.action),
                "resource": slice_.add(operation.resource),
                "context": _own(statement, operation),
            }
            for operation in statement.operations
        ],
        "disclosures": [
            {"resource": slice_.add(column), "context": _disclosed(statement, labels)}
            for column, labels in statement.disclosures.items()
        ],
        "entities": slice_.entities(),
    }
    check_slice(request, query.session.connection if query.session else None)
    return request


def check_slice(request: Json, connection: str | None) -> None:
    """Every principal and resource asked about is in the slice, up to one connection: the session's."""
    parents = {
        _key(entity["uid"]): [_key(parent) for parent in entity["parents"]] for entity in request["entities"]
    }
    asked = [part["resource"] for part in (*request["operations"], *request["disclosures"])]
    for uid in (request["principal"], *asked):
        if _key(uid) not in parents:
            raise RequestError(f"{uid['type']} {uid['id']!r} is not among the entities")
    for key, above in parents.items():
        missing = [parent for parent in above if parent not in parents]
        if missing:
            raise RequestError(f"{key} has a parent that is not among the entities: {missing[0]}")
    tops = {_top(_key(uid), parents) for uid in asked}
    homeless = [kind for kind, _ in tops if kind not in (ResourceKind.CONNECTION, ResourceKind.GATEWAY)]
    if homeless:
        raise RequestError(f"a {homeless[0]} belongs to no connection")
    found = {name for kind, name in tops if kind == ResourceKind.CONNECTION}
    expected = {Resource(ResourceKind.CONNECTION, (connection,)).id} if connection else found
    if len(found) > 1 or not found <= expected:
        raise RequestError(
            f"{', '.join(sorted(found))}: one statement concerns its session's connection only"
        )


def _top(key: tuple[str, str], parents: Mapping[tuple[str, str], list[tuple[str, str]]]) -> tuple[str, str]:
    while parents[key]:
        key = parents[key][0]
    return key


class _Slice:
    """Entities as they are met: a resource brings its ancestors, the principal its groups."""

    def __init__(self, query: Query) -> None:
        self._found: dict[tuple[str, str], Json] = {}
        self._labels = _labels_met(query)
        self._declared = query.labels
        groups = [_uid("Group", group) for group in sorted(query.principal.groups)]
        self._put(_uid(query.principal.kind, query.principal.name), {}, groups)
        for group in groups:
            self._put(group, {}, [])

    def add(self, resource: Resource) -> Json:
        uid = _uid(resource.kind, resource.id)
        if _key(uid) not in self._found:
            above = resource.parent
            labels = self._labels.get(resource, frozenset()) | borne(self._declared, resource)
            attributes: Json = {"labels": sorted(labels)}
            if resource.kind is not ResourceKind.GATEWAY:
                attributes["name"] = resource.path[-1]
            self._put(uid, attributes, [self.add(above)] if above else [])
        return uid

    def _put(self, uid: Json, attributes: Json, parents: list[Json]) -> None:
        self._found[_key(uid)] = {"uid": uid, "attrs": attributes, "parents": parents}

    def entities(self) -> list[Json]:
        return list(self._found.values())


def borne(labels: Labels | None, resource: Resource) -> frozenset[str]:
    """The labels that `labels.yaml` gives a table (all of its columns') or a column."""
    if labels is None or resource.kind not in (ResourceKind.TABLE, ResourceKind.COLUMN):
        return frozenset()
    connection, database, *path = resource.path
    columns = labels.of(connection, database).columns
    if resource.kind is ResourceKind.COLUMN:
        return columns.get((path[0], path[1], path[2]), frozenset())
    return _of_tables(columns).get((path[0], path[1]), frozenset())


_Tables = dict[tuple[str, str], frozenset[str]]
_TABLES: dict[int, tuple[Mapping[ColumnKey, frozenset[str]], _Tables]] = {}
_TABLES_LIMIT = 64


def _of_tables(columns: Mapping[ColumnKey, frozenset[str]]) -> _Tables:
    """(schema, table) -> the labels of its columns, made once for each mapping (it is kept, so its id stays its)."""
    known = _TABLES.get(id(columns))
    if known is not None:
        return known[1]
    tables: _Tables = {}
    for (schema_, table, _), labels in columns.items():
        tables[schema_, table] = tables.get((schema_, table), frozenset()) | labels
    while len(_TABLES) >= _TABLES_LIMIT:
        _TABLES.pop(next(iter(_TABLES)))
    _TABLES[id(columns)] = (columns, tables)
    return tables


def _labels_met(query: Query) -> dict[Resource, frozenset[str]]:
    """What the statement itself says each resource bears; a column's labels count for its table."""
    met: dict[Resource, frozenset[str]] = {}
    pairs = [(operation.resource, operation.labels) for operation in query.statement.operations]
    for resource, labels in (*pairs, *query.statement.disclosures.items()):
        met[resource] = met.get(resource, frozenset()) | labels
        table = resource.parent if resource.kind is ResourceKind.COLUMN else None
        if table is not None:
            met[table] = met.get(table, frozenset()) | labels
    return met


def _own(statement: Statement, operation: Operation) -> Json:
    """What stands at the top of one operation's context; its own facts go before the statement's."""
    facts = {**statement.facts, **operation.facts, "statement": statement.kind, "labels": operation.labels}
    return _record(schema.facts_of(operation.action), facts)


def _disclosed(statement: Statement, labels: frozenset[str]) -> Json:
    """The context of the ladder's questions about one column."""
    return _record(
        schema.facts_of(Action.REVEAL), {**statement.facts, "statement": statement.kind, "labels": labels}
    )


def _client_facts(session: Session | None) -> dict[str, Fact]:
    if session is None:
        return {}
    facts: dict[str, Fact] = {"tls": session.client.is_tls, "application": _plain(session.client.application)}
    address = _address(session.client.address)
    return facts | ({"address": address} if address else {})


def _session_facts(session: Session | None) -> dict[str, Fact]:
    if session is None:
        return {}
    return {
        "connection": session.connection,
        "database": session.database,
        "protocol": str(session.protocol),
        "mode": str(session.mode),
        "method": session.method,
        "has_task": bool(session.task),
    }


def _address(text: str) -> str | None:
    """An IP address as policy compares it: an IPv4 address mapped into IPv6 is the IPv4 address."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _plain(text: str) -> str:
    """The caller's own words, with what is not Unicode replaced: they must not make every question fail."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _record(rules: Iterable[FactRule], facts: Mapping[str, Fact]) -> Json:
    """The facts that the schema knows; a missing one has its default or is left out."""
    found = {}
    for rule in rules:
        value = facts.get(rule.name, rule.default)
        if value is not None:
            found[rule.name] = _value(rule, value)
    return found


def _value(rule: FactRule, value: Fact) -> Any:
    accepts, convert = _TYPES[rule.type]
    if not accepts(value):
        raise RequestError(f"the fact {rule.name!r} should be {rule.type}, not {type(value).__name__}")
    return convert(value)


_TYPES: Mapping[FactType, tuple[Any, Any]] = {
    FactType.BOOL: (lambda value: isinstance(value, bool), bool),
    FactType.COUNT: (
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        lambda value: _MAX_LONG if value < 0 else min(_MAX_LONG, value),
    ),
    FactType.STRING: (lambda value: isinstance(value, str), str),
    FactType.WORDS: (lambda value: isinstance(value, frozenset), sorted),
    FactType.ADDRESS: (
        lambda value: isinstance(value, str),
        lambda value: {"__extn": {"fn": "ip", "arg": value}},
    ),
}


def _uid(kind: str, name: str) -> Json:
    return {"type": str(kind), "id": name}


def _key(uid: Json) -> tuple[str, str]:
    return uid["type"], uid["id"]
