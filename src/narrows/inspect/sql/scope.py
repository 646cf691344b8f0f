"""Which columns are in sight at a place in a query, and what they may carry.

Laws: a column found in a source is that column, for PostgreSQL refuses what is ambiguous; a name found
nowhere may be anything; an inner scope is asked before an outer one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.work import spend
from narrows.model.snapshot import Relation

SYSTEM_COLUMNS = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


@dataclass(frozen=True, slots=True)
class Cell:
    """What one column may carry, and whether RowDescription will name its table and attribute."""

    taint: Taint = CLEAN
    is_direct: bool = False
    relation: Relation | None = None
    """The table or view it belongs to, where it is a column of one."""
    column: str = ""
    is_same: bool = False
    """Every value in it is an unchanged value of a labelled column in `taint`, and nothing else is mixed in."""
    is_overlaid: bool = False
    """It belongs to a relation that this session alone sees so."""
    is_fixed: bool = False
    """It holds a constant or parameter."""


EMPTY = Cell()


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns that a query or a source gives; `rest` stands for those that are not known by name.

    With a `rest`, which may stand anywhere among the columns, no position means anything: use names or `taint`.
    """

    cells: tuple[tuple[str, Cell], ...] = ()
    rest: Taint | None = None
    """None where every column is listed."""
    exports: frozenset[int] = frozenset()
    """Labelled plain tables (by OID) whose rows flow out without a bound."""

    @property
    def taint(self) -> Taint:
        """All that a whole row may carry."""
        spend(len(self.cells))
        taints = [cell.taint for _, cell in self.cells if cell.taint]
        if self.rest:
            taints.append(self.rest)
        spend(2 * len(taints))
        return CLEAN.union(*taints) if taints else CLEAN


@dataclass(frozen=True, slots=True)
class Source:
    """One item of a FROM clause under the name it goes by."""

    alias: str
    shape: Shape
    columns: Mapping[str, Cell]
    relation: Relation | None = None
    has_system_columns: bool = False
    known: frozenset[str] = frozenset()
    """Columns that it surely has, besides those listed."""

    def find(self, name: str) -> Cell | None:
        """The cell of that name; None where this source surely has no such column."""
        cell = self.columns.get(name)
        if cell is not None:
            return cell
        if self.has_system_columns and name in SYSTEM_COLUMNS:
            return EMPTY
        return None


