"""Tests of policies, as tables beside them: `policies/*.test.yaml`.

    cases:
      - name: support cannot read payroll
        as: User/alice                      # her groups are those of narrows.yaml unless `groups` says others
        connection: shop                    # or shop/otherdb
        sql: SELECT * FROM payroll          # or `operations`, below
        expect: deny                        # allow, deny or review
        rule: payroll-is-finance-only       # a policy that must be among the deciding ones
      - name: support sees the last four
        as: User/alice
        connection: shop
        operations:
          - select Table::"shop/public.customers"
          - {action: filter, resource: 'Column::"shop/public.customers.ssn"', labels: [ssn], facts: {kind: constant}}
        discloses: {'Column::"shop/public.customers.ssn"': [ssn]}
        expect: allow
        shows: {'Column::"shop/public.customers.ssn"': partial}

More may be said: `groups`, `facts` (of the statement), `from: {address, tls, application}`, `at` (a time in
UTC, such as "2026-03-01T22:00:00Z"), `reason` (a name of the closed list).

This module takes plain values, not text: the caller reads the YAML. `sql` needs an analyser, which the caller
passes in, for policy knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from narrows.model.label import Labels, Rung
from narrows.model.reason import Reason
from narrows.model.resource import Resource
from narrows.model.session import Session
from narrows.model.verdict import Effect, MaskObligation, Verdict
from narrows.policy.case import Case, World
from narrows.policy.case_table import CaseError, parse
from narrows.policy.engine import evaluate
from narrows.policy.policyset import PolicySet
from narrows.policy.request import Query

__all__ = ["Case", "CaseError", "Difference", "Result", "World", "effect_word", "parse", "run"]


@dataclass(frozen=True, slots=True)
class Difference:
    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what policy said."""

    case: Case
    verdict: Verdict
    differences: tuple[Difference, ...]

    @property
    def is_passed(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        head = f"{'ok  ' if self.is_passed else 'FAIL'} {self.case.name} ({self.case.file}:{self.case.line})"
        if self.is_passed:
            return head
        said = [f"     said: {self.verdict.message}"] if self.verdict.message else []
        return "\n".join([head, *(f"     {difference}" for difference in self.differences), *said])


def run(policies: PolicySet, case: Case, labels: Labels | None = None) -> Result:
    """Ask the case's question and compare."""
    session = Session(
        id="case",
        principal=case.principal,
        connection=case.connection,
        database=case.database,
        protocol=case.statement.protocol,
        client=case.client,
        started_at=case.at,
        method="token",
        token_id="case",  # noqa: S106 - not a token
        expires_at=case.at + 3600,
    )
    verdict = evaluate(
        policies, Query(case.principal, session, case.statement, labels or case.labels), case.at
    )
    return Result(case, verdict, tuple(_differences(case, verdict)))


def _differences(case: Case, verdict: Verdict) -> Iterator[Difference]:
    effect = effect_word(verdict)
    if effect != case.expect:
        yield Difference("effect", case.expect, effect)
    if case.reason is not None and verdict.reason is not case.reason:
        yield Difference("reason", case.reason.name, verdict.reason.name if verdict.reason else "none")
    if case.rule is not None and case.rule not in verdict.policies:
        yield Difference("rule", case.rule, ", ".join(verdict.policies) or "none")
    rungs = _rungs(verdict)
    for column, rung in case.shows.items():
        got = rungs.get(column)
        if got is not rung:
            yield Difference(
                f"shows {column}", rung.name.lower(), got.name.lower() if got is not None else "nothing"
            )


def effect_word(verdict: Verdict) -> str:
    """allow, deny or review: a deny that reviews would lift counts as review."""
    if verdict.reason is Reason.REVIEW_REQUIRED or verdict.effect is Effect.REVIEW:
        return "review"
    return str(verdict.effect)


def _rungs(verdict: Verdict) -> Mapping[Resource, Rung]:
    masks = (each for each in verdict.obligations if isinstance(each, MaskObligation))
    return next((each.rungs for each in masks), {})
