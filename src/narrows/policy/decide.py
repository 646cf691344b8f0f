"""The answer to a request: two passes over the operations, then the ladder over what is disclosed.

Laws: every operation must be permitted; any error in any evaluation denies; a `@review` policy never widens
what a caller sees, because the ladder runs the first pass only. `docs/design.md` section 5 has the words.

First pass: permits without `@review` and every forbid. Where that denies, second pass: review-permits added,
liftable forbids removed. What would be asked is computed (`asked`), not read off the second pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cedarpy

from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.verdict import Effect
from narrows.policy import schema
from narrows.policy.policyset import NOTHING_LIFTED, PolicySet
from narrows.policy.request import Json

LADDER: tuple[tuple[Action, Rung], ...] = (
    (Action.REVEAL, Rung.RAW),
    (Action.REVEAL_PARTIAL, Rung.PARTIAL),
    (Action.REVEAL_TOKEN, Rung.TOKEN),
)
"""From the highest rung down."""
_DISCLOSE = frozenset(str(action) for action, _ in LADDER)
_IN_ERROR = re.compile(r"policy `([^`]+)`")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cedar says to one question; `satisfied` are the policies that decided it."""

    is_allowed: bool
    satisfied: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


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


class Evaluation:
    """One request under one set of policies, with its entities parsed once."""

    def __init__(self, policies: PolicySet, request: Json, now: float) -> None:
        self.policies = policies
        self.request = request
        self.schema = schema.handle(policies.uses_time)
        self._extra = {"now": _moment(now)} if policies.uses_time else {}
        self._connection = _connection(request)
        self.entities = self.parse(request["entities"])

    def parse(self, entities: Sequence[Json]) -> cedarpy.Entities:
        """Entities with the schema, for without it Cedar knows no hierarchy of actions."""
        return cedarpy.Entities.from_json_str(json.dumps(entities), self.schema)

    def question(self, action: str, resource: Json, own: Mapping[str, Any]) -> Json:
        context = {**self.request["context"], **own, **self._extra}
        return {
            "principal": self.request["principal"],
            "action": {"type": "Action", "id": action},
            "resource": resource,
            "context": json.dumps(context),
        }

    def operation(self, index: int) -> Json:
        operation = self.request["operations"][index]
        return self.question(operation["action"], operation["resource"], operation["context"])

    def ask(
        self, questions: Sequence[Json], lifted: frozenset[str], entities: cedarpy.Entities | None = None
    ) -> list[Answer]:
        """The answers in order; questions that meet the same slice of policies are asked together."""
        by_slice: dict[int, tuple[cedarpy.PolicySet, list[int]]] = {}
        for place, question in enumerate(questions):
            chosen = self.policies.slice(lifted, self._connection, question["action"]["id"])
            by_slice.setdefault(id(chosen), (chosen, []))[1].append(place)
        answers: dict[int, Answer] = {}
        for chosen, places in by_slice.values():
            results = cedarpy.is_authorized_batch(
                [questions[place] for place in places], chosen, entities or self.entities, self.schema
            )
            answers.update(zip(places, map(_answer, results), strict=True))
        return [answers[place] for place in range(len(questions))]


def decide(
    policies: PolicySet, request: Json, now: float, lifted: frozenset[str] = NOTHING_LIFTED
) -> Decision:
    """The decision on a request; it never raises, for what Cedar cannot take is a deny."""
    try:
        return _decide(Evaluation(policies, request, now), lifted)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as failure:
        return cannot_ask(type(failure).__name__)


def cannot_ask(why: str) -> Decision:
    """The deny for facts that policy cannot be asked with."""
    message = f"the gateway could not put this question to its policies ({why}); tell the operator"
    return Decision(Effect.DENY, Reason.POLICY_ERROR, message)


def _decide(evaluation: Evaluation, lifted: frozenset[str]) -> Decision:
    operations = range(len(evaluation.request["operations"]))
    if not operations:
        return Decision(Effect.DENY, Reason.EFFECT_UNDECIDED, "the statement names nothing that it does")
    first = evaluation.ask([evaluation.operation(index) for index in operations], lifted)
    if any(answer.errors for answer in first):
        return _erred(evaluation.policies, first)
    if not all(answer.is_allowed for answer in first):
        return _refuse(evaluation, first)
    rungs, revealed = ladder(evaluation)
    if any(answer.errors for answer in revealed):
        return _erred(evaluation.policies, revealed)
    ids = _ids((*first, *(answer for answer in revealed if answer.is_allowed)))
    return Decision(Effect.ALLOW, policies=ids, rungs=rungs, alerts=_alerts(evaluation.policies, ids))


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


