"""One request put to Cedar: the only place that calls its authorizer.

Laws: entities are parsed with the schema, for without it Cedar knows no hierarchy of actions and a
`forbid (action in ...)` never matches; an error is part of the answer and never an allow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cedarpy

from narrows.policy import schema
from narrows.policy.policyset import PolicySet, compile_one
from narrows.policy.request import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cedar says to one question; `satisfied` are the policies that decided it."""

    is_allowed: bool
    satisfied: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Evaluation:
    """One request under one set of policies, with its entities parsed once."""

    def __init__(self, policies: PolicySet, request: Json, now: float) -> None:
        self.policies = policies
        self.request = request
        self.schema = schema.handle(policies.uses_time)
        self._extra = {"now": _moment(now)} if policies.uses_time else {}
        self.connection = _connection(request)
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

    def may_be_permitted(self, action: str) -> bool:
        """False where no permit that counts can match this action: asking would only say no."""
        return self.policies.has_permit(self.connection, action)

    def ask(
        self, questions: Sequence[Json], lifted: frozenset[str], entities: cedarpy.Entities | None = None
    ) -> list[Answer]:
        """The answers in order; questions that meet the same slice of policies are asked together."""
        parsed = self.entities if entities is None else entities
        by_slice: dict[int, tuple[cedarpy.PolicySet, list[int]]] = {}
        for place, question in enumerate(questions):
            chosen = self.policies.slice(lifted, self.connection, question["action"]["id"])
            by_slice.setdefault(id(chosen), (chosen, []))[1].append(place)
        answers: dict[int, Answer] = {}
        for chosen, places in by_slice.values():
            results = cedarpy.is_authorized_batch(
                [questions[place] for place in places], chosen, parsed, self.schema
            )
            answers.update(zip(places, map(_answer, results), strict=True))
        return [answers[place] for place in range(len(questions))]

    def holds(self, policy: str, compiled: str, question: Json) -> bool:
        """Whether one policy, or a part of one, matches a question."""
        alone = compile_one(policy, compiled)
        result = cedarpy.is_authorized(question, alone, self.entities, self.schema)
        return policy in result.diagnostics.reasons


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
