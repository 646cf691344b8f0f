"""Random schemas, by number and seed.

Laws: both twins have the same clean values, the same NULLs and the same number and order of rows; a secret is drawn anew
for each twin, so equality and order among secrets differ as well; no view selects, groups or orders its rows by a secret
(its owner would have told it: which rows a view has is what its definition says); names are few, so that a name that
means a secret here means something clean next to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from tests.noninterference import queries
from tests.noninterference.edges import OPEN, Edge
from tests.noninterference.kinds import KINDS, USUAL
from tests.noninterference.schema import TWINS, Column, Literal, Row, Schema, Table, View, literal
from tests.noninterference.scope import Taste, World

NAMES = ("a", "b", "c", "d", "e", "f")


def schema(number: int, seed: int) -> Schema:
    """The schema of that number in the pool of that seed."""
    return _Making(f"s{number}", Random(f"{seed}/{number}")).schema()


class _Making:
    """One schema while it is made."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.random = random
        self.tables: list[Table] = []
        self.views: list[View] = []

    def schema(self) -> Schema:
        for number in range(self.random.randint(1, 4)):
            make = self.random.choice((self.plain, self.plain, self.plain, self.child, self.partitioned))
            make(f"t{number}")
        self.taint()
        functions = self.functions()
        for number in range(self.random.randint(1, 5)):
            self.view(f"v{number}")
        return Schema(self.name, tuple(self.tables), tuple(self.views), functions)

    # -- tables

    def plain(self, name: str) -> None:
        columns = (self.key(), *self.columns())
        columns = self.generated(columns + self.reference(columns))
        shown = ", ".join(self.declared(column) for column in columns)
        self.keep(name, columns, (f"create table {self.name}.{name} ({shown})",))

    def partitioned(self, name: str) -> None:
        columns = (self.key(), *(each for each in self.columns() if not each.is_unique))
        shown = ", ".join(self.declared(column) for column in columns)
        full = f"{self.name}.{name}"
        self.keep(
            name,
            columns,
            (
                f"create table {full} ({shown}) partition by range (id)",
                f"create table {full}_low partition of {full} for values from (minvalue) to (3)",
                f"create table {full}_rest partition of {full} default",
            ),
        )
        self.tables.append(
            Table(f"{name}_low", self.tables[-1].columns, (), (), dict.fromkeys(TWINS, ()), name)
        )

    def child(self, name: str) -> None:
        """A child by inheritance; the label may stand at the parent, at the child, or at both."""
        parents = [each for each in self.tables if each.parent is None and len(each.ddl) == 1]
        if not parents:
            self.plain(name)
            return
        parent = self.random.choice(parents)
        taken = {column.name for column in parent.columns}
        extra = tuple(each for each in self.columns() if each.name not in taken)[:2]
        own = tuple(
            replace(
                column, is_secret=column.is_secret or self.one_in(4), more="", is_unique=False, refers=None
            )
            if column.name != "id" and column.is_stored
            else column
            for column in parent.columns
        )
        labelled = [
            each.name for each in (*own, *extra) if each.is_secret and each.name not in parent.labelled
        ]
        shown = ", ".join(self.declared(column) for column in extra)
        ddl = f"create table {self.name}.{name} ({shown}) inherits ({self.name}.{parent.name})"
        self.keep(name, (*own, *extra), (ddl,), labelled, parent.name)

    def taint(self) -> None:
        """What shares its values with a labelled column: kin of the same name, what is generated from it or refers to it."""
        tainted = {(table.name, name) for table in self.tables for name in table.labelled}
        known = 0
        while known != len(tainted):
            known = len(tainted)
            for table in self.tables:
                for column in table.columns:
                    places = {
                        (table.name, column.base or ""),
                        (table.parent or "", column.name),
                        column.refers,
                    }
                    if places & tainted:
                        tainted.add((table.name, column.name))
                    if table.parent and (table.name, column.name) in tainted:
                        tainted |= {(table.parent, column.name)} & self.places(table.parent)
        self.tables = [
            replace(
                table,
                columns=tuple(
                    replace(each, is_tainted=(table.name, each.name) in tainted) for each in table.columns
                ),
            )
            for table in self.tables
        ]

    def places(self, name: str) -> set[tuple[str, str]]:
        return {
            (name, column.name) for table in self.tables if table.name == name for column in table.columns
        }

    def key(self) -> Column:
        return Column("id", "int", self.random.choice(("int", "bigint")), more="primary key")

    def columns(self) -> Iterator[Column]:
        names = self.random.sample(NAMES, self.random.randint(2, 5))
        for place, name in enumerate(names):
            kind = KINDS[self.random.choice(USUAL)]
            is_secret = place == 0 or self.one_in(3)
            is_unique = kind.is_indexable and len(kind.pool) > 5 and self.one_in(5)
            more = "unique" if is_unique else ""
            if not is_secret and self.one_in(6) and kind.name in ("text", "int"):
                more += f" default {literal(kind.pool[0], kind.cast)}"
            yield Column(
                name,
                kind.name,
                self.typed(self.random.choice(kind.types)),
                is_secret,
                more=more,
                is_unique=is_unique,
            )

    def reference(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """A foreign key to a clean or a secret column: what refers to a secret is one."""
        candidates = [
            (table, column)
            for table in self.tables
            if table.parent is None and len(table.ddl) == 1
            for column in table.columns
            if column.is_unique or (column.name == "id" and self.one_in(2))
        ]
        free = [name for name in NAMES if name not in {column.name for column in columns}]
        if not candidates or not free or self.one_in(3):
            return ()
        table, column = self.random.choice(candidates)
        more = f"references {self.name}.{table.name} ({column.name}) on delete cascade"
        return (Column(free[0], column.kind, column.type, more=more, refers=(table.name, column.name)),)

    def generated(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        texts = [column for column in columns if column.kind == "text" and "citext" not in column.type]
        free = [name for name in NAMES if name not in {column.name for column in columns}]
        if not texts or not free or not self.one_in(3):
            return columns
        base = self.random.choice(texts)
        kind, expression = self.random.choice(
            (("text", "upper({})"), ("int", "length({})"), ("text", "left({}, 3)"))
        )
        more = f"generated always as ({expression.format(base.name)}) stored"
        return (*columns, Column(free[-1], kind, kind, more=more, is_stored=False, base=base.name))

    def declared(self, column: Column) -> str:
        return f"{column.name} {column.type} {column.more}".strip()

    def keep(
        self,
        name: str,
        columns: tuple[Column, ...],
        ddl: tuple[str, ...],
        labelled: Sequence[str] | None = None,
        parent: str | None = None,
    ) -> None:
        if labelled is None:
            labelled = [column.name for column in columns if column.is_secret]
        self.tables.append(Table(name, columns, tuple(labelled), ddl, self.rows(columns), parent))

    # -- rows

    def rows(self, columns: tuple[Column, ...]) -> dict[str, tuple[Row, ...]]:
        count = self.random.randint(3, 6)
        found: dict[str, list[dict[str, Literal]]] = {twin: [{} for _ in range(count)] for twin in TWINS}
        for column in columns:
            if column.is_stored:
                for twin, values in self.values(column, count).items():
                    for row, value in zip(found[twin], values, strict=True):
                        row[column.name] = value
        return {twin: tuple(rows) for twin, rows in found.items()}

    def values(self, column: Column, count: int) -> dict[str, list[Literal]]:
        if column.name == "id":
            same: list[Literal] = [str(number) for number in range(1, count + 1)]
            return dict.fromkeys(TWINS, same)
        if column.refers is not None:
            return self.referring(column.refers, count)
        nulls = [self.one_in(6) for _ in range(count)]
        drawn = {twin: self.drawn(column, count) for twin in TWINS}
        if not column.is_secret:
            drawn["b"] = drawn["a"]
        elif drawn["a"] == drawn["b"]:
            drawn["b"] = [*drawn["b"][1:], drawn["b"][0]]
        return {
            twin: [None if is_null else value for is_null, value in zip(nulls, each, strict=True)]
            for twin, each in drawn.items()
        }

    def drawn(self, column: Column, count: int) -> list[Literal]:
        pool = KINDS[column.kind].pool
        if column.is_unique:
            return list(self.random.sample(pool, count))
        return [self.random.choice(pool) for _ in range(count)]

    def referring(self, place: tuple[str, str], count: int) -> dict[str, list[Literal]]:
        """The value of the same row of the other table in each twin."""
        table = next(each for each in self.tables if each.name == place[0])
        chosen = [self.random.randrange(len(table.rows["a"])) for _ in range(count)]
        return {twin: [table.rows[twin][at][place[1]] for at in chosen] for twin in TWINS}

    # -- views and functions

    def view(self, name: str) -> None:
        world = World(
            self.name, Schema(self.name, tuple(self.tables), tuple(self.views), ()).sources, is_qualified=True
        )
        is_wild = Edge.VIEW_ROWS not in OPEN and self.one_in(6)
        made = queries.query(world, self.random, Taste(is_view=True, is_owned=True, is_wild=is_wild))
        full = f"{self.name}.{name}"
        is_materialized = self.one_in(5)
        if is_materialized:
            ddl = f"create materialized view {full} as {made.text}"
        else:
            options = " with (security_barrier)" if self.one_in(6) else ""
            ddl = f"create view {full}{options} as {made.text}"
        self.views.append(View(name, made.columns, ddl, is_materialized, made.rows))

    def functions(self) -> tuple[str, ...]:
        """Functions that nobody vouches for."""
        table = self.tables[0]
        secret = table.labelled[0] if table.labelled else "id"
        full = f"{self.name}.{table.name}"
        body = f"'select {secret}::text from {full} where id = $1'"
        return (
            f"create function {self.name}.peek(int) returns text language sql stable as {body}",
            f"create function {self.name}.nick({full}) returns text language sql stable as 'select $1.{secret}::text'",
        )

    # -- dice

    def one_in(self, number: int) -> bool:
        return self.random.randrange(number) == 0

    def typed(self, type_: str) -> str:
        return type_.replace("{s}", self.name)
