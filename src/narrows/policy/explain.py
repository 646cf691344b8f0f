"""Why a verdict: every policy that was considered, what of it matched and what did not, and what is missing.

The parts of a policy are judged by Cedar itself, one at a time: the policy with all but one part taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from narrows.model.label import Rung
from narrows.model.verdict import Verdict
from narrows.policy import request
from narrows.policy.decide import cannot_ask, decide
from narrows.policy.engine import verdict_of
from narrows.policy.evaluation import Evaluation
from narrows.policy.ladder import LADDER
from narrows.policy.policyset import NOTHING_LIFTED, Policy, PolicySet
from narrows.policy.request import Json, Query, RequestError


@dataclass(frozen=True, slots=True)
class Considered:
    """One policy against one operation; `missing` are the parts that did not match."""

    id: str
    effect: str
    file: str
    line: int
    is_satisfied: bool
    is_in_force: bool
    """False for a permit that waits for a review."""
    missing: tuple[str, ...] = ()
    """Of: principal, action, resource, `when` or `unless` with its number, error."""

    def __str__(self) -> str:
        state = "matches" if self.is_satisfied else f"does not match: {', '.join(self.missing)}"
        waits = "" if self.is_in_force else "; counts only after its review"
        return f"{self.effect} {self.id} ({self.file}:{self.line}) {state}{waits}"


@dataclass(frozen=True, slots=True)
class OperationExplained:
    """One operation, or one rung of one disclosed column, with every policy that could concern it."""

    action: str
    resource: str
    is_allowed: bool
    policies: tuple[Considered, ...]
    suggestion: str = ""

    def __str__(self) -> str:
        head = f"{'allowed' if self.is_allowed else 'denied '} {self.action} on {self.resource}"
        tail = [f"  {self.suggestion}"] if self.suggestion else []
        return "\n".join([head, *(f"  {each}" for each in self.policies), *tail])


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and how it came about."""

    verdict: Verdict
    operations: tuple[OperationExplained, ...] = ()
    disclosures: tuple[tuple[str, Rung, tuple[OperationExplained, ...]], ...] = ()
    """(column id, rung, each rung's question from the highest down)."""

    def __str__(self) -> str:
        why = f": {self.verdict.message}" if self.verdict.message else ""
        columns = (
            "\n".join([f"{column} is shown at {rung.name.lower()}", *(str(each) for each in rungs)])
            for column, rung, rungs in self.disclosures
        )
        return "\n".join([f"{self.verdict.effect}{why}", *(str(each) for each in self.operations), *columns])


def explain(policies: PolicySet, query: Query, now: float) -> Explanation:
    """The verdict on a query with its reasons; the verdict is the one that `evaluate` gives."""
    try:
        built = request.build(query)
    except RequestError as failure:
        return Explanation(verdict_of(cannot_ask(str(failure)), policies, query))
    decision = decide(policies, built, now)
    verdict = verdict_of(decision, policies, query, built, now)
    evaluation = Evaluation(policies, built, now)
    operations = tuple(
        _explained(evaluation, operation["action"], operation["resource"], operation["context"])
        for operation in built["operations"]
    )
    disclosures = tuple(
        (each["resource"]["id"], decision.rungs[each["resource"]["id"]], _rungs(evaluation, each))
        for each in built["disclosures"]
        if each["resource"]["id"] in decision.rungs
    )
    return Explanation(verdict, operations, disclosures)


def _rungs(evaluation: Evaluation, disclosure: Json) -> tuple[OperationExplained, ...]:
    return tuple(
        _explained(evaluation, action, disclosure["resource"], disclosure["context"]) for action, _ in LADDER
    )


def _explained(evaluation: Evaluation, action: str, resource: Json, context: Json) -> OperationExplained:
    question = evaluation.question(action, resource, context)
    answer = evaluation.ask([question], NOTHING_LIFTED)[0]
    considered = tuple(
        _considered(evaluation, policy, question)
        for policy in evaluation.policies.policies.values()
        if policy.can_match(evaluation.connection, action)
    )
    name = f"{resource['type']} {resource['id']}"
    hint = "" if answer.is_allowed else _suggest(considered, question)
    return OperationExplained(action, name, answer.is_allowed, considered, hint)


def _considered(evaluation: Evaluation, policy: Policy, question: Json) -> Considered:
    is_satisfied = evaluation.holds(policy.id, policy.compiled, question)
    missing = () if is_satisfied else tuple(_missing(evaluation, policy, question))
    in_force = policy.is_in_force(NOTHING_LIFTED)
    return Considered(policy.id, policy.effect, policy.file, policy.line, is_satisfied, in_force, missing)


def _missing(evaluation: Evaluation, policy: Policy, question: Json) -> Iterator[str]:
    """The parts of a policy that do not match; a condition is judged only where the scope does."""
    body: dict[str, Any] = json.loads(policy.compiled)
    scope = [
        part
        for part in ("principal", "action", "resource")
        if not evaluation.holds(policy.id, _only(body, part), question)
    ]
    yield from scope
    for place, condition in enumerate(body["conditions"] if not scope else ()):
        alone = json.dumps({**body, "conditions": [condition]})
        if not evaluation.holds(policy.id, alone, question):
            yield f"{condition['kind']} {place + 1}"


def _only(body: Mapping[str, Any], part: str) -> str:
    """The policy with one part of its scope and nothing else."""
    anything: dict[str, Any] = {name: {"op": "All"} for name in ("principal", "action", "resource")}
    return json.dumps({**body, **anything, part: body[part], "conditions": []})


def _suggest(considered: tuple[Considered, ...], question: Json) -> str:
    """What would have to change, said for the nearest permit."""
    forbids = [each.id for each in considered if each.effect == "forbid" and each.is_satisfied]
    if forbids:
        return f"to allow it, {' and '.join(forbids)} must except this case"
    waiting = sorted(each.id for each in considered if each.is_satisfied and not each.is_in_force)
    if waiting:
        return f"{waiting[0]} permits it after a review"
    near = [each for each in considered if each.effect == "permit" and len(each.missing) == 1]
    hint = f"{near[0].id} would permit it but for its {near[0].missing[0]}; else " if near else ""
    return f"{hint}this permit is missing: {missing_permit(question)}"


def missing_permit(question: Json) -> str:
    """The narrowest permit that would allow a question."""
    principal, resource = question["principal"], question["resource"]
    return (
        f'permit(principal == {_reference(principal)}, action == Action::"{question["action"]["id"]}", '
        f"resource == {_reference(resource)});"
    )


def _reference(uid: Json) -> str:
    name = uid["id"].replace("\\", "\\\\").replace('"', '\\"')
    return f'{uid["type"]}::"{name}"'
