"""Random scripts: what a session sends over one schema, in every way the protocol has.

Laws: whatever writes stands between BEGIN and ROLLBACK, so that the twins stay as they were; a turn is what is sent
before the client waits, so no turn depends on what came back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.leaks.client import encode
from tests.noninterference.edges import OPEN, Edge
from tests.noninterference.queries import Queries, query
from tests.noninterference.schema import Schema, literal
from tests.noninterference.scope import Col, Parameters, Query, Scope, Source, Taste, World
from tests.noninterference.writing import Writing


@dataclass(frozen=True, slots=True)
class Turn:
    """Bytes to send, to be answered up to one ReadyForQuery."""

    data: bytes
    shown: str
    is_counted: bool = True
    """It asks for something; not so for what surrounds a statement."""


@dataclass(frozen=True, slots=True)
class Script:
    schema: Schema
    turns: tuple[Turn, ...]

    def __str__(self) -> str:
        return "\n".join(turn.shown for turn in self.turns)


def script(schema: Schema, random: Random, version: int, statements: int) -> Script:
    """At most so many statements over the schema."""
    making = _Making(schema, random, version)
    for _ in range(random.randint(1, statements)):
        making.add()
    return Script(schema, tuple(making.turns))


def plain(text: str, *, is_counted: bool = True) -> Turn:
    return Turn(encode({"query": text}), f"Q: {text}", is_counted)


def messages(shown: str, *steps: dict[str, Any]) -> Turn:
    """A pipeline that ends in a Sync."""
    return Turn(b"".join(encode(step) for step in (*steps, {"sync": 1})), shown)


class _Making:
    """One script while it is made."""

    def __init__(self, schema: Schema, random: Random, version: int) -> None:
        self.schema, self.random = schema, random
        self.turns = [plain(f"set search_path = {schema.name}, public", is_counted=False)]
        self.world = World(schema.name, schema.sources, version)

    def one_in(self, number: int) -> bool:
        return self.random.randrange(number) == number - 1

    def add(self) -> None:
        self.random.choice(_WAYS)(self)

    def taste(self, *, takes_parameters: bool = False) -> Taste:
        return Taste(is_wild=self.one_in(7), takes_parameters=takes_parameters)

    def query(self) -> Query:
        return query(self.world, self.random, self.taste())

    def asked(self) -> tuple[str, Parameters]:
        parameters = Parameters()
        return query(self.world, self.random, self.taste(takes_parameters=True), parameters).text, parameters

    # -- reading

    def simple(self) -> None:
        self.turns.append(plain(self.query().text))

    def several(self) -> None:
        """A multi-statement text."""
        self.turns.append(plain("; ".join(self.query().text for _ in range(2))))

    def extended(self) -> None:
        text, parameters = self.asked()
        self.turns.append(self.run(text, parameters))

    def run(self, text: str, parameters: Parameters) -> Turn:
        """By unnamed statement and portal, in one format for all or one for each."""
        formats = self.random.choice(([], [0], [1], [1]))
        steps: list[dict[str, Any]] = [
            {"parse": ["", text, []]},
            {"bind": ["", "", parameters.values, formats]},
            {"describe": ["P", ""]},
            {"execute": ["", 0]},
        ]
        if self.one_in(4):
            del steps[2]
        return messages(f"extended {formats} {parameters.values}: {text}", *steps)

    def named(self) -> None:
        """A named statement, its portal fetched in pieces."""
        text, parameters = self.asked()
        formats = [self.random.randint(0, 1)]
        self.turns.append(
            messages(
                f"named {formats} {parameters.values}: {text}",
                {"parse": ["s1", text, []]},
                {"describe": ["S", "s1"]},
                {"bind": ["p1", "s1", parameters.values, formats]},
                {"execute": ["p1", 2]},
                {"execute": ["p1", 0]},
                {"close": ["S", "s1"]},
            )
        )

    def pipelined(self) -> None:
        """Two statements before one Sync."""
        steps: list[dict[str, Any]] = []
        shown = []
        for _ in range(2):
            text, parameters = self.asked()
            steps += [
                {"parse": ["", text, []]},
                {"bind": ["", "", parameters.values, [0]]},
                {"describe": ["P", ""]},
                {"execute": ["", 0]},
            ]
            shown.append(f"{text} {parameters.values}")
        self.turns.append(messages("pipeline: " + " | ".join(shown), *steps))

    def prepared(self) -> None:
        text, parameters = self.asked()
        types = f" ({', '.join(parameters.casts)})" if parameters.casts else ""
        self.turns.append(plain(f"prepare q{types} as {text}"))
        values = ", ".join(
            literal(value, cast) for value, cast in zip(parameters.values, parameters.casts, strict=True)
        )
        given = f" ({values})" if values else ""
        if self.one_in(3):
            self.turns.append(self.run(f"execute q{given}", Parameters()))
        else:
            self.turns.append(plain(f"execute q{given}"))
        self.turns.append(plain("deallocate q", is_counted=False))

    def cursor(self) -> None:
        word = self.random.choice(("cursor", "cursor", "binary cursor", "scroll cursor", "no scroll cursor"))
        fetches = self.random.choice(
            (
                ("fetch 2 from c", "fetch all from c"),
                ("fetch c", "move c", "fetch 2 in c"),
                ("fetch all from c",),
            )
        )
        self.within([f"declare c {word} for {self.query().text}", *fetches])

    def copied(self) -> None:
        options = self.random.choice(
            (
                "",
                "",
                " with (format csv)",
                " with (format csv, header)",
                " with (format binary)",
                " with (delimiter '|', null 'none')",
                " csv force quote *",
            )
        )
        if self.one_in(4):
            table = self.random.choice(self.schema.tables)
            names = [column.name for column in table.columns]
            listed = (
                f" ({', '.join(self.random.sample(names, self.random.randint(1, len(names))))})"
                if self.one_in(2)
                else ""
            )
            self.turns.append(plain(f"copy {self.schema.name}.{table.name}{listed} to stdout{options}"))
        else:
            self.turns.append(plain(f"copy ({self.query().text}) to stdout{options}"))

    def explained(self) -> None:
        options = ["(costs off) ", "(verbose, costs off) ", "(costs off, format json) "]
        if Edge.ESTIMATES not in OPEN:
            options += ["", "(verbose) ", "(format yaml) "]
        self.turns.append(plain(f"explain {self.random.choice(options)}{self.query().text}"))

    # -- making

    def temporary(self) -> None:
        """A temporary copy or view, perhaps under the name of a relation, and a look at it; what follows may read it, too."""
        taken = {source.alias for source in self.world.temporary}
        name = self.random.choice(
            [each for each in ("tmp0", "tmp1", "t0", "v0") if each not in taken] or ["tmp2"]
        )
        if name in taken:
            return
        self._make(
            name,
            self.random.choice(
                (
                    "temp table {}",
                    "temp table {}",
                    "temp view {}",
                    "temporary table {} on commit preserve rows",
                )
            ),
        )
        if self.one_in(2) and "view" not in self.turns[-1].shown:
            self._write(self.world.temporary[-1])
        self.simple()
        if self.one_in(4) and "temp table" in "".join(turn.shown for turn in self.turns[-3:]):
            self.turns.append(plain(f"drop table {name}", is_counted=False))
            self._make(name, "temp table {}")
            self.simple()

    def _make(self, name: str, form: str) -> None:
        made = query(self.world, self.random, replace(self.taste(), is_view=True))
        self.turns.append(plain(f"create {form.format(name)} as {made.text}"))
        others = tuple(source for source in self.world.temporary if source.alias != name)
        self.world = replace(
            self.world, temporary=(*others, Source(name, made.columns, is_relation=True, rows=made.rows))
        )

    def _write(self, table: Source) -> None:
        """Rows out of a secret into a temporary table that may have held none."""
        columns = table.named()
        if not columns:
            return
        column = self.random.choice(columns)
        queries = Queries(self.world, self.random, self.taste(), Parameters())
        made = queries.listing(column.kind, Scope(), 1, is_clean=False)
        if self.one_in(2):
            self.turns.append(plain(f"insert into {table.alias} ({column.name}) {made.text}"))
        else:
            scalar = queries.scalar(column.kind, Scope(), 1, is_clean=False)
            self.turns.append(plain(f"update {table.alias} set {column.name} = ({scalar.text}) where true"))
        changed = tuple(replace(each, is_tainted=each.is_tainted or each == column) for each in table.columns)
        self.turns.append(plain(f"select * from {table.alias}"))
        temporary = tuple(
            replace(each, columns=changed) if each == table else each for each in self.world.temporary
        )
        self.world = replace(self.world, temporary=temporary)

    def defined(self) -> None:
        """A view or a copy that would stay."""
        made = query(self.world, self.random, replace(self.taste(), is_view=True))
        text = self.random.choice(
            ("create table made as {}", "create view made as {}", "create materialized view made as {}")
        ).format(made.text)
        self.within([text, "select * from made"])

    # -- writing

    def written(self) -> None:
        writing = self.writing()
        self.within([writing.merge() if self.one_in(5) else writing.any()])

    def writing_common(self) -> None:
        """WITH a data-modifying statement."""
        writing = self.writing()
        text = writing.any(is_starred=True)
        columns = tuple(Col(each.name, each.kind, each.is_tainted) for each in writing.table.columns)
        world = replace(self.world, temporary=(Source("w", columns, rows=2),) * 2)
        made = Queries(world, self.random, self.taste(), Parameters()).select(Scope(), 1, is_named=False)
        self.within([f"with w as ({text}) {made.text}"])

    def writing(self) -> Writing:
        return Writing(self.schema, self.world, self.random, self.taste())

    def within(self, texts: Sequence[str]) -> None:
        """Inside a transaction that is rolled back."""
        self.turns.append(plain("begin", is_counted=False))
        self.turns += [self.run(text, Parameters()) if self.one_in(4) else plain(text) for text in texts]
        self.turns.append(plain("rollback", is_counted=False))


_WAYS: tuple[Callable[[_Making], None], ...] = (
    *(_Making.simple,) * 12,
    *(_Making.extended,) * 8,
    *(_Making.named,) * 2,
    *(_Making.pipelined,) * 2,
    *(_Making.several,) * 1,
    *(_Making.prepared,) * 2,
    *(_Making.cursor,) * 2,
    *(_Making.copied,) * 4,
    *(_Making.explained,) * 2,
    *(_Making.temporary,) * 3,
    *(_Making.defined,) * 1,
    *(_Making.written,) * 4,
    *(_Making.writing_common,) * 1,
)
"""How often each is chosen."""
