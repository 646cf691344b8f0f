"""Relations as one session has made or changed them, where nobody else sees them so yet.

Laws: a temporary relation lives here until it is dropped or the session ends; a permanent one until the snapshot
has been read again; what is not known of it is unknown, never clean; there is a limit to how much is kept.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from narrows.model.resource import Resource

Taint = frozenset[Resource]
CLEAN: Taint = frozenset()
TEMP = "pg_temp"
Name = tuple[str, str]
"""(schema, relation); `pg_temp` for every temporary one."""

MAX_RELATIONS = 1_000
MAX_COLUMNS = 10_000
"""Of all of them together. Code that nobody sees may write to each: ten milliseconds at this size."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column and the labelled columns whose values it may hold."""

    name: str
    taint: Taint = CLEAN
    is_same: bool = False
    """Each labelled value in it stands there unchanged."""
    is_generated: bool = False
    """It is made of the others, whenever they are written."""
    is_watched: bool = False
    """A constraint, an index or a partition's bound looks at it: whether and where a value is stored tells of it."""


@dataclass(frozen=True)
class Overlaid:
    """One relation; its hash is made once, for it is asked for whenever any other changes."""

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

    @cached_property
    def _hash(self) -> int:
        return hash((self.columns, self.rest, self.is_gone, self.is_sure))

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    @property
    def taint(self) -> Taint:
        return (self.rest or CLEAN).union(*(column.taint for column in self.columns))

    def with_column(self, added: Column) -> Overlaid:
        kept = tuple(column for column in self.columns if column.name != added.name)
        return replace(self, columns=(*kept, added))

    def watched(self, names: frozenset[str] | None) -> Overlaid:
        """The same with something that looks at these columns; None is at any of them."""
        columns = (
            replace(each, is_watched=True) if names is None or each.name in names else each
            for each in self.columns
        )
        return replace(self, columns=tuple(columns))

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
        is_same = rest == self.rest and all(map(operator.is_, columns, self.columns))
        return self if is_same else replace(self, columns=columns, rest=rest)

    def doubted(self, anything: Taint) -> Overlaid:
        """The same after code that nobody sees: it may have filled or replaced it."""
        return replace(
            self,
            columns=tuple(_with_taint(each, anything) for each in self.columns),
            rest=(self.rest or CLEAN) | anything,
            is_sure=False,
        )


def _with_taint(column: Column, taint: Taint) -> Column:
    if not taint or (taint <= column.taint and not column.is_same):
        return column
    return replace(column, taint=column.taint | taint, is_same=False)


GONE = Overlaid(is_gone=True)


@dataclass(frozen=True)
class Overlay:
    """All of them, by name; equal overlays are equal values."""

    relations: Mapping[Name, Overlaid] = field(default_factory=dict)

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.relations.items()))

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        return {"relations": self.relations}

    @cached_property
    def columns(self) -> int:
        """How many all of them have."""
        return sum(len(each.columns) for each in self.relations.values())

    @property
    def is_too_large(self) -> bool:
        return len(self.relations) > MAX_RELATIONS or self.columns > MAX_COLUMNS

    def get(self, schema: str, name: str) -> Overlaid | None:
        return self.relations.get((schema, name))

    def names(self, schema: str) -> frozenset[str]:
        return frozenset(name for of, name in self.relations if of == schema)

    def with_relation(self, schema: str, name: str, relation: Overlaid) -> Overlay:
        return Overlay({**self.relations, (schema, name): relation})

    def without(self, schema: str, name: str) -> Overlay:
        return self._only(lambda key, _: key != (schema, name))

    def with_written(self, name: str, written: Mapping[str, Taint]) -> Overlay:
        """After values with these taints were stored in a temporary relation: in it, and in whatever is linked."""
        anything = {"?": CLEAN.union(*written.values())}
        changed: dict[Name, Overlaid] = {}
        for key, each in self.relations.items():
            if key == (TEMP, name):
                changed[key] = each.with_written(written)
            elif each.is_linked:
                changed[key] = each.with_written(anything)
        is_same = all(self.relations[key] is each for key, each in changed.items())
        return self if is_same else Overlay({**self.relations, **changed})

    def at_commit(self) -> Overlay:
        """What outlasts the transaction; permanent relations stay until the snapshot knows them."""
        return self._only(lambda _, each: not each.ends_at_commit)

    def without_temporary(self) -> Overlay:
        return self._only(lambda key, _: key[0] != TEMP)

    def without_permanent(self) -> Overlay:
        """What the snapshot will never know."""
        return self._only(lambda key, _: key[0] == TEMP)

    def _only(self, is_kept: Callable[[Name, Overlaid], bool]) -> Overlay:
        kept = {key: each for key, each in self.relations.items() if is_kept(key, each)}
        return self if len(kept) == len(self.relations) else Overlay(kept)

    def doubted(self, anything: Taint) -> Overlay:
        return Overlay({key: each.doubted(anything) for key, each in self.relations.items()})


EMPTY = Overlay()


def made_of(columns: Iterable[Column], rest: Taint | None = None) -> Overlaid:
    """A relation of these columns; where their names are not all known and different, any may be any."""
    every = tuple(columns)
    names = [column.name for column in every]
    if all(names) and len(set(names)) == len(names):
        return Overlaid(every, rest)
    return Overlaid(rest=(rest or CLEAN).union(*(column.taint for column in every)))