@dataclass(slots=True)
class Scope:
    """The sources of one query level, the common tables it can name, and what lies around it."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, Shape | None] = field(default_factory=dict)
    """None for one that is named before it is defined."""
    stars: list[Shape] = field(default_factory=list)
    """What `*` gives, item by item of the FROM list."""
    hidden: list[Source] = field(default_factory=list)
    """Sources that only a qualified name reaches: excluded, old, new."""
    merged: set[str] = field(default_factory=set)
    """Names joined by USING or NATURAL: such a column may be one of either side."""
    removed: int = 0
    """How many sources were taken out of sight again."""
    _rows: dict[tuple[str, str | None], tuple[int, Source | None]] = field(default_factory=dict)
    _found: dict[str, tuple[int, Cell | None]] = field(default_factory=dict)
    """Names looked up before, each with what `_age` was then."""

    def levels(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            spend(2 + len(scope.sources))
            yield scope
            scope = scope.parent

    def has_column(self, name: str) -> bool:
        """Whether a source of this level has such a column, or may have."""
        return any(name in source.columns or source.shape.rest for source in self.sources)

    def has_cte(self, name: str) -> bool:
        return any(name in scope.ctes for scope in self.levels())

    def cte(self, name: str) -> Shape | None:
        """The common table of that name; None where it is not defined yet."""
        return next(scope.ctes[name] for scope in self.levels() if name in scope.ctes)

    def source(self, alias: str, schema: str | None = None) -> Source | None:
        """The source of that name; what several of one name have in common where nobody can tell which is meant."""
        age = self._age()
        known = self._rows.get((alias, schema))
        if known is None or known[0] != age:
            known = self._rows[alias, schema] = (age, self._look_for(alias, schema))
        return known[1]

    def row(self, name: str) -> Source | None:
        """The source whose whole row an unqualified name surely is: no column anywhere can be meant by it."""
        source = self.source(name)
        return None if source is None or any(level.has_column(name) for level in self.levels()) else source

    def _look_for(self, alias: str, schema: str | None) -> Source | None:
        """A name without a schema ends at the nearest level that has it; with one, tables of other schemas do not."""
        hits: list[Source] = []
        for scope in self.levels():
            hits += named([*scope.sources, *scope.hidden], alias, schema)
            if hits and (schema is None or _is_certain(hits)):
                break
        return hits[0] if len(hits) == 1 else united(alias, hits) if hits else None

    def column(self, name: str) -> Cell | None:
        """The column of that name in the nearest scope; None where no source has it for sure."""
        age = self._age()
        known = self._found.get(name)
        if known is None or known[0] != age:
            known = self._found[name] = (age, self._look_up(name))
        return known[1]

    def hide(self, first: int) -> list[Source]:
        """Take the sources from that one on out of sight."""
        taken = self.sources[first:]
        del self.sources[first:]
        self.removed += len(taken)
        return taken

    def _age(self) -> int:
        """A number that only grows, whether sources come into sight or leave it."""
        age = steps = 0
        scope: Scope | None = self
        while scope is not None:
            age += len(scope.sources) + len(scope.hidden) + 2 * scope.removed
            steps += 2 + len(scope.sources)
            scope = scope.parent
        spend(steps)
        return age

    def _look_up(self, name: str) -> Cell | None:
        maybe = CLEAN
        is_open = False
        for scope in self.levels():
            hits = [hit for source in scope.sources if (hit := source.find(name)) is not None]
            if len(hits) == 1 and not is_open:
                return hits[0]
            if hits:
                return Cell(maybe.union(*(hit.taint for hit in hits)))
            for source in scope.sources:
                if source.shape.rest is not None:
                    is_open = True
                    maybe |= source.shape.rest
        row = self.source(name)
        if row is not None:
            return Cell(row.shape.taint | maybe)
        return Cell(maybe) if is_open else None


def named(sources: list[Source], alias: str, schema: str | None) -> list[Source]:
    """Those that `alias` or `schema.alias` may mean; the table of that schema alone where it is there."""
    spend(len(sources))
    hits = [source for source in sources if source.alias == alias]
    if schema is None:
        return hits
    exact = [source for source in hits if _full_name(source) == (schema, alias)]
    return exact or [source for source in hits if source.relation is None]


def _full_name(source: Source) -> tuple[str, str] | None:
    return (source.relation.schema, source.relation.name) if source.relation else None


def _is_certain(hits: list[Source]) -> bool:
    return all(source.relation is not None for source in hits)


def united(alias: str, hits: list[Source]) -> Source:
    """Several sources as one: a column of it may be any's of that name."""
    rests = [source.shape.rest for source in hits if source.shape.rest is not None]
    anything = CLEAN.union(*rests)
    columns: dict[str, Cell] = {}
    for source in hits:
        for name, cell in source.columns.items():
            columns[name] = Cell(columns.get(name, EMPTY).taint | cell.taint | anything)
        spend(8 * len(source.columns))
    exports = frozenset[int]().union(*(source.shape.exports for source in hits))
    shape = Shape(tuple(columns.items()), anything if rests else None, exports)
    return Source(alias, shape, columns, has_system_columns=any(each.has_system_columns for each in hits))


def _renamed(shape: Shape, names: tuple[str, ...]) -> Shape:
    spend(2 * (len(shape.cells) + len(names)))
    if shape.rest is not None:  # nobody knows which column a position means: any of them may be any
        whole = Cell(shape.taint)
        kept = tuple((name, whole) for name, _ in shape.cells)
        return Shape((*((name, whole) for name in names), *kept), shape.taint, shape.exports)
    renamed = tuple(
        (names[index] if index < len(names) else name, cell) for index, (name, cell) in enumerate(shape.cells)
    )
    extra = tuple((name, EMPTY) for name in names[len(shape.cells) :])
    return Shape(renamed + extra, None, shape.exports)


def make_source(alias: str, shape: Shape, names: tuple[str, ...] = (), **more: object) -> Source:
    """A source from a shape, its first columns renamed by a column alias list."""
    if names:
        shape = _renamed(shape, names)
    columns: dict[str, Cell] = {}
    spend(2 * len(shape.cells))
    for name, cell in shape.cells:
        columns[name] = Cell(columns[name].taint | cell.taint) if name in columns else cell
    return Source(alias, shape, columns, **more)  # type: ignore[arg-type]
