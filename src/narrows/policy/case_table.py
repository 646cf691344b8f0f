"""A table of cases read from plain values, every fault with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.reason import Reason
from narrows.model.resource import Resource
from narrows.model.session import Client
from narrows.model.statement import Fact, Operation, Protocol, Statement
from narrows.policy import ids, schema
from narrows.policy.case import Case, World
from narrows.policy.errors import Fault, suggestion

Path = tuple[str | int, ...]
LineOf = Callable[[Path], int | None]
EXPECTATIONS = ("allow", "deny", "review")
_RUNGS = {rung.name.lower(): rung for rung in Rung}
_KEYS = (
    "name as groups connection sql operations discloses facts from at expect rule reason shows".split()  # noqa: SIM905
)
_NEEDED = ("name", "as", "connection", "expect")


class CaseError(Exception):
    """The table of cases cannot be read; mend every fault listed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def parse(file: str, value: Any, world: World, line_of: LineOf = lambda _path: None) -> tuple[Case, ...]:
    """The cases of one file, from its value as YAML gives it; raises `CaseError` with all faults."""
    reading = _Reading(file, world, line_of)
    rows = value.get("cases") if isinstance(value, dict) and set(value) == {"cases"} else None
    if not isinstance(rows, list):
        reading.fault((), "should be one list called `cases`", "begin the file with `cases:`")
        rows = []
    cases = [reading.case(("cases", place), row) for place, row in enumerate(rows)]
    if reading.faults:
        raise CaseError(reading.faults)
    return tuple(case for case in cases if case is not None)


