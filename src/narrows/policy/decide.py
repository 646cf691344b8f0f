"""The answer to a request: two passes over the operations, then the ladder over what is disclosed.

Laws: every operation must be permitted; any error in any evaluation denies; a `@review` policy never widens
what a caller sees, because the ladder runs the first pass only. `docs/design.md` section 5 has the words.

First pass: permits without `@review` and every forbid. Where that denies, second pass: review-permits added,
liftable forbids removed. What would be asked is computed (`asked`), not read off the second pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.verdict import Effect
from narrows.policy.evaluation import Answer, Evaluation
from narrows.policy.ladder import climb
from narrows.policy.policyset import NOTHING_LIFTED, PolicySet
from narrows.policy.request import Json

EMPTY = "empty"
"""The kind of a statement that holds none, such as `;` or a comment."""
_PANIC = "PanicException"
"""What a panic inside the engine becomes; no `Exception`, and not importable by name."""
_IN_ERROR = re.compile(r"policy `([^`]+)`")


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict before it is told which statement it belongs to."""

    effect: Effect
    reason: Reason | None = None
    message: str = ""
    policies: tuple[str, ...] = ()
    rungs: Mapping[str, Rung] = field(default_factory=dict)
    """Column id -> rung."""
    asked: tuple[str, ...] = ()
    """Ids of the `@review` policies whose answers would turn this deny into an allow."""
    alerts: tuple[tuple[str, str], ...] = ()


def decide(
    policies: PolicySet, request: Json, now: float, lifted: frozenset[str] = NOTHING_LIFTED
) -> Decision:
    """The decision on a request; it never raises, for what Cedar cannot take is a deny."""
    try:
        return _decide(Evaluation(policies, request, now), lifted)
    except Exception as failure:  # whatever the engine cannot take must not open the gate
        return cannot_ask(type(failure).__name__)
    except BaseException as failure:
        if type(failure).__name__ != _PANIC:
            raise
        return cannot_ask("the policy engine failed")


def cannot_ask(why: str) -> Decision:
    """The deny for facts that policy cannot be asked with."""
    message = f"the gateway could not put this question to its policies ({why}); tell the operator"
    return Decision(Effect.DENY, Reason.POLICY_ERROR, message)


def _decide(evaluation: Evaluation, lifted: frozenset[str]) -> Decision:
    operations = range(len(evaluation.request["operations"]))
    if _is_empty(evaluation.request):
        return Decision(Effect.ALLOW)
    if not operations:
        return Decision(Effect.DENY, Reason.EFFECT_UNDECIDED, "the statement names nothing that it does")
    first = evaluation.ask([evaluation.operation(index) for index in operations], lifted)
    if any(answer.errors for answer in first):
        return _erred(evaluation.policies, first)
    if not all(answer.is_allowed for answer in first):
        return _refuse(evaluation, first)
    rungs, revealed = climb(evaluation)
    if any(answer.errors for answer in revealed):
        return _erred(evaluation.policies, revealed)
    ids = _ids((*first, *(answer for answer in revealed if answer.is_allowed)))
    return Decision(Effect.ALLOW, policies=ids, rungs=rungs, alerts=_alerts(evaluation.policies, ids))


def _is_empty(request: Json) -> bool:
    """The analysis found no statement in the text: nothing is done, so nothing need be permitted."""
    return request["kind"] == EMPTY and not request["operations"] and not request["disclosures"]


def _refuse(evaluation: Evaluation, first: list[Answer]) -> Decision:
    """The deny for the first operation that no review can save, or the reviews that would save all."""
    failed = [index for index, answer in enumerate(first) if not answer.is_allowed]
    everything = evaluation.policies.reviewable
    second = dict(
        zip(failed, evaluation.ask([evaluation.operation(i) for i in failed], everything), strict=True)
    )
    if any(answer.errors for answer in second.values()):
        return _erred(evaluation.policies, second.values())
    lost = [index for index in failed if not second[index].is_allowed]
    if lost:
        return _lost(evaluation, lost[0], second[lost[0]])
    wanted = asked(evaluation.policies, [(first[index], second[index]) for index in failed])
    if not wanted:
        return _lost(evaluation, failed[0], first[failed[0]])
    return _review_required(evaluation, failed[0], wanted)


