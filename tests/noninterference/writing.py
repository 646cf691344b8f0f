"""Random INSERT, UPDATE, DELETE and MERGE over a schema's tables.

Law: what is written can meet no constraint that knows secrets (a unique or foreign key answers whether a value is there);
a clean column gets a clean value unless the taste is wild.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.noninterference.kinds import KINDS
from tests.noninterference.queries import Queries
from tests.noninterference.schema import Column, Schema
from tests.noninterference.scope import Parameters, Scope, Taste, World


class Writing:
    """One statement that writes `table`, under the alias t."""

    def __init__(self, schema: Schema, world: World, random: Random, taste: Taste) -> None:
        self.schema, self.world, self.random = schema, world, random
        self.queries = Queries(world, random, taste, Parameters())
        self.one_in = self.queries.one_in
        self.table = random.choice(schema.tables)
        self.scope = Scope([replace(self.table.source(), alias="t")])
        self.free = [column for column in self.table.columns if column.name != "id" and _is_free(column)]

    @property
    def name(self) -> str:
        return f"{self.schema.name}.{self.table.name} as t"

    def any(self, *, is_starred: bool = False) -> str:
        """`is_starred` for what gives the table's own columns."""
        make = self.random.choice((self.insert, self.insert, self.update, self.update, self.delete))
        return make(" returning t.*" if is_starred else None)

    def insert(self, returning: str | None) -> str:
        columns = [column for column in self.free if self.one_in(2)]
        names = ", ".join(["id", *(column.name for column in columns)])
        around = Scope([self.random.choice(self.schema.sources)] if self.one_in(3) else [])
        stored = [self._stored(column, around) for column in columns]
        values = ", ".join([str(self.random.choice((1, 2, 3, 50, 51))), *stored])
        rows = f"values ({values})"
        if around.sources:
            rows = f"select {values} from {self.schema.name}.{around.sources[0].alias} limit 1"
        shown = self._returning(self.scope) if returning is None else returning
        return f"insert into {self.name} ({names}) {rows}{self._conflict(columns)}{shown}"

    def _conflict(self, columns: list[Column]) -> str:
        if self.one_in(3):
            return " on conflict do nothing"
        if not columns or not self.one_in(3):
            return ""
        name = self.random.choice(columns).name
        value = self.random.choice((f"excluded.{name}", f"coalesce(excluded.{name}, t.{name})"))
        return f" on conflict (id) do update set {name} = {value}"

    def update(self, returning: str | None) -> str:
        chosen = self.random.sample(self.free, min(len(self.free), self.random.randint(1, 2)))
        others = self._others("from")
        sets = ", ".join(f"{column.name} = {self._stored(column, self.scope)}" for column in chosen)
        shown = self._returning(self.scope) if returning is None else returning
        return f"update {self.name} set {sets or 'id = 60'}{others}{self._where()}{shown}"

    def delete(self, returning: str | None) -> str:
        others = self._others("using")
        shown = self._returning(self.scope) if returning is None else returning
        return f"delete from {self.name}{others}{self._where()}{shown}"

    def merge(self) -> str:
        other = self.random.choice(self.schema.sources)
        self.scope.sources.append(replace(other, alias="o"))
        keys = [f"o.{each.name}" for each in other.named() if each.kind == "int" and not each.is_tainted]
        actions = ["delete", "do nothing"]
        if self.free:
            column = self.random.choice(self.free)
            actions.append(f"update set {column.name} = {self._stored(column, self.scope)}")
        key = self.random.choice(keys) if keys else "1"
        returning = " returning t.*" if self.world.version >= 17 and self.one_in(2) else ""
        return (
            f"merge into {self.name} using {self.schema.name}.{other.alias} as o on t.id = {key}"
            f" when matched then {self.random.choice(actions)}{returning}"
        )

    # -- parts

    def _others(self, word: str) -> str:
        if not self.one_in(3):
            return ""
        other = self.random.choice(self.schema.sources)
        self.scope.sources.append(replace(other, alias="o"))
        return f" {word} {self.schema.name}.{other.alias} as o"

    def _stored(self, column: Column, scope: Scope) -> str:
        made = self.queries.expressions.value(column.kind, scope, 1, is_clean=not column.is_tainted)
        return made.text if len(KINDS[column.kind].types) == 1 else f"{made.text}::{column.type}"

    def _where(self) -> str:
        bound = self.random.choice(("t.id = 1", "t.id = 2", "t.id in (1, 2)"))
        more = f" and {self.queries.expressions.condition(self.scope, 1).text}" if self.one_in(3) else ""
        return f" where {bound}{more}"

    def _returning(self, scope: Scope) -> str:
        if self.one_in(4):
            return ""
        if self.one_in(3):
            return " returning *"
        kinds = [self.random.choice(self.table.columns).kind for _ in range(2)]
        values = [self.queries.expressions.value(kind, scope, 1).text for kind in kinds]
        if self.world.version >= 18:
            name = self.random.choice(self.table.columns).name
            values.append(self.random.choice((f"old.{name}", f"new.{name}", "old", "(new).id")))
        return " returning " + ", ".join(values)


def _is_free(column: Column) -> bool:
    return column.is_stored and column.refers is None and not column.is_unique