def ladder(evaluation: Evaluation) -> tuple[dict[str, Rung], list[Answer]]:
    """The rung of every disclosed column, and the answers that gave it.

    A column with several labels gets the highest rung that policy gives for each of its labels alone **and**
    for all of them together, so that a permit written for one label never reveals another.
    """
    groups = _alike(evaluation)
    rungs = {_id(member): Rung.RAW for members in groups.values() for member in members}
    answers: list[Answer] = []
    for entities, views in _views(evaluation, groups):
        questions = [
            evaluation.question(
                action, groups[key][0]["resource"], groups[key][0]["context"] | {"labels": labels}
            )
            for key, labels in views
            for action, _ in LADDER
        ]
        found = evaluation.ask(questions, NOTHING_LIFTED, entities)
        answers.extend(found)
        for place, (key, _) in enumerate(views):
            rung = _highest(found[place * len(LADDER) : (place + 1) * len(LADDER)])
            rungs.update({_id(member): min(rungs[_id(member)], rung) for member in groups[key]})
    return rungs, answers


def _id(disclosure: Json) -> str:
    return str(disclosure["resource"]["id"])


_Alike = dict[tuple[str, ...], list[Json]]
"""(what they share, *labels) -> disclosures that get the same rung."""


def _alike(evaluation: Evaluation) -> _Alike:
    """Columns that no policy can tell apart: one table, the same labels, no policy that names columns."""
    parents = {entity["uid"]["id"]: entity["parents"] for entity in _columns(evaluation.request["entities"])}
    each = evaluation.policies.tells_columns_apart(_DISCLOSE)
    groups: _Alike = {}
    for disclosure in evaluation.request["disclosures"]:
        name = _id(disclosure)
        shared = name if each else json.dumps(parents[name])
        groups.setdefault((shared, *disclosure["context"]["labels"]), []).append(disclosure)
    return groups


def _columns(entities: Sequence[Json]) -> Iterator[Json]:
    return (entity for entity in entities if entity["uid"]["type"] == "Column")


def _views(
    evaluation: Evaluation, groups: _Alike
) -> Iterator[tuple[cedarpy.Entities, list[tuple[tuple[str, ...], list[str]]]]]:
    """Entities and the columns to judge with them: all labels together, then each label of several alone."""
    if not groups:
        return
    yield evaluation.entities, [(key, list(key[1:])) for key in groups]
    several = [key for key in groups if len(key) > 2]
    for label in sorted({label for key in several for label in key[1:]}):
        keys = [key for key in several if label in key[1:]]
        columns = {_id(disclosure) for key in keys for disclosure in groups[key]}
        yield (
            evaluation.parse(_only(label, columns, evaluation.request["entities"])),
            [(key, [label]) for key in keys],
        )


def _only(label: str, columns: set[str], entities: Sequence[Json]) -> list[Json]:
    """The entities, with these columns bearing one label."""
    return [
        {**entity, "attrs": {**entity["attrs"], "labels": [label]}}
        if entity["uid"]["type"] == "Column" and entity["uid"]["id"] in columns
        else entity
        for entity in entities
    ]


def _highest(answers: Sequence[Answer]) -> Rung:
    return next(
        (rung for (_, rung), answer in zip(LADDER, answers, strict=True) if answer.is_allowed), Rung.NONE
    )


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


def _answer(result: cedarpy.AuthzResult) -> Answer:
    diagnostics = result.diagnostics
    errors = tuple(diagnostics.errors)
    if result.decision is cedarpy.Decision.NoDecision and not errors:
        errors = ("no decision",)
    return Answer(result.allowed and not errors, tuple(sorted(diagnostics.reasons)), errors)


def _connection(request: Json) -> str | None:
    """The name of the one connection in the slice; `check_slice` saw to it that there is one at most."""
    ids = (
        entity["attrs"].get("name") for entity in request["entities"] if entity["uid"]["type"] == "Connection"
    )
    return next(ids, None)


def _moment(now: float) -> Json:
    text = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {"__extn": {"fn": "datetime", "arg": text}}
