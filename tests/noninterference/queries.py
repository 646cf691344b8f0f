"""Random queries: what they read from, what they give, how they group, sort and combine.

Laws: no query fails by its own making more often than now and then; unless the taste is wild, no secret decides which
rows come or in what order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.noninterference.expressions import Expressions
from tests.noninterference.kinds import ORDERED, USUAL
from tests.noninterference.scope import Col, Made, Parameters, Query, Scope, Source, Taste, World
from tests.noninterference.sources import NAMES, Sources
from tests.noninterference.templates import AGGREGATES, WINDOWED

COMMON = ("w", "t0", "t1", "v0")
"""Names of common tables: most hide a relation."""
RANDOM_KINDS = tuple(
    kind for kind in USUAL if kind in AGGREGATES or kind in ("uuid", "bytea", "enum", "pair")
)


_GROUPINGS = (
    *(" group by {}",) * 2,
    *(" group by rollup ({})", " group by cube ({})", " group by grouping sets (({}), ())"),
)


def query(world: World, random: Random, taste: Taste, parameters: Parameters | None = None) -> Query:
    """A whole query."""
    return Queries(world, random, taste, parameters or Parameters()).whole()


class Queries:
    """The queries of one statement."""

    def __init__(self, world: World, random: Random, taste: Taste, parameters: Parameters) -> None:
        self.world, self.random, self.taste = world, random, taste
        self.expressions = Expressions(world, random, taste, parameters)
        self.expressions.subqueries = self
        self.sources = Sources(self.expressions, self._inner)
        self.one_in = self.expressions.one_in

    def whole(self) -> Query:
        """With common tables, set operations and all."""
        return self._with(4, 6, Scope(), 2, is_named=self.taste.is_view)

    def _inner(self, around: Scope, depth: int) -> Query:
        """A subquery in FROM."""
        return self._with(8, 7, around, depth, is_named=True)

    def _with(self, common: int, combined: int, around: Scope, depth: int, *, is_named: bool) -> Query:
        """With common tables or as a set operation, each once in so many times."""
        before = len(self.sources.common)
        prefix = self._common() if self.one_in(common) else ""
        made = self._combined() if self.one_in(combined) else self.select(around, depth, is_named=is_named)
        del self.sources.common[before:]
        return replace(made, text=prefix + made.text)

    # -- Subqueries, for expressions

    def scalar(self, kind: str, scope: Scope, depth: int, *, is_clean: bool) -> Query:
        """At most one row of one column."""
        inner = Scope(parent=scope)
        text = self.sources.clause(inner, depth)[0]
        if kind in AGGREGATES and self.one_in(2):
            # An outer column would make it an aggregate of the outer query.
            own = Scope(list(inner.sources), merged=inner.merged)
            made = self.expressions.aggregate(kind, own)
            if is_clean and made.is_tainted:
                template = "max({int!})" if kind == "int" else "(array_agg({" + kind + "!}))[1]"
                made = self.expressions.fill(template, own, 0, is_clean=True)
            where = self._looked(inner, depth, is_clean=is_clean)
            return Query(
                f"select {made.text}{text}{where.text}", (Col("", kind, made.is_tainted),), where.is_tainted
            )
        made = self.expressions.value(kind, inner, depth, is_clean=is_clean)
        where = self._looked(inner, depth, is_clean=is_clean)
        order = f" order by {self.expressions.ordered(inner).text}" if inner.sources else ""
        return Query(
            f"select {made.text}{text}{where.text}{order} limit 1",
            (Col("", kind, made.is_tainted),),
            where.is_tainted,
        )

    def listing(self, kind: str, scope: Scope, depth: int, *, is_clean: bool) -> Query:
        """Any rows of one column."""
        inner = Scope(parent=scope)
        text = self.sources.clause(inner, depth)[0]
        made = self.expressions.value(kind, inner, depth, is_clean=is_clean)
        where = self._looked(inner, depth, is_clean=is_clean)
        return Query(
            f"select {made.text}{text}{where.text}", (Col("", kind, made.is_tainted),), where.is_tainted
        )

    def _looked(self, scope: Scope, depth: int, *, is_clean: bool) -> Made:
        if not self.one_in(3):
            return Made("")
        condition = self.expressions.looked(scope, min(depth, 2), is_clean=is_clean)
        return Made(f" where {condition.text}", condition.is_tainted)

    # -- a query level

    def select(
        self, parent: Scope, depth: int, *, is_named: bool, kinds: Sequence[str] | None = None
    ) -> Query:
        """SELECT ... FROM ... and what follows; `kinds` of its columns where they are given."""
        if kinds is None and self.one_in(12):
            return self._values()
        scope = Scope(parent=parent if parent.sources or parent.parent else None)
        from_, star = self.sources.clause(scope, depth)
        where = self._where(scope, depth)
        rows = scope.size
        if self.one_in(5) and (kinds is None or set(kinds) <= AGGREGATES.keys()):
            return self._grouped(scope, from_ + where, kinds, is_named)
        outputs = self._outputs(scope, star, depth, kinds, is_named)
        text = ", ".join(self._shown(made, column) for made, column in outputs)
        columns = tuple(column for _, expanded in outputs for column in self._expanded(expanded, star, scope))
        head, tail = self._distinct(scope, outputs), ""
        if self.one_in(3) and "on" not in head:
            tail = self._order(scope, outputs, is_free=not head)
        if self.one_in(5):
            tail += f" limit {self.random.randint(0, 4)}" + (" offset 1" if self.one_in(3) else "")
            rows = 4
        return Query(f"select {head}{text}{from_}{where}{tail}", columns, rows=rows)

    def _outputs(
        self, scope: Scope, star: tuple[Col, ...], depth: int, kinds: Sequence[str] | None, is_named: bool
    ) -> list[tuple[Made, Col]]:
        taken: set[str] = set()
        outputs: list[tuple[Made, Col]] = []
        if kinds is None and scope.sources and self.one_in(4):
            outputs = [self._star(scope, star)]
            names = [column.name for column in self._expanded(outputs[0][1], star, scope)]
            taken.update(names)
            if is_named and len(taken) < len(names):
                outputs, taken = [], set()
        count = self.random.randint(0, 1) if outputs else self.random.randint(1, 4)
        for kind in kinds or [self._kind(scope) for _ in range(count)]:
            outputs.append(self._output(scope, depth, kind, is_named, taken))
            taken.add(outputs[-1][1].name)
        return outputs

    def _kind(self, scope: Scope) -> str:
        """Mostly of a kind that there is."""
        kinds = [column.kind for _, column in scope.visible() if column.kind in RANDOM_KINDS]
        return self.random.choice(kinds if kinds and not self.one_in(4) else RANDOM_KINDS)

    def _output(
        self, scope: Scope, depth: int, kind: str, is_named: bool, taken: set[str]
    ) -> tuple[Made, Col]:
        if kind in WINDOWED and self.one_in(12) and scope.sources:
            made = self.expressions.windowed(kind, scope)
        else:
            made = self.expressions.value(kind, scope, depth)
        if made.name and made.name not in taken and self.one_in(2):
            return made, Col(made.name, kind, made.is_tainted)
        free = [name for name in NAMES if name not in taken]
        if is_named or self.one_in(2):
            return replace(made, name=""), Col(self.random.choice(free or ["g"]), kind, made.is_tainted)
        return replace(made, name="?"), Col("", kind, made.is_tainted)

    def _shown(self, made: Made, column: Col) -> str:
        if column.kind == "*" or made.name in (column.name, "?"):
            return made.text
        return f"{made.text} as {column.name}"

    def _star(self, scope: Scope, star: tuple[Col, ...]) -> tuple[Made, Col]:
        """`*`, `x.*` or `(x).*`; its column stands for several."""
        source = self.random.choice(scope.sources)
        if self.one_in(2) or len(scope.sources) == 1:
            is_tainted = any(column.is_tainted for column in star)
            if len(scope.sources) == 1 and self.one_in(2):
                return Made(f"{source.alias}.*", is_tainted), Col(source.alias, "*", is_tainted)
            return Made("*", is_tainted), Col("", "*", is_tainted)
        text = f"({source.alias}).*" if source in scope.rows() and self.one_in(2) else f"{source.alias}.*"
        return Made(text, source.is_tainted), Col(source.alias, "*", source.is_tainted)

    def _expanded(self, column: Col, star: tuple[Col, ...], scope: Scope) -> tuple[Col, ...]:
        if column.kind != "*":
            return (column,)
        if not column.name:
            return star
        return next(source.columns for source in scope.sources if source.alias == column.name)

    def _grouped(self, scope: Scope, middle: str, kinds: Sequence[str] | None, is_named: bool) -> Query:
        count = self.random.randint(1, 2) if scope.sources else 0
        keys = [key for key in (self.expressions.ordered(scope) for _ in range(count)) if key.name]
        kinds_of = {text: column.kind for text, column in scope.visible()}
        outputs: list[tuple[str, Col]] = []
        if kinds is None:
            for name, key in zip(("g", "h"), keys, strict=False):
                outputs.append((f"{key.text} as {name}", Col(name, kinds_of[key.text], key.is_tainted)))
            kinds = self.random.sample(list(AGGREGATES), self.random.randint(1, 2))
        group = self._group_by(keys, has_outputs=bool(outputs))
        for name, kind in zip(self.random.sample(NAMES, len(kinds)), kinds, strict=True):
            made = self.expressions.aggregate(kind, scope)
            shown = f"{made.text} as {name}" if is_named or self.one_in(2) else made.text
            outputs.append((shown, Col(name, kind, made.is_tainted)))
        having = f" having count(*) > {self.random.randint(0, 2)}" if self.one_in(5) else ""
        text = ", ".join(shown for shown, _ in outputs)
        return Query(
            f"select {text}{middle}{group}{having}", tuple(column for _, column in outputs), rows=scope.size
        )

    def _group_by(self, keys: list[Made], *, has_outputs: bool) -> str:
        if not keys:
            return ""
        if has_outputs and self.one_in(4):
            return " group by " + ", ".join(str(at) for at in range(1, len(keys) + 1))
        listed = ", ".join(key.text for key in keys)
        return self.random.choice(_GROUPINGS).format(listed)

    def _distinct(self, scope: Scope, outputs: list[tuple[Made, Col]]) -> str:
        if not self.one_in(9) or not scope.sources:
            return ""
        if self.one_in(2):
            return f"distinct on ({self.expressions.ordered(scope).text}) "
        is_open = self.taste.is_wild and self.one_in(3)
        if all(column.kind in ORDERED and (is_open or not made.is_tainted) for made, column in outputs):
            return "distinct "
        return ""

    def _order(self, scope: Scope, outputs: list[tuple[Made, Col]], *, is_free: bool) -> str:
        """By an output's number or name, or, where that is free, by what is no output."""
        if any(column.kind == "*" for _, column in outputs):
            return ""
        is_open = self.taste.is_wild and self.one_in(3)
        places = [
            at
            for at, (made, column) in enumerate(outputs)
            if column.kind in ORDERED and (is_open or not made.is_tainted)
        ]
        if places and not (is_free and self.one_in(3)):
            at = self.random.choice(places)
            names = [column.name for _, column in outputs]
            is_named = bool(names[at]) and names.count(names[at]) == 1 and is_free and self.one_in(2)
            word = self.random.choice(("", " desc", " nulls first"))
            return f" order by {names[at] if is_named else at + 1}{word}"
        if is_free and scope.sources:
            return f" order by {self.expressions.ordered(scope).text}"
        return ""

    def _where(self, scope: Scope, depth: int) -> str:
        if not self.one_in(3):
            return ""
        return f" where {self.expressions.condition(scope, min(depth, 2)).text}"

    def _values(self) -> Query:
        kinds = [self.random.choice(("text", "int", "date")) for _ in range(self.random.randint(1, 3))]
        scope = Scope()
        rows = [
            [self.expressions.value(kind, scope, 1) for kind in kinds]
            for _ in range(self.random.randint(1, 3))
        ]
        text = ", ".join("({})".format(", ".join(value.text for value in row)) for row in rows)
        columns = tuple(
            Col(f"column{at}", kind, any(row[at - 1].is_tainted for row in rows))
            for at, kind in enumerate(kinds, 1)
        )
        return Query(f"values {text}", columns, rows=len(rows))

    # -- set operations and common tables

    def _combined(self) -> Query:
        kinds = [
            self.random.choice(("text", "int", "num", "date", "jsonb"))
            for _ in range(self.random.randint(1, 3))
        ]
        left = self.select(Scope(), 1, is_named=True, kinds=kinds)
        right = self.select(Scope(), 1, is_named=True, kinds=kinds)
        words = ["union all"]
        if not (left.is_tainted or right.is_tainted) or (self.taste.is_wild and self.one_in(3)):
            words += ["union", "intersect", "except", "intersect all", "except all"]
        columns = tuple(
            Col(one.name, one.kind, one.is_tainted or other.is_tainted)
            for one, other in zip(left.columns, right.columns, strict=True)
        )
        clean = [at for at, column in enumerate(columns, 1) if not column.is_tainted]
        order = f" order by {self.random.choice(clean)}" if clean and self.one_in(3) else ""
        return Query(
            f"({left.text}) {self.random.choice(words)} ({right.text}){order}",
            columns,
            rows=left.rows + right.rows,
        )

    def _common(self) -> str:
        shown = []
        is_recursive = self.one_in(4)
        for name in self.random.sample(COMMON, self.random.randint(1, 2)):
            if is_recursive and self.one_in(2):
                shown.append(self._recursive(name))
                continue
            made = self._combined() if self.one_in(5) else self.select(Scope(), 1, is_named=True)
            columns, names = made.columns, ""
            if self.one_in(4):
                columns, names = self.sources.renamed(columns)
            word = self.random.choice(("", "", "materialized ", "not materialized "))
            shown.append(f"{name}{names} as {word}({made.text})")
            self.sources.common.append(Source(name, columns, rows=made.rows))
        return f"with {'recursive ' if is_recursive else ''}{', '.join(shown)} "

    def _recursive(self, name: str) -> str:
        """Its columns of text change places on the way."""
        base = self.select(Scope(), 1, is_named=True, kinds=["int", "text", "text", "text"])
        texts = ("b", "c", "d")
        forms = ("{}", "{}", "{} || 'x'", "upper({})")
        steps = [self.random.choice(forms).format(each) for each in self.random.sample(texts, len(texts))]
        is_tainted = any(column.is_tainted for column in base.columns[1:])
        columns = (
            Col("a", "int", base.columns[0].is_tainted),
            *(Col(each, "text", is_tainted) for each in texts),
            Col("n", "int"),
        )
        self.sources.common.append(Source(name, columns, rows=4 * base.rows))
        return (
            f"{name} (a, b, c, d, n) as ("
            f"select a::int, b::text, c::text, d::text, 1 from ({base.text}) as q (a, b, c, d)"
            f" union all select a, {', '.join(f'({each})::text' for each in steps)}, n + 1 from {name} where n < 4)"
        )
