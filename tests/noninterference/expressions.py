"""Random expressions of a wanted kind over a scope.

Law: `is_clean` asks for one that carries no secret and, unless the taste is wild, gets it.
"""

from __future__ import annotations

import re
from random import Random
from typing import Protocol

from tests.noninterference.edges import OPEN, Edge
from tests.noninterference.kinds import KINDS, ORDERED
from tests.noninterference.scope import Col, Made, Parameters, Query, Scope, Taste, World
from tests.noninterference.templates import AGGREGATES, FAILING, HOLE, WINDOWED, cleaned, templates

CAST = re.compile(r"\{\w+\}::\S+")
CALLS = ("peek({int!}::int)", "nick({row})", "{row}.nick")
"""The schema's own functions, in SQL: seen through, and vouched for by nobody."""


class Subqueries(Protocol):
    """Makes the queries inside expressions."""

    def scalar(self, kind: str, scope: Scope, depth: int, *, is_clean: bool) -> Query: ...

    def listing(self, kind: str, scope: Scope, depth: int, *, is_clean: bool) -> Query: ...


class Expressions:
    """Expressions of one statement."""

    def __init__(self, world: World, random: Random, taste: Taste, parameters: Parameters) -> None:
        self.world, self.random, self.taste, self.parameters = world, random, taste, parameters
        self.subqueries: Subqueries
        self.fuel = 12
        """How many subqueries and templates the statement may still hold."""
        self.is_firm = False
        """What is clean must be, however wild the taste: it may make the statement fail."""

    def one_in(self, number: int) -> bool:
        return self.random.randrange(number) == number - 1

    # -- values

    def value(self, kind: str, scope: Scope, depth: int = 2, *, is_clean: bool = False) -> Made:
        """An expression of that kind."""
        is_clean = is_clean and (self.is_firm or not (self.taste.is_wild and self.one_in(3)))
        columns = self.columns(kind, scope, is_clean=is_clean)
        if depth > 0 and self.fuel > 0:
            made = self._deep(kind, scope, depth, is_clean)
            if made is not None:
                return made
        if columns and not self.one_in(7):
            secret = [each for each in columns if each[1].is_tainted]
            text, column = self.random.choice(secret if secret and self.one_in(2) else columns)
            return Made(text, column.is_tainted, column.name)
        return self.literal(kind)

    def columns(self, kind: str, scope: Scope, *, is_clean: bool) -> list[tuple[str, Col]]:
        return [
            (text, column)
            for text, column in scope.visible()
            if column.kind == kind and not (is_clean and column.is_tainted)
        ]

    def literal(self, kind: str) -> Made:
        found = KINDS[kind]
        value = self.random.choice(found.pool) if not self.one_in(9) else None
        cast = found.cast.replace("{s}", self.world.schema)
        if self.taste.takes_parameters and not self.one_in(3):
            return Made(self.parameters.add(value, cast))
        if value is None:
            return Made(f"null::{cast}")
        return Made("'{}'::{}".format(value.replace("'", "''"), cast))

    def _deep(self, kind: str, scope: Scope, depth: int, is_clean: bool) -> Made | None:
        """Something with parts; None for a column or a literal."""
        choice = self.random.randrange(16)
        if choice < 8:
            return None
        self.fuel -= 1
        if choice == 8:
            return self._row(kind, scope, is_clean)
        if choice == 9:
            query = self.subqueries.scalar(kind, scope, depth - 1, is_clean=is_clean)
            return Made(f"({query.text})", query.is_tainted or query.is_selected)
        if choice == 10 and kind in ("bool", "arr"):
            return self._subquery(kind, scope, depth, is_clean)
        if kind == "text" and not is_clean and not self.taste.is_view and self.one_in(16):
            return self._call(scope)
        if not self.taste.is_view and self.one_in(10):
            return self._failing(kind, scope, depth, is_clean)
        return self.fill(self.template(kind, scope), scope, depth, is_clean=is_clean)

    def _failing(self, kind: str, scope: Scope, depth: int, is_clean: bool) -> Made:
        """What some values make fail: secret ones only where that is no open edge."""
        at = self.random.randrange(len(FAILING[kind]))
        template = FAILING[kind][at]
        edge = Edge.CASTS if CAST.fullmatch(template) else Edge.FAILURES
        if edge not in OPEN:
            return self.fill(template, scope, 1, is_clean=is_clean)
        before, self.is_firm = self.is_firm, True
        made = self.fill(cleaned(template), scope, depth, is_clean=is_clean)
        self.is_firm = before
        return made

    def template(self, kind: str, scope: Scope) -> str:
        """Mostly one with a hole for something that there is."""
        found = templates(kind, self.world.version)
        kinds = {column.kind for _, column in scope.visible()}
        chosen = self.random.choice(found)
        for _ in range(3):
            if any(hole[1] in kinds for hole in HOLE.finditer(chosen)):
                break
            chosen = self.random.choice(found)
        return chosen

    def fill(self, template: str, scope: Scope, depth: int, *, is_clean: bool) -> Made:
        """The template with values in its holes."""
        is_tainted = False
        text, at = "", 0
        for hole in HOLE.finditer(template):
            value = self.value(hole[1], scope, depth - 1, is_clean=is_clean or bool(hole[2]))
            is_tainted |= value.is_tainted
            text += template[at : hole.start()] + value.text
            at = hole.end()
        return Made(f"({text}{template[at:]})".replace("{s}", self.world.schema), is_tainted)

    def _row(self, kind: str, scope: Scope, is_clean: bool) -> Made | None:
        """A whole row, or a column out of one, in the ways that PostgreSQL has."""
        rows = scope.rows()
        if not rows:
            return None
        source = self.random.choice(rows)
        whole = {
            "text": ("{}::text", "row_to_json({})::text", "concat({})", "quote_literal({}::text)"),
            "jsonb": ("to_jsonb({})", "jsonb_build_object('r', {})"),
            "json": ("row_to_json({})", "to_json({})", "json_build_array({})"),
            "int": ("num_nulls({})", "pg_column_size({})"),
        }
        if kind in whole and self.one_in(2):
            if is_clean and source.is_tainted:
                return None
            return Made("(" + self.random.choice(whole[kind]).format(source.alias) + ")", source.is_tainted)
        columns = [c for c in source.named() if c.kind == kind and not (is_clean and c.is_tainted)]
        if not columns:
            return None
        column = self.random.choice(columns)
        forms = ["({0}).{1}", "{1}({0})", "(select r.{1} from (select {0}.*) r)"]
        if kind == "text":
            forms.append("(row_to_json({0}) ->> '{1}')")
        if source.is_relation:
            forms += ["(select {0}).{1}", "(array[{0}])[1].{1}", "(coalesce({0}, null)).{1}"]
        form = self.random.choice(forms)
        return Made(form.format(source.alias, column.name), column.is_tainted)

    def _subquery(self, kind: str, scope: Scope, depth: int, is_clean: bool) -> Made:
        other = self.random.choice(("text", "int"))
        if kind == "arr":
            query = self.subqueries.listing("text", scope, depth - 1, is_clean=is_clean)
            return Made(f"array({query.text})", query.is_tainted or query.is_selected)
        query = self.subqueries.listing(other, scope, depth - 1, is_clean=is_clean)
        if self.one_in(2):
            return Made(f"exists ({query.text})", query.is_selected)
        value = self.value(other, scope, 0, is_clean=is_clean)
        word = self.random.choice(("in", "not in", "= any", "<> all"))
        return Made(
            f"({value.text} {word} ({query.text}))", query.is_tainted or query.is_selected or value.is_tainted
        )

    def _call(self, scope: Scope) -> Made | None:
        template = self.random.choice(CALLS)
        rows = [source for source in scope.rows() if source.is_relation]
        if "{row}" in template:
            return Made(template.replace("{row}", rows[0].alias), True) if rows else None
        return self.fill(f"{self.world.schema}.{template}", scope, 0, is_clean=True)

    # -- aggregates and windows

    def aggregate(self, kind: str, scope: Scope) -> Made:
        """Over the rows of a group."""
        made = self.fill(self.random.choice(AGGREGATES[kind]), scope, 1, is_clean=False)
        if self.one_in(5) and made.text.endswith("))") and made.text.count("(") == 2:
            condition = self.looked(scope, 1, is_clean=False)
            return Made(
                f"({made.text[1:-1]} filter (where {condition.text}))",
                made.is_tainted or condition.is_tainted,
            )
        return made

    def windowed(self, kind: str, scope: Scope) -> Made:
        """Over a window that clean values make."""
        made = self.fill(self.random.choice(WINDOWED[kind]), scope, 1, is_clean=False)
        over = []
        if self.one_in(2):
            over.append(f"partition by {self.ordered(scope).text}")
        if self.one_in(2):
            over.append(
                f"order by {self.ordered(scope).text} {self.random.choice(('', 'desc', 'nulls first'))}"
            )
            if self.one_in(3):
                over.append("rows between 1 preceding and current row")
        return Made(made.text.replace(" OVER", f" over ({' '.join(over)})"), made.is_tainted)

    # -- what decides

    def looked(self, scope: Scope, depth: int, *, is_clean: bool) -> Made:
        """What selects the rows that an expression looks at."""
        is_open = self.taste.is_owned and Edge.LOOKS not in OPEN
        return self.condition(scope, depth, is_clean=is_clean or not is_open or not self.one_in(4))

    def condition(self, scope: Scope, depth: int = 2, *, is_clean: bool = True) -> Made:
        """What may select rows; seldom none."""
        made = self.fill(self.template("bool", scope), scope, depth, is_clean=is_clean)
        if self.one_in(3):
            return made
        return Made(f"({made.text} is not false)", made.is_tainted)

    def ordered(self, scope: Scope) -> Made:
        """What may sort and group: mostly a column."""
        columns = [
            (text, column)
            for text, column in scope.visible()
            if column.kind in ORDERED
            and (not column.is_tainted or (self.taste.is_wild and not self.is_firm and self.one_in(3)))
        ]
        if columns and not self.one_in(6):
            text, column = self.random.choice(columns)
            return Made(text, column.is_tainted, column.name)
        return self.fill("{int!} + 1", scope, 1, is_clean=True)
