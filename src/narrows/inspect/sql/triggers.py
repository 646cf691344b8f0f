"""What triggers and rules write elsewhere, or into other columns of their row: those columns bear labels, too.

Laws: a trigger function in PL/pgSQL is read statement by statement; of one that builds its statements as it runs, or
is written in another language, every relation that its text names may hold all that the row does; what a function
writes that a trigger calls is not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast.parser import ParseError, parse_plpgsql_json

from narrows.inspect.sql import dml, expression, labelled, relations, tree
from narrows.inspect.sql.analysis import SessionState, View
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, LabelIndex, Taint
from narrows.inspect.sql.limits import LIMITS
from narrows.inspect.sql.names import VIEWS, Found, Nature
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.scope import Cell, Scope, Shape, make_source
from narrows.inspect.sql.tree import Node
from narrows.model.label import ColumnKey
from narrows.model.snapshot import Function, Relation

ROUNDS = 4
"""A trigger may write where another trigger stands: so often the closure is taken."""
_WORD = re.compile(r'"(?:[^"]|"")+"|[^\W\d]\w*')
_ASSIGN = re.compile(r"\\s*:?=\\s*")
_OWN = frozenset(
    [
        "tg_name",
        "tg_when",
        "tg_level",
        "tg_op",
        "tg_relid",
        "tg_relname",
        "tg_table_name",
        "tg_table_schema",
        "tg_nargs",
        "tg_argv",
        "tg_event",
        "tg_tag",
        "found",
    ]
)
Marks = dict[ColumnKey, frozenset[str]]


def index(view: View) -> LabelIndex:
    """The labelled columns of a view with what triggers write."""
    found = labelled.build_index(view.snapshot, view.labels)
    firing = [each for each in view.snapshot.relations.values() if each.triggers or each.rules]
    functions = {
        each.oid: each for overloads in view.snapshot.functions.values() for each in overloads if each.body
    }
    written: Marks = {}
    for _ in range(ROUNDS if firing and found.labels else 0):
        before = dict(written)
        for relation in firing:
            _add(written, _writes(view, found, relation, functions))
        if written == before:
            break
        found = labelled.build_index(view.snapshot, view.labels, written)
    return found


def _add(marks: Marks, more: Mapping[ColumnKey, frozenset[str]]) -> None:
    for key, names in more.items():
        marks[key] = marks.get(key, frozenset()) | names


def _writes(view: View, known: LabelIndex, relation: Relation, functions: Mapping[int, Function]) -> Marks:
    marks: Marks = {}
    for text in relation.rules:
        watching = _Watching(View(view.snapshot, view.labels), known, relation)
        watching.rule(text)
        _add(marks, watching.marks)
    for oid in relation.triggers:
        watching = _Watching(View(view.snapshot, view.labels), known, relation)
        if not watching.row.taint:
            continue
        function = functions.get(oid)
        if function is None:
            watching.vectors()
        elif function.language == "plpgsql":
            watching.read(function.body or "")
        else:
            watching.all_named(function.body or "")
        _add(marks, watching.marks)
    return marks


@dataclass
class _Watching:
    """One trigger function, fired by one relation."""

    view: View
    known: LabelIndex
    relation: Relation
    marks: Marks = field(default_factory=dict)
    gather: Gather = field(init=False)
    row: Shape = field(init=False)

    def __post_init__(self) -> None:
        self.view.__dict__["labelled"] = self.known
        self.gather = _Gather(self.view, self)
        nature = Nature.VIEW if self.relation.kind in VIEWS else Nature.PLAIN
        found = Found(self.relation.schema, self.relation.name, nature, self.relation)
        self.row = relations.shape(self.gather, found)

    def mark(self, schema: str, name: str, column: str, taint: Taint) -> None:
        key = (schema, name, column)
        bears = self.known.of(schema, name).get(column)
        labels = frozenset[str]().union(*(self.gather.labels_of(each) for each in taint))
        lost = labels - (self.known.labels[bears] if bears else frozenset())
        if lost:
            self.marks[key] = self.marks.get(key, frozenset()) | lost

    def read(self, body: str) -> None:
        quoted = body.replace("$narrows$", "")
        try:
            text = f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $narrows${quoted}$narrows$"
            (function,) = json.loads(parse_plpgsql_json(text))
        except (ParseError, ValueError, RecursionError):
            self.all_named(body)
            return
        datums = function["PLpgSQL_function"]["datums"]
        for type_, fields in _nodes(function["PLpgSQL_function"]["action"]):
            if type_ == "PLpgSQL_stmt_dynexecute":
                self.all_named(body)
            elif type_ == "PLpgSQL_stmt_execsql":
                self._statement(fields["sqlstmt"]["PLpgSQL_expr"]["query"], datums)
            elif type_ == "PLpgSQL_stmt_assign":
                self._assign(fields, datums)

    def rule(self, text: str) -> None:
        """CREATE RULE as the target prints it."""
        try:
            (parsed,) = tree.parse(text, LIMITS)
            for action in parsed.fields.get("actions", ()):
                type_, fields = tree.unwrap(action)
                if type_ in dml.VISITORS:
                    dml.VISITORS[type_](self.gather, fields, self._scope([]))
        except (Refused, RecursionError, KeyError, ValueError):
            self.all_named(text)

    def _scope(self, datums: list[dict[str, Any]]) -> Scope:
        """NEW and OLD are rows of the relation; a variable may hold whatever such a row does."""
        scope = Scope()
        scope.hidden += [make_source("new", self.row), make_source("old", self.row)]
        names = [next(iter(each.values())).get("refname", "") for each in datums]
        mine = [name for name in names if name and name not in _OWN and name not in ("new", "old")]
        everything = self.row.taint
        scope.hidden += [make_source(name, Shape(rest=everything)) for name in mine]
        own = [name for name in names if name in _OWN]
        cells = tuple((name, Cell(everything if name in mine else CLEAN)) for name in mine + own)
        scope.sources.append(make_source("", Shape(cells)))
        return scope

    def _statement(self, text: str, datums: list[dict[str, Any]]) -> None:
        try:
            for parsed in tree.parse(text, LIMITS):
                if parsed.type in dml.VISITORS:
                    dml.VISITORS[parsed.type](self.gather, parsed.fields, self._scope(datums))
                elif parsed.type == "SelectStmt" and "withClause" in parsed.fields:
                    self.all_named(text)
        except (Refused, RecursionError, KeyError):
            self.all_named(text)

    def _assign(self, fields: Node, datums: list[dict[str, Any]]) -> None:
        """`NEW.column := expression`."""
        target = datums[fields.get("varno", 0)].get("PLpgSQL_recfield")
        if target is None or target.get("recparentno", 0) != 0:
            return
        *_, value = _ASSIGN.split(fields["expr"]["PLpgSQL_expr"]["query"], maxsplit=1)
        try:
            (parsed,) = tree.parse(f"SELECT {value}", LIMITS)
            node = parsed.fields["targetList"][0]["ResTarget"]["val"]
            taint = expression.evaluate(self.gather, node, self._scope(datums))
        except (Refused, RecursionError, KeyError, ValueError):
            taint = self.row.taint
        self.mark(self.relation.schema, self.relation.name, target["fieldname"], taint)

    def all_named(self, text: str) -> None:
        """Every relation that a text names may be written with anything of the row."""
        words = {word.strip('"').replace('""', '"') for word in _WORD.findall(text)}
        words |= {word.lower() for word in words}
        for each in self.view.snapshot.relations.values():
            if each.name in words and each.oid != self.relation.oid and each.schema != "pg_catalog":
                for column in each.columns:
                    self.mark(each.schema, each.name, column.name, self.row.taint)

    def vectors(self) -> None:
        """PostgreSQL's own triggers make text search vectors of a row."""
        for column in self.relation.columns:
            if column.type_name.endswith("tsvector"):
                self.mark(self.relation.schema, self.relation.name, column.name, self.row.taint)


class _Gather(Gather):
    """A collector that notes what is stored where, instead of refusing it."""

    def __init__(self, view: View, watching: _Watching) -> None:
        super().__init__(view, SessionState(), LIMITS)
        self._watching = watching

    def write(self, target: Found | None, column: str, taint: Taint) -> None:
        if target is None or not taint:
            return
        columns = [column]
        if column == "?" and target.relation is not None:
            columns = [each.name for each in target.relation.columns]
        for name in columns:
            self._watching.mark(target.schema, target.name, name, taint)


def _nodes(node: Any) -> Iterator[tuple[str, Node]]:
    """Every node below, with its type."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, list):
            stack += each
        elif isinstance(each, dict):
            for type_, fields in each.items():
                if isinstance(fields, dict) and type_.startswith("PLpgSQL_"):
                    yield type_, fields
                stack.append(fields)
