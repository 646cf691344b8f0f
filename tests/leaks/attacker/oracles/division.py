"""Arithmetic on the value itself that fails at a limit: division by zero, overflow."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS, Condition, Written
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row
from tests.leaks.attacker.questions import Question, Split
from tests.leaks.attacker.space import DOB, SSN

_NUMBER = "replace(c.ssn, '-', '')"
_MOST = 2**31 - 1


def _limit(text: str) -> Condition:
    """A text with the middle of the question, and how far it is from the largest integer."""

    def write(question: Question) -> Written:
        assert isinstance(question, Split)
        return Written(
            text.replace("<middle>", str(question.middle)).replace("<rest>", str(_MOST - question.middle + 1))
        )

    return Condition("limit", SSN, write)


def _dated(text: str) -> Condition:
    def write(question: Question) -> Written:
        assert isinstance(question, Split)
        return Written(text.replace("<middle>", DOB.text(question.middle)))

    return Condition("limit", DOB, write)


ORACLE = Oracle(
    "division",
    "arithmetic that fails at a limit",
    (
        *by_row(("overflow", f"SELECT <cond> {OF}"), conditions=(_limit(f"{_NUMBER}::int + <rest>"),)),
        *by_row(("overflow in a WHERE", f"SELECT 1 {OF} AND <cond> > 0"), conditions=(_limit(f"{_NUMBER}::int + <rest>"),)),
        *by_row(("overflow of a sum", f"SELECT sum(<cond>) {OF}"), conditions=(_limit(f"{_NUMBER}::int + <rest>"),)),
        *by_row(("integer division", f"SELECT <cond> {OF}"), conditions=(_limit(f"1 / ({_NUMBER}::int / <middle>)"),)),
        *by_row(("modulo", f"SELECT <cond> {OF}"), conditions=(_limit(f"1 % ({_NUMBER}::int / <middle>)"),)),
        *by_row(("range bounds", f"SELECT <cond> {OF}"), conditions=(_limit(f"int4range({_NUMBER}::int, <middle> - 1)"),)),
        *by_row(("root", f"SELECT <cond> {OF}"), conditions=(_limit(f"sqrt({_NUMBER}::int - <middle>)"),)),
        *by_row(("logarithm", f"SELECT <cond> {OF}"), conditions=(_limit(f"ln({_NUMBER}::int - <middle> + 1)"),)),
        *by_row(("factorial", f"SELECT <cond> {OF}"), conditions=(_limit(f"factorial(least({_NUMBER}::int - <middle>, 1))"),)),
        *by_row(("range of dates", f"SELECT <cond> {OF}"), conditions=(_dated("daterange(c.dob, date '<middle>' - 1)"),)),
        *by_row(("date overflow", f"SELECT <cond> {OF}"), conditions=(_dated("c.dob + (date '5874897-12-31' - date '<middle>' + 1)"),)),
        *by_row(
            ("of a condition", f"SELECT 1 / (<cond>)::int {OF}"),
            ("of a condition, in a WHERE", f"SELECT 1 {OF} AND 1 / (<cond>)::int = 1"),
            ("numeric", f"SELECT 1.0 / (<cond>)::int {OF}"),
            ("float", f"SELECT 1 / (<cond>)::int::float {OF}"),
            ("aggregate", f"SELECT 1 / sum((<cond>)::int) {OF}"),
            ("power", f"SELECT 0.0 ^ ((<cond>)::int - 1) {OF}"),
            ("interval", f"SELECT interval '1 day' / (<cond>)::int {OF}"),
            conditions=(SPLITS["range"], SPLITS["substr"], SPLITS["regex"]),
        ),
    ),
)  # fmt: skip
