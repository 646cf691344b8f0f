"""A small model of how PostgreSQL 15 replies and what it commits, for the statements that the properties use.

It is given whole frontend messages and answers with backend messages. Known texts: `select N`, `select 1/0`,
`insert into notes values (N, 'x')` with or without ` returning body` (with ` returning id` its Parse fails, for lack
of the column), `begin`, `commit`, `rollback`; anything else is a syntax error, except that what holds `refuse_me` fails
with NW002 at Bind or Query when the model stands for what a client should see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from narrows.wire.postgres import backend, frontend
from tests.relay.talk import BOUND, CLOSED, PARSED, complete, error, fields, row

_INSERT = re.compile(r"insert into notes values \((\d+), 'x'\)( returning body)?$")
_SELECT = re.compile(r"select (\d+)$")


class Failed(Exception):
    """A statement fails with this SQLSTATE."""


@dataclass
class Model:
    """One session at the target."""

    committed: list[int] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    _pending: list[int] = field(default_factory=list)
    _in_block: bool = False
    _is_aborted: bool = False
    _is_skipping: bool = False
    _statements: dict[str, str] = field(default_factory=dict)
    _portal: str | None = None

    @property
    def status(self) -> str:
        return "E" if self._is_aborted else "T" if self._in_block else "I"

    def say(self, message: frontend.FrontendMessage) -> list[backend.BackendMessage]:
        if isinstance(message, frontend.Sync):
            self._is_skipping = False
            return self._ready()
        if self._is_skipping:
            return []
        if isinstance(message, frontend.Query):
            return self._query(message.text)
        try:
            return self._extended(message)
        except Failed as failed:
            self._fail()
            self._is_skipping = True
            return [error(str(failed))]

    def _query(self, text: str) -> list[backend.BackendMessage]:
        self._statements.pop("", None)
        self._portal = None
        try:
            self._parse(text)
            if "refuse_me" in text:
                raise Failed("NW002")
            said = [*self._described(text), *self._run(text)]
        except Failed as failed:
            self._fail()
            said = [error(str(failed))]
        return [*said, *self._ready()]

    def _extended(self, message: frontend.FrontendMessage) -> list[backend.BackendMessage]:
        match message:
            case frontend.Parse(name, text, _):
                if name and name in self._statements:
                    raise Failed("42P05")
                self._parse(text)
                self._statements[name] = text
                return [PARSED]
            case frontend.Bind(_, name):
                statement = self._statements.get(name)
                if statement is None:
                    raise Failed("26000")
                if "refuse_me" in statement:
                    raise Failed("NW002")
                self._portal = statement
                return [BOUND]
            case frontend.Describe("S", name):
                text = self._statements[name]
                return [backend.ParameterDescription(()), *(self._described(text) or [backend.NoData()])]
            case frontend.Describe():
                return self._described(self._portal or "") or [backend.NoData()]
            case frontend.Close("S", name):
                self._statements.pop(name, None)
                return [CLOSED]
            case frontend.Execute():
                if self._portal is None:
                    raise Failed("34000")
                return self._run(self._portal)
            case _:
                return []

    def _parse(self, text: str) -> None:
        if text in ("begin", "commit", "rollback"):
            if self._is_aborted and text == "begin":
                raise Failed("25P02")
        elif "refuse_me" in text:
            if self._is_aborted and self._in_extended(text):
                raise Failed("25P02")
        elif text.endswith("returning id"):
            raise Failed("25P02" if self._is_aborted else "42703")
        elif not (_INSERT.match(text) or _SELECT.match(text) or text == "select 1/0"):
            raise Failed("42601")
        elif self._is_aborted:
            raise Failed("25P02")

    def _in_extended(self, text: str) -> bool:
        """A refused Parse is forwarded, so an aborted block is told first; a refused Query is not."""
        return text.startswith("select 'refuse_me extended")

    def _described(self, text: str) -> list[backend.BackendMessage]:
        has_rows = _SELECT.match(text) or text == "select 1/0" or text.endswith("returning body")
        return [fields("column")] if has_rows else []

    def _run(self, text: str) -> list[backend.BackendMessage]:
        self.executed.append(text)
        if text == "begin":
            self._in_block = True
            return [complete("BEGIN")]
        if text in ("commit", "rollback"):
            return [complete(self._end(text))]
        if text == "select 1/0":
            raise Failed("22012")
        if found := _INSERT.match(text):
            self._pending.append(int(found[1]))
            returned = [row(b"x")] if found[2] else []
            return [*returned, complete("INSERT 0 1")]
        found = _SELECT.match(text)
        assert found is not None
        return [row(found[1].encode()), complete("SELECT 1")]

    def _end(self, text: str) -> str:
        keeps = text == "commit" and not self._is_aborted
        if keeps:
            self.committed += self._pending
        self._pending.clear()
        self._in_block = self._is_aborted = False
        self._portal = None
        return "COMMIT" if keeps else "ROLLBACK"

    def _fail(self) -> None:
        if self._in_block:
            self._is_aborted = True
        else:
            self._pending.clear()
        self._portal = None

    def _ready(self) -> list[backend.BackendMessage]:
        if not self._in_block:
            self.committed += self._pending
            self._pending.clear()
            self._portal = None
        return [backend.ReadyForQuery(self.status)]
