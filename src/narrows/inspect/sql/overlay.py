"""Relations as one session has made or changed them, where nobody else sees them so yet.

Laws: a temporary relation lives here until it is dropped or the session ends; a permanent one until the snapshot
has been read again; what is not known of it is unknown, never clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from narrows.model.resource import Resource

Taint = frozenset[Resource]
CLEAN: Taint = frozenset()
TEMP = "pg_temp"
Name = tuple[str, str]
"""(schema, relation); `pg_temp` for every temporary one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column and the labelled columns whose values it may hold."""

    name: str
    taint: Taint = CLEAN
    is_same: bool = False
    """Each labelled value in it stands there unchanged."""
    is_generated: bool = False
    """It is made of the others, whenever they are written."""


@dataclass(frozen=True, slots=True)
class Overlaid:
    """One relation."""

    columns: tuple[Column, ...] = ()
    rest: Taint | None = None
    """What the columns may hold that are not listed; None where all are."""
    ends_at_commit: bool = False
    """ON COMMIT DROP."""
    is_gone: bool = False
    """It was dropped: the name stands for something else, or for nothing."""
    is_sure: bool = True
    """False where code that nobody sees may have replaced it."""
    is_linked: bool = False
    """A view, a parent or a child: what is written to another of the session's relations may show in it."""

    @property
    def taint(self) -> Taint:
        return (self.rest or CLEAN).union(*(column.taint for column in self.columns))

    def with_column(self, added: Column) -> Overlaid:
        kept = tuple(column for column in self.columns if column.name != added.name)
        return replace(self, columns=(*kept, added))

    def without_column(self, name: str) -> Overlaid:
        return replace(self, columns=tuple(column for column in self.columns if column.name != name))

    def with_renamed(self, name: str, new: str) -> Overlaid:
        renamed = (replace(each, name=new) if each.name == name else each for each in self.columns)
        return replace(self, columns=tuple(renamed))

    def with_written(self, written: Mapping[str, Taint]) -> Overlaid:
        """The same after values with these taints were stored in it; `?` is any column."""
        everywhere = written.get("?", CLEAN)
        anything = CLEAN.union(*written.values())
        columns = tuple(
            _with_taint(each, anything if each.is_generated else everywhere | written.get(each.name, CLEAN))
            for each in self.columns
        )
        listed = {column.name for column in self.columns}
        others = everywhere.union(*(taint for name, taint in written.items() if name not in listed))
        rest = self.rest if self.rest is None and not others else (self.rest or CLEAN) | others
        return replace(self, columns=columns, rest=rest)

    def doubted(self, anything: Taint) -> Overlaid:
        """The same after code that nobody sees: it may have filled or replaced it."""
        columns = tuple(replace(each, taint=each.taint | anything, is_same=False) for each in self.columns)
        return replace(self, columns=columns, rest=(self.rest or CLEAN) | anything, is_sure=False)


def _with_taint(column: Column, taint: Taint) -> Column:
    return replace(column, taint=column.taint | taint, is_same=False) if taint else column


GONE = Overlaid(is_gone=True)


@dataclass(frozen=True)
class Overlay:
    """All of them, by name; equal overlays are equal values."""

    relations: frozenset[tuple[Name, Overlaid]] = frozenset()

    @cached_property
    def _by_name(self) -> dict[Name, Overlaid]:
        return dict(self.relations)

    def get(self, schema: str, name: str) -> Overlaid | None:
        return self._by_name.get((schema, name)) if self.relations else None

    def names(self, schema: str) -> frozenset[str]:
        return frozenset(name for (of, name), _ in self.relations if of == schema)

    def with_relation(self, schema: str, name: str, relation: Overlaid) -> Overlay:
        return Overlay(self._without((schema, name)) | {((schema, name), relation)})

    def without(self, schema: str, name: str) -> Overlay:
        return Overlay(self._without((schema, name)))

    def with_written(self, name: str, written: Mapping[str, Taint]) -> Overlay:
        """After values with these taints were stored in a temporary relation: in it, and in whatever is linked."""
        anything = {"?": CLEAN.union(*written.values())}

        def after(key: Name, each: Overlaid) -> Overlaid:
            if key == (TEMP, name):
                return each.with_written(written)
            return each.with_written(anything) if each.is_linked else each

        return Overlay(frozenset((key, after(key, each)) for key, each in self.relations))

    def at_commit(self) -> Overlay:
        """What outlasts the transaction; permanent relations stay until the snapshot knows them."""
        return self._only(lambda _, each: not each.ends_at_commit)

    def without_temporary(self) -> Overlay:
        return self._only(lambda key, _: key[0] != TEMP)

    def without_permanent(self) -> Overlay:
        """What the snapshot will never know."""
        return self._only(lambda key, _: key[0] == TEMP)

    def _only(self, is_kept: Callable[[Name, Overlaid], bool]) -> Overlay:
        if not self.relations:
            return self
        return Overlay(frozenset((key, each) for key, each in self.relations if is_kept(key, each)))

    def doubted(self, anything: Taint) -> Overlay:
        return Overlay(frozenset((key, each.doubted(anything)) for key, each in self.relations))

    def _without(self, name: Name) -> frozenset[tuple[Name, Overlaid]]:
        return frozenset((key, each) for key, each in self.relations if key != name)


EMPTY = Overlay()


def made_of(columns: Iterable[Column], rest: Taint | None = None) -> Overlaid:
    """A relation of these columns; where their names are not all known and different, any may be any."""
    every = tuple(columns)
    names = [column.name for column in every]
    if all(names) and len(set(names)) == len(names):
        return Overlaid(every, rest)
    return Overlaid(rest=(rest or CLEAN).union(*(column.taint for column in every)))
