"""A schema: tables of which some columns hold secrets, views over them, and the rows of both twins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.noninterference.kinds import KINDS
from tests.noninterference.scope import Col, Source

TWINS = "ab"
LABELS = ("pii", "secret")

Literal = str | None
Row = Mapping[str, Literal]


@dataclass(frozen=True)
class Column:
    """A column as it is declared, and whether its values are secrets."""

    name: str
    kind: str
    type: str
    is_secret: bool = False
    """The twins differ in it."""
    is_tainted: bool = False
    """It is labelled, or shares its values with a labelled column."""
    more: str = ""
    """Constraints and defaults."""
    is_stored: bool = True
    """Rows give a value; not so for generated columns."""
    is_unique: bool = False
    refers: tuple[str, str] | None = None
    """(table, column) of a foreign key."""
    base: str | None = None
    """What a generated column is generated from."""


@dataclass(frozen=True)
class Table:
    """A table, partition parent or child, with its rows in both twins."""

    name: str
    columns: tuple[Column, ...]
    labelled: tuple[str, ...]
    """The columns that labels.yaml names."""
    ddl: tuple[str, ...]
    rows: Mapping[str, tuple[Row, ...]] = field(repr=False)
    parent: str | None = None

    def source(self) -> Source:
        return Source(
            self.name,
            tuple(Col(c.name, c.kind, c.is_tainted) for c in self.columns),
            is_relation=True,
            rows=8,
        )


@dataclass(frozen=True)
class View:
    name: str
    columns: tuple[Col, ...]
    ddl: str
    is_materialized: bool = False
    rows: int = 6

    def source(self) -> Source:
        return Source(self.name, self.columns, is_relation=True, rows=self.rows)


@dataclass(frozen=True)
class Schema:
    """One schema of a database."""

    name: str
    tables: tuple[Table, ...]
    views: tuple[View, ...]
    functions: tuple[str, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (*(table.source() for table in self.tables), *(view.source() for view in self.views))

    def definitions(self) -> Iterator[str]:
        """Everything but what depends on rows."""
        yield f"create schema {self.name}"
        yield f"create type {self.name}.mood as enum ('calm', 'glad', 'sad', 'angry')"
        yield f"create domain {self.name}.code as text check (length(value) < 90)"
        yield f"create domain {self.name}.amount as numeric"
        yield f"create type {self.name}.pair as (x text, y int)"
        for table in self.tables:
            yield from table.ddl
        yield from self.functions
        for view in self.views:
            yield view.ddl

    def filling(self, twin: str) -> Iterator[str]:
        """The rows of one twin."""
        for table in self.tables:
            for row in table.rows[twin]:
                cast = {c.name: KINDS[c.kind].cast.replace("{s}", self.name) for c in table.columns}
                values = ", ".join(literal(value, cast[name]) for name, value in row.items())
                yield f"insert into {self.name}.{table.name} ({', '.join(row)}) values ({values})"
        for view in self.views:
            if view.is_materialized:
                yield f"refresh materialized view {self.name}.{view.name}"

    def labels(self) -> dict[str, dict[str, str]]:
        """The part of labels.yaml about this schema."""
        found: dict[str, dict[str, str]] = {}
        for table in self.tables:
            for place, name in enumerate(table.labelled):
                found.setdefault(f"{self.name}.{table.name}", {})[name] = LABELS[place % len(LABELS)]
        return found


def literal(value: Literal, cast: str) -> str:
    return f"null::{cast}" if value is None else "'{}'::{}".format(value.replace("'", "''"), cast)
