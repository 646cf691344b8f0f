"""Random FROM clauses: relations, common tables, subqueries, functions, and every way of joining them.

Law: what is joined stays small, so that no script takes long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.noninterference.expressions import Expressions
from tests.noninterference.kinds import ORDERED
from tests.noninterference.scope import Col, Query, Scope, Source

NAMES = ("a", "b", "c", "d", "e", "f", "id", "ann")
ALIASES = ("x", "y", "z", "a", "b", "t0", "w")
MOST_ROWS = (40, 100, 400)
"""That a FROM clause may give, by how deep it may still go."""

FUNCTIONS = (
    ("generate_series(1, 3)", ("int",)),
    ("unnest({arr!})", ("text",)),
    ("regexp_split_to_table({text!}, ' ')", ("text",)),
    ("unnest({arr!}) with ordinality", ("text", "int")),
    ("jsonb_each_text(jsonb_build_object('a', {text}, 'b', {int}))", ("text", "text")),
    ("rows from (generate_series(1, 2), generate_series(1, 3))", ("int", "int")),
)
"""Functions that give rows, and the kinds of their columns."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of FROM: its text, what it brings into sight, and what `*` gives of it."""

    text: str
    sources: tuple[Source, ...]
    star: tuple[Col, ...]


class Sources:
    """The FROM clauses of one statement."""

    def __init__(self, expressions: Expressions, subselect: Callable[[Scope, int], Query]) -> None:
        self.expressions = expressions
        self.world, self.random, self.taste = expressions.world, expressions.random, expressions.taste
        self.one_in = expressions.one_in
        self.common: list[Source] = []
        """Common tables that are in sight."""
        self._query = subselect

    def clause(self, scope: Scope, depth: int) -> tuple[str, tuple[Col, ...]]:
        """FROM and what `*` gives; its sources are in the scope from here on."""
        items = [self._item(scope, depth)]
        if self.one_in(6) and depth > 0 and self._has_room(scope, depth):
            items.append(self._item(scope, depth))
        if self.one_in(25):
            del items[:], scope.sources[:]
        star = tuple(column for item in items for column in item.star)
        return (" from " + ", ".join(item.text for item in items) if items else ""), star

    def _has_room(self, scope: Scope, depth: int) -> bool:
        """Whether one more source keeps the product small."""
        return len(scope.sources) < 4 and scope.size * 8 <= MOST_ROWS[depth]

    def _item(self, scope: Scope, depth: int) -> Item:
        item = self._single(scope, depth)
        while depth > 0 and self.one_in(4) and self._has_room(scope, depth):
            item = self._join(item, scope, depth)
        return item

    def _single(self, scope: Scope, depth: int) -> Item:
        choice = self.random.randrange(12)
        if choice >= 9 and depth > 0 and self.expressions.fuel > 0:
            self.expressions.fuel -= 1
            return self._function(scope) if choice == 9 else self._subselect(scope, depth)
        most = MOST_ROWS[depth] // scope.size
        common = [source for source in self.common if source.rows <= most]
        if common and self.one_in(2):
            return self._relation(scope, self.random.choice(common), is_common=True)
        relations = [
            source for source in self.world.relations + self.world.temporary * 3 if source.rows <= most
        ]
        return self._relation(scope, self.random.choice(relations or [self.world.relations[0]]))

    def _relation(self, scope: Scope, relation: Source, *, is_common: bool = False) -> Item:
        text, columns, names = relation.alias, relation.columns, ""
        if not is_common and relation not in self.world.temporary:
            hidden = {each.alias for each in (*self.common, *self.world.temporary)}
            if self.world.is_qualified or text in hidden or self.one_in(3):
                text = f"{self.world.schema}.{text}"
        alias = self._alias(scope, relation.alias)
        if self.one_in(8):
            columns, names = self.renamed(columns)
        source = Source(alias, columns, relation.is_relation, rows=relation.rows)
        is_plain = alias == relation.alias and not names
        shown = text if is_plain else f"{text} as {alias}{names}"
        is_table = relation in self.world.relations and relation.alias.startswith("t") and not is_common
        if is_table and is_plain and self.one_in(10):
            shown = f"only {text}"
        return self._seen(scope, shown, source)

    def _seen(self, scope: Scope, text: str, source: Source) -> Item:
        scope.sources.append(source)
        return Item(text, (source,), source.columns)

    def _alias(self, scope: Scope, own: str) -> str:
        taken = {source.alias for source in scope.sources}
        free = [alias for alias in ALIASES if alias not in taken]
        return own if own and own not in taken and not self.one_in(2) else self.random.choice(free)

    def _subselect(self, scope: Scope, depth: int) -> Item:
        is_lateral = bool(scope.sources) and self.one_in(2)
        around = Scope(list(scope.sources), scope.parent) if is_lateral else Scope()
        made = self._query(around, depth - 1)
        columns, names = self.renamed(made.columns) if self.one_in(5) else (made.columns, "")
        alias = self._alias(scope, "")
        text = f"{'lateral ' if is_lateral else ''}({made.text}) as {alias}{names}"
        return self._seen(scope, text, Source(alias, columns, rows=made.rows))

    def _function(self, scope: Scope) -> Item:
        alias = self._alias(scope, "")
        around = Scope(list(scope.sources), scope.parent)
        if self.one_in(6):
            made = self.expressions.fill(
                "json_to_record(json_build_object('a', {text}))", around, 1, is_clean=False
            )
            source = Source(alias, (Col("a", "text", made.is_tainted),), is_row=False, rows=1)
            return self._seen(scope, f"{made.text[1:-1]} as {alias} (a text)", source)
        template, kinds = self.random.choice(FUNCTIONS)
        made = self.expressions.fill(template, around, 1, is_clean=False)
        names = self.random.sample(NAMES, len(kinds))
        columns = tuple(Col(name, kind, made.is_tainted) for name, kind in zip(names, kinds, strict=True))
        source = Source(alias, columns, is_row=len(columns) > 1, rows=4)
        return self._seen(scope, f"{made.text[1:-1]} as {alias} ({', '.join(names)})", source)

    def _join(self, left: Item, scope: Scope, depth: int) -> Item:
        before = len(scope.sources)
        right = self._single(scope, depth - 1)
        if right.text.startswith("lateral") or "(" in right.text.split(" as ")[0]:
            return Item(
                f"{left.text} cross join {right.text}", left.sources + right.sources, left.star + right.star
            )
        sides = Scope([*left.sources, *right.sources], scope.parent)
        word = self.random.choice(("join", "left join", "right join", "full join", "cross join"))
        both = (left.sources + right.sources, left.star + right.star)
        if word == "cross join":
            return Item(f"{left.text} cross join {right.text}", *both)
        shared = self._shared(left, right)
        if shared and self.one_in(2) and before == len(left.sources):
            return self._using(left, right, word, shared, scope)
        condition = self._equality(left, right) if word == "full join" else self._on(left, right, sides)
        return Item(f"({left.text} {word} {right.text} on {condition})", *both)

    def _on(self, left: Item, right: Item, sides: Scope) -> str:
        if self.one_in(2):
            return self._equality(left, right)
        return self.expressions.condition(sides, 1).text

    def _equality(self, left: Item, right: Item) -> str:
        is_open = self.taste.is_wild and self.one_in(3)
        pairs = [
            (f"{one.alias}.{c.name}", f"{other.alias}.{d.name}")
            for one in left.sources
            for c in one.named()
            for other in right.sources
            for d in other.named()
            if c.kind == d.kind
            and c.kind in ("text", "int", "date")
            and (is_open or not (c.is_tainted or d.is_tainted))
        ]
        return " = ".join(self.random.choice(pairs)) if pairs else "true"

    def _shared(self, left: Item, right: Item) -> list[str]:
        """Names that both sides have once, of one kind, and clean unless the taste is wild."""
        ours, theirs = (
            Source("", left.star).named(),
            {column.name: column for column in Source("", right.star).named()},
        )
        is_open = self.taste.is_wild and self.one_in(3)
        return [
            column.name
            for column in ours
            if (other := theirs.get(column.name)) is not None
            and other.kind == column.kind
            and column.kind in ORDERED
            and column.kind != "pair"
            and (is_open or not (column.is_tainted or other.is_tainted))
        ]

    def _using(self, left: Item, right: Item, word: str, shared: list[str], scope: Scope) -> Item:
        every = {column.name for column in left.star} & {column.name for column in right.star}
        chosen = shared
        if every == set(shared) and self.one_in(2):
            text = f"{left.text} natural {word} {right.text}"
        else:
            chosen = shared[: self.random.randint(1, len(shared))]
            text = f"{left.text} {word} {right.text} using ({', '.join(chosen)})"
        scope.merged |= set(chosen)
        theirs = {column.name: column for column in right.star}
        merged = [
            replace(column, is_tainted=column.is_tainted or theirs[column.name].is_tainted)
            for column in left.star
            if column.name in chosen
        ]
        rest = [column for column in (*left.star, *right.star) if column.name not in chosen]
        if self.one_in(6) and "natural" not in text:
            alias = self._alias(scope, "")
            source = Source(alias, tuple(merged))
            scope.sources.append(source)
            return Item(f"({text} as {alias})", (*left.sources, *right.sources, source), (*merged, *rest))
        return Item(f"({text})", left.sources + right.sources, (*merged, *rest))

    def renamed(self, columns: tuple[Col, ...]) -> tuple[tuple[Col, ...], str]:
        """New names for the first columns, as an alias list."""
        count = self.random.randint(1, min(len(columns), len(NAMES)))
        names = self.random.sample(NAMES, count)
        renamed = tuple(replace(column, name=name) for name, column in zip(names, columns, strict=False))
        return renamed + columns[count:], f" ({', '.join(names)})"
