"""A question about a labelled column, written as an SQL condition; each name is one way to write it.

Law: every way asks the same question, so that two attempts that differ in it show which kinds of conditions pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.leaks.attacker.questions import DigitBelow, Question, Split, Window, unit_of
from tests.leaks.attacker.space import DOB, SSN, Space, place


@dataclass(frozen=True, slots=True)
class Written:
    """A condition on `c`, with the parameters that it names."""

    sql: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to write a question about a column."""

    name: str
    space: Space
    write: Callable[[Question], Written]


@dataclass(frozen=True, slots=True)
class _Digits:
    """A split of social security numbers, as its known digits and the limits of the next one."""

    prefix: str
    first: int
    middle: int
    at: int
    """Where the next digit stands, from 1."""

    @property
    def below(self) -> str:
        return "".join(str(each) for each in range(self.first, self.middle))

    @property
    def heads(self) -> list[str]:
        return [self.prefix + each for each in self.below]


def _digits(question: Question) -> _Digits:
    assert isinstance(question, Split) and question.space is SSN
    unit = unit_of(question.high - question.low)
    at = place(8 - round(math.log10(unit)))
    first = question.low // unit % 10
    text = SSN.text(question.low)
    return _Digits(text[: at - 1], first, first + (question.middle - question.low) // unit, at)


def _quoted(texts: list[str]) -> str:
    return ", ".join(f"'{each}'" for each in texts)


def _split(name: str, write: Callable[[_Digits, str], str]) -> Condition:
    def written(question: Question) -> Written:
        assert isinstance(question, Split)
        return Written(write(_digits(question), SSN.text(question.middle)))

    return Condition(name, SSN, written)


def _sql_in(heads: list[str]) -> str:
    return " OR ".join(f"c.ssn LIKE '{head}%'" for head in heads)


SPLITS = {
    each.name: each
    for each in (
        _split("range", lambda d, middle: f"c.ssn < '{middle}'"),
        _split("substr", lambda d, middle: f"substr(c.ssn, {d.at}, 1) < '{d.middle}'"),
        _split("like", lambda d, middle: f"({_sql_in(d.heads)})"),
        _split("regex", lambda d, middle: f"c.ssn ~ '^{d.prefix}[{d.below}]'"),
        _split("left", lambda d, middle: f"left(c.ssn, {d.at}) IN ({_quoted(d.heads)})"),
        _split("between", lambda d, middle: f"c.ssn BETWEEN '{d.heads[0]}' AND '{d.heads[-1]}~'"),
        _split("row", lambda d, middle: f"(c.ssn, c.id) < ('{middle}', 0)"),
        _split("greatest", lambda d, middle: f"greatest(c.ssn, '{middle}') <> c.ssn"),
        _split("number", lambda d, middle: f"replace(c.ssn, '-', '')::int < {int(middle.replace('-', ''))}"),
        _split("starts with", lambda d, middle: "(" + " OR ".join(f"starts_with(c.ssn, '{h}')" for h in d.heads) + ")"),
        _split("caret", lambda d, middle: "(" + " OR ".join(f"c.ssn ^@ '{h}'" for h in d.heads) + ")"),
        _split("like any", lambda d, middle: f"c.ssn LIKE ANY (ARRAY[{_quoted([h + '%' for h in d.heads])}])"),
        _split("ilike", lambda d, middle: "(" + " OR ".join(f"c.ssn ILIKE '{h}%'" for h in d.heads) + ")"),
        _split("similar", lambda d, middle: f"c.ssn SIMILAR TO '{d.prefix}[{d.below}]%'"),
        _split("strpos", lambda d, middle: f"strpos('{d.below}', substr(c.ssn, {d.at}, 1)) > 0"),
        _split("any array", lambda d, middle: f"substr(c.ssn, {d.at}, 1) = ANY ('{{{','.join(d.below)}}}')"),
        _split("regexp", lambda d, middle: f"regexp_match(c.ssn, '^{d.prefix}[{d.below}]') IS NOT NULL"),
        _split("whole row", lambda d, middle: f"c::text ~ 'example,{d.prefix}[{d.below}]'"),
        _split("json", lambda d, middle: f"to_jsonb(c) ->> 'ssn' < '{middle}'"),
        _split("null", lambda d, middle: f"nullif(c.ssn < '{middle}', false) IS NOT NULL"),
        _split("case", lambda d, middle: f"CASE WHEN c.ssn < '{middle}' THEN true ELSE false END"),
        _split("subquery", lambda d, middle: f"(SELECT s FROM (SELECT c.ssn AS s) AS x) < '{middle}'"),
        _split("any values", lambda d, middle: f"c.ssn < ANY (VALUES ('{middle}'))"),
        _split("collate", lambda d, middle: f"c.ssn COLLATE \"C\" < '{middle}'"),
        _split("not", lambda d, middle: f"NOT c.ssn >= '{middle}'"),
        _split("is true", lambda d, middle: f"(c.ssn < '{middle}') IS TRUE"),
        _split("array overlap", lambda d, middle: f"ARRAY[substr(c.ssn, {d.at}, 1)] && '{{{','.join(d.below)}}}'::text[]"),
    )
}  # fmt: skip
"""Ways to ask for the half in which a social security number lies."""


def _parameter(question: Question) -> Written:
    assert isinstance(question, Split)
    return Written("c.ssn < $1", (SSN.text(question.middle),))


def _pattern_parameter(question: Question) -> Written:
    digits = _digits(question)
    return Written("c.ssn ~ $1", (f"^{digits.prefix}[{digits.below}]",))


PARAMETERS = {
    each.name: each
    for each in (
        Condition("range parameter", SSN, _parameter),
        Condition("pattern parameter", SSN, _pattern_parameter),
    )
}


def _day_range(question: Question) -> Written:
    assert isinstance(question, Split)
    return Written(f"c.dob < '{DOB.text(question.middle)}'")


def _days(low: int, high: int) -> list[str]:
    return [DOB.text(day) for day in range(low, high)]


def _in_days(write: Callable[[list[str]], str]) -> Callable[[Question], Written]:
    def written(question: Question) -> Written:
        if isinstance(question, Split):
            return Written(write(_days(question.low, question.middle)))
        assert isinstance(question, Window)
        return Written(write(_days(question.low, question.high)))

    return written


def _day_parameters(question: Question) -> Written:
    assert isinstance(question, Window)
    days = tuple(_days(question.low, question.high))
    return Written(f"c.dob IN ({', '.join(f'${n}' for n in range(1, len(days) + 1))})", days)


def _day_array(question: Question) -> Written:
    low, high = (question.low, question.middle if isinstance(question, Split) else question.high)  # type: ignore[attr-defined]
    return Written("c.dob = ANY ($1)", ("{" + ",".join(_days(low, high)) + "}",))


DAYS = {
    each.name: each
    for each in (
        Condition("in", DOB, _in_days(lambda days: f"c.dob IN ({_quoted(days)})")),
        Condition("any", DOB, _in_days(lambda days: f"c.dob = ANY ('{{{','.join(days)}}}')")),
        Condition("any array", DOB, _in_days(lambda days: f"c.dob = ANY (ARRAY[{_quoted(days)}]::date[])")),
        Condition(
            "or", DOB, _in_days(lambda days: "(" + " OR ".join(f"c.dob = '{day}'" for day in days) + ")")
        ),
        Condition("in parameters", DOB, _day_parameters),
        Condition("any parameter", DOB, _day_array),
    )
}
"""Ways to ask whether a birthday is one of some days."""


def _below(name: str, write: Callable[[int, int], str]) -> Condition:
    def written(question: Question) -> Written:
        assert isinstance(question, DigitBelow)
        return Written(write(place(question.at), question.limit))

    return Condition(name, SSN, written)


BELOW = {
    each.name: each
    for each in (
        _below("substr", lambda at, limit: f"substr(c.ssn, {at}, 1) < '{limit}'"),
        _below("regex", lambda at, limit: f"c.ssn ~ '^.{{{at - 1}}}[0-{limit - 1}]'"),
        _below(
            "like",
            lambda at, limit: (
                "(" + " OR ".join(f"c.ssn LIKE '{'_' * (at - 1)}{each}%'" for each in range(limit)) + ")"
            ),
        ),
    )
}
"""Ways to ask all rows at once about one digit."""

DAY_RANGE = Condition("range of days", DOB, _day_range)
USUAL = (*(SPLITS[name] for name in ("range", "substr", "regex", "like", "left")), DAY_RANGE)
"""One of each kind: what an oracle that is about something else asks with."""
RANGE = (SPLITS["range"],)