class _Reading:
    """One file being read: what its cases may name, and the faults so far."""

    def __init__(self, file: str, world: World, line_of: LineOf) -> None:
        self.file, self.world, self.line_of = file, world, line_of
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str, remedy: str = "") -> None:
        self.faults.append(Fault(self.file, self.line_of(path) or 1, message, remedy))

    def case(self, path: Path, row: Any) -> Case | None:
        if not isinstance(row, dict):
            self.fault(path, "a case is a mapping", "write `- name: ...`")
            return None
        before = len(self.faults)
        for key in row:
            if key not in _KEYS:
                self.fault((*path, key), f'a case has no "{key}"', suggestion(str(key), _KEYS))
        for key in _NEEDED:
            if not isinstance(row.get(key), str):
                self.fault(path, f"the case needs `{key}`, as text")
        if len(self.faults) > before:
            return None
        found = self._case(path, row)
        return found if len(self.faults) == before else None

    def _case(self, path: Path, row: Mapping[str, Any]) -> Case:
        connection, database = self._database((*path, "connection"), row["connection"])
        return Case(
            name=row["name"],
            file=self.file,
            line=self.line_of(path) or 1,
            principal=self._principal(path, row),
            connection=connection,
            database=database,
            statement=self._statement(path, row, connection, database),
            client=self._client((*path, "from"), row.get("from", {})),
            at=self._at((*path, "at"), row.get("at")),
            expect=self._one_of((*path, "expect"), row["expect"], EXPECTATIONS),
            rule=row.get("rule"),
            reason=self._reason((*path, "reason"), row.get("reason")),
            labels=self.world.labels,
            shows=dict(self._shows((*path, "shows"), row.get("shows", {}))),
        )

    def _database(self, path: Path, name: str) -> tuple[str, str]:
        connection, _, database = name.partition("/")
        if connection not in self.world.homes:
            self.fault(
                path, f'no connection is called "{connection}"', suggestion(connection, self.world.homes)
            )
        return connection, database or self.world.homes.get(connection, "")

    def _principal(self, path: Path, row: Mapping[str, Any]) -> Principal:
        kind, _, name = row["as"].partition("/")
        known = self.world.principals.get(row["as"])
        groups = row.get("groups")
        if known is None and (groups is None or kind not in set(PrincipalKind) or not name):
            remedy = suggestion(row["as"], self.world.principals) or "write User/name or Service/name"
            self.fault((*path, "as"), f'no principal is called "{row["as"]}"', remedy)
            return Principal(PrincipalKind.USER, name)
        if groups is not None:
            return Principal(PrincipalKind(kind), name, frozenset(self._words((*path, "groups"), groups)))
        assert known is not None
        return known

    def _statement(self, path: Path, row: Mapping[str, Any], connection: str, database: str) -> Statement:
        if ("sql" in row) == ("operations" in row):
            self.fault(path, "a case has either `sql` or `operations`")
        elif "sql" in row:
            return self._from_sql((*path, "sql"), row["sql"], connection, database)
        operations = row.get("operations", [])
        if not isinstance(operations, list):
            self.fault((*path, "operations"), "should be a list")
            operations = []
        each = (self._operation((*path, "operations", place), one) for place, one in enumerate(operations))
        facts = self._facts((*path, "facts"), row.get("facts", {}))
        return Statement(
            protocol=Protocol.POSTGRES,
            kind=str(facts.pop("statement", "")),
            text="",
            operations=tuple(operation for operation in each if operation is not None),
            disclosures=dict(self._disclosures((*path, "discloses"), row.get("discloses", {}))),
            facts=facts,
        )

    def _from_sql(self, path: Path, sql: Any, connection: str, database: str) -> Statement:
        if self.world.analyse is None or not isinstance(sql, str):
            self.fault(
                path, "SQL cannot be analysed here", "write `operations`, or test against a schema snapshot"
            )
            return Statement(Protocol.POSTGRES, "", "", ())
        return self.world.analyse(sql, connection, database)

    def _operation(self, path: Path, given: Any) -> Operation | None:
        if isinstance(given, str):
            word, _, target = given.partition(" ")
            given = {"action": word, "resource": target}
        keys = set(given) if isinstance(given, dict) else set()
        if not {"action", "resource"} <= keys <= {"action", "resource", "labels", "facts"}:
            self.fault(path, "is not an operation", 'write select Table::"shop/public.orders"')
            return None
        action = self._one_of(path, given["action"], tuple(Action))
        resource = self._resource(path, given["resource"])
        labels = frozenset(self._words(path, given.get("labels", [])))
        if action not in set(Action) or resource is None:
            return None
        return Operation(Action(action), resource, labels, self._facts(path, given.get("facts", {})))

    def _resource(self, path: Path, text: Any) -> Resource | None:
        found = ids.parse_reference(text.strip(), self.world.homes) if isinstance(text, str) else None
        if found is None:
            self.fault(
                path, f"{text!r} is not a resource", 'write it as in a policy: Table::"shop/public.orders"'
            )
        return found

    def _disclosures(self, path: Path, given: Any) -> Iterator[tuple[Resource, frozenset[str]]]:
        for name, labels in self._items(path, given):
            column = self._resource((*path, name), name)
            words = self._words((*path, name), [labels] if isinstance(labels, str) else labels)
            if column is not None:
                yield column, frozenset(words)

    def _shows(self, path: Path, given: Any) -> Iterator[tuple[Resource, Rung]]:
        for name, word in self._items(path, given):
            column = self._resource((*path, name), name)
            rung = self._one_of((*path, name), "none" if word is None else word, tuple(_RUNGS))
            if column is not None and rung in _RUNGS:
                yield column, _RUNGS[rung]

    def _facts(self, path: Path, given: Any) -> dict[str, Fact]:
        for name, _ in self._items(path, given):
            if name not in schema.FACTS:
                self.fault((*path, name), f'no fact is called "{name}"', suggestion(name, schema.FACTS))
        return {
            name: frozenset(self._words((*path, name), value)) if isinstance(value, list) else value
            for name, value in self._items(path, given)
        }

    def _client(self, path: Path, given: Any) -> Client:
        facts = dict(self._items(path, given))
        for name in sorted(set(facts) - {"address", "tls", "application"}):
            self.fault((*path, name), f'a client has no "{name}"', "it has address, tls and application")
        return Client(
            str(facts.get("address", "127.0.0.1")),
            bool(facts.get("tls", True)),
            str(facts.get("application", "")),
        )

    def _at(self, path: Path, given: Any) -> float:
        if given is None:
            return 0.0
        try:
            moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        except (TypeError, ValueError):
            self.fault(path, f"{given!r} is not a time", 'write "2026-03-01T22:00:00Z"')
            return 0.0
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _reason(self, path: Path, given: Any) -> Reason | None:
        if given is None:
            return None
        names = tuple(reason.name for reason in Reason)
        return Reason[given] if self._one_of(path, given, names) in names else None

    def _one_of(self, path: Path, given: Any, known: Sequence[str]) -> str:
        if given not in known:
            self.fault(path, f'"{given}" is not known here', suggestion(str(given), known))
        return str(given)

    def _words(self, path: Path, given: Any) -> list[str]:
        if isinstance(given, list) and all(isinstance(word, str) for word in given):
            return given
        self.fault(path, "should be a list of words")
        return []

    def _items(self, path: Path, given: Any) -> list[tuple[str, Any]]:
        if isinstance(given, dict):
            return [(str(name), value) for name, value in given.items()]
        self.fault(path, "should be a mapping")
        return []