def asked(policies: PolicySet, denied: Iterable[tuple[Answer, Answer]]) -> tuple[str, ...]:
    """What reviewers would be asked to lift, from the (first, second) answers of each denied operation.

    Every `@review` forbid satisfied in the first pass and, only where no plain permit is satisfied, one
    review-permit of the second: the lowest id.
    """
    return tuple(
        sorted({policy for first, second in denied for policy in _asked_of(policies, first, second)})
    )


def _asked_of(policies: PolicySet, first: Answer, second: Answer) -> Iterator[str]:
    yield from (policy for policy in first.satisfied if policy in policies.reviewable)
    permits = [policy for policy in second.satisfied if policies.policies[policy].effect == "permit"]
    if all(permit in policies.reviewable for permit in permits):
        yield from sorted(permits)[:1]


def _lost(evaluation: Evaluation, index: int, answer: Answer) -> Decision:
    what = _what(evaluation.request, index)
    forbids = _ids([answer])
    if not forbids:
        return Decision(Effect.DENY, Reason.NOT_PERMITTED, f"no policy permits {what}")
    message = _said(evaluation.policies, forbids, f"forbids {what}")
    return Decision(
        Effect.DENY, Reason.FORBIDDEN, message, forbids, alerts=_alerts(evaluation.policies, forbids)
    )


def _review_required(evaluation: Evaluation, index: int, wanted: tuple[str, ...]) -> Decision:
    reviewers = {
        str(need) for need in (evaluation.policies.policies[policy].review for policy in wanted) if need
    }
    what = f"asks for a review by {' and '.join(sorted(reviewers))} before {_what(evaluation.request, index)}"
    message = _said(evaluation.policies, wanted, what)
    alerts = _alerts(evaluation.policies, wanted)
    return Decision(Effect.DENY, Reason.REVIEW_REQUIRED, message, wanted, asked=wanted, alerts=alerts)


def _said(policies: PolicySet, ids: tuple[str, ...], what: str) -> str:
    """`policy "a" forbids ...: its message (also "b")`, led by the first policy that has a message."""
    leading = min(ids, key=lambda policy: (not policies.policies[policy].message, policy))
    others = [f'"{policy}"' for policy in ids if policy != leading]
    message = policies.policies[leading].message
    also = f" (also {', '.join(others)})" if others else ""
    return f'policy "{leading}" {what}' + (f": {message}" if message else "") + also


def _erred(policies: PolicySet, answers: Iterable[Answer]) -> Decision:
    errors = [error for answer in answers for error in answer.errors]
    ids = tuple(
        sorted({found for error in errors for found in _IN_ERROR.findall(error)} & set(policies.policies))
    )
    if not ids:
        return cannot_ask("the facts do not fit the schema")
    message = f'policy "{ids[0]}" failed to evaluate, so nothing is permitted; its owner must mend it'
    return Decision(Effect.DENY, Reason.POLICY_ERROR, message, ids, alerts=_alerts(policies, ids))


def _what(request: Json, index: int) -> str:
    operation = request["operations"][index]
    return f"{operation['action']} on {operation['resource']['type']} {operation['resource']['id']}"


def _ids(answers: Iterable[Answer]) -> tuple[str, ...]:
    return tuple(sorted({policy for answer in answers for policy in answer.satisfied}))


def _alerts(policies: PolicySet, ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    notes = ((policy, policies.policies[policy].annotations.get("alert")) for policy in ids)
    return tuple((policy, severity) for policy, severity in notes if severity)
