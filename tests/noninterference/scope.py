"""What an expression can name: columns with their kinds and whether they carry secrets, sources, nested scopes.

Law: the generator's own account of secrets only steers it (so that most statements are answered and views tell
nothing by their rows); nothing is judged by it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, slots=True)
class Col:
    name: str
    kind: str
    is_tainted: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """An expression."""

    text: str
    is_tainted: bool = False
    name: str = ""
    """The output name it has by itself, where that is sure."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the columns of its result."""

    text: str
    columns: tuple[Col, ...]
    is_selected: bool = False
    """Secrets decide which rows it has."""
    rows: int = 1
    """At most, more or less."""

    @property
    def is_tainted(self) -> bool:
        return any(column.is_tainted for column in self.columns)


@dataclass(frozen=True, slots=True)
class Source:
    """Something in a FROM list, by its alias."""

    alias: str
    columns: tuple[Col, ...]
    is_relation: bool = False
    """It has a row type of its own: a table or a view."""
    is_row: bool = True
    """Its alias stands for a row; that of a function of one column stands for the column."""
    rows: int = 6
    """At most, more or less: what is joined stays small."""

    @property
    def is_tainted(self) -> bool:
        return any(column.is_tainted for column in self.columns)

    def named(self) -> tuple[Col, ...]:
        """The columns whose names stand once."""
        counts = Counter(column.name for column in self.columns)
        return tuple(column for column in self.columns if counts[column.name] == 1 and column.name)


@dataclass
class Scope:
    """The sources of one query level, and the levels around it."""

    sources: list[Source] = field(default_factory=list)
    parent: Scope | None = None
    merged: set[str] = field(default_factory=set)
    """Names that USING has merged: by themselves they are one column."""

    @property
    def size(self) -> int:
        """How many rows its sources give together, at most."""
        return prod(source.rows for source in self.sources)

    def levels(self) -> list[Scope]:
        return [self, *(self.parent.levels() if self.parent else ())]

    def visible(self) -> list[tuple[str, Col]]:
        """(how it is written, column) of all that can be named here."""
        found: list[tuple[str, Col]] = []
        hidden_aliases: set[str] = set()
        hidden_names: set[str] = set()
        for level in self.levels():
            counts = Counter(column.name for source in level.sources for column in source.columns)
            for source in level.sources:
                for column in source.named():
                    if source.alias not in hidden_aliases:
                        found.append((f"{source.alias}.{column.name}", column))
                    if counts[column.name] == 1 and column.name not in hidden_names:
                        found.append((column.name, column))
            for name in level.merged - hidden_names:
                of_name = [c for source in level.sources for c in source.named() if c.name == name]
                if of_name:
                    found.append((name, Col(name, of_name[0].kind, any(c.is_tainted for c in of_name))))
            hidden_aliases |= {source.alias for source in level.sources}
            hidden_names |= set(counts)
        return found

    def rows(self) -> list[Source]:
        """Sources that can be named as whole rows: no column here has that name."""
        names = {
            column.name for level in self.levels() for source in level.sources for column in source.columns
        }
        return [source for source in self.sources if source.is_row and source.alias not in names]


@dataclass(frozen=True)
class World:
    """What a statement is made over."""

    schema: str
    relations: tuple[Source, ...]
    """Tables and views by their own names."""
    version: int = 15
    is_qualified: bool = False
    """Every relation is written with its schema; else some are, and search_path names the schema."""
    temporary: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Taste:
    """How a statement is made."""

    is_owned: bool = False
    """The definition of a schema's own view: its expressions may look at rows that secrets select."""

    is_view: bool = False
    """A definition: it takes no parameters, and every output has a name of its own."""
    is_wild: bool = False
    """Secrets may stand in conditions, orders and groups, and may make expressions fail."""
    takes_parameters: bool = False


@dataclass
class Parameters:
    """Values that a statement takes as $1, $2..."""

    values: list[str | None] = field(default_factory=list)
    casts: list[str] = field(default_factory=list)

    def add(self, value: str | None, cast: str) -> str:
        self.values.append(value)
        self.casts.append(cast)
        return f"${len(self.values)}::{cast}"
