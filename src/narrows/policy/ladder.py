"""How much of each labelled column a caller sees: the highest of reveal, reveal_partial and reveal_token.

Laws: a column with several labels gets the highest rung that policy gives for each of its labels alone and
for all of them together, so that a permit written for one label never reveals another; only the first pass
counts, so that no review ever widens what is shown and a masked read is never a review.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import cedarpy

from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.policy.evaluation import Answer, Evaluation
from narrows.policy.policyset import NOTHING_LIFTED
from narrows.policy.request import Json

LADDER: tuple[tuple[Action, Rung], ...] = (
    (Action.REVEAL, Rung.RAW),
    (Action.REVEAL_PARTIAL, Rung.PARTIAL),
    (Action.REVEAL_TOKEN, Rung.TOKEN),
)
"""From the highest rung down."""
_DISCLOSE = frozenset(str(action) for action, _ in LADDER)


def climb(evaluation: Evaluation) -> tuple[dict[str, Rung], list[Answer]]:
    """The rung of every disclosed column by its id, and the answers that gave it."""
    groups = _alike(evaluation)
    rungs = {_id(member): Rung.RAW for members in groups.values() for member in members}
    answers: list[Answer] = []
    for entities, views in _views(evaluation, groups):
        given, found = _highest(evaluation, entities, [(groups[key][0], labels) for key, labels in views])
        answers.extend(found)
        for (key, _), rung in zip(views, given, strict=True):
            rungs.update({_id(member): min(rungs[_id(member)], rung) for member in groups[key]})
    return rungs, answers


def _highest(
    evaluation: Evaluation, entities: cedarpy.Entities, views: Sequence[tuple[Json, list[str]]]
) -> tuple[list[Rung], list[Answer]]:
    """The rung of each (disclosure, labels): from the highest down, asking only about those still without one."""
    rungs = [Rung.NONE] * len(views)
    answers: list[Answer] = []
    for action, rung in LADDER:
        open_ = [place for place, given in enumerate(rungs) if given is Rung.NONE]
        if not open_ or not evaluation.may_be_permitted(action):
            continue
        found = evaluation.ask(
            [_question(evaluation, action, *views[place]) for place in open_], NOTHING_LIFTED, entities
        )
        answers.extend(found)
        for place, answer in zip(open_, found, strict=True):
            rungs[place] = rung if answer.is_allowed else rungs[place]
    return rungs, answers


def _question(evaluation: Evaluation, action: str, disclosure: Json, labels: list[str]) -> Json:
    return evaluation.question(action, disclosure["resource"], {**disclosure["context"], "labels": labels})


def _id(disclosure: Json) -> str:
    return str(disclosure["resource"]["id"])


_Alike = dict[tuple[str, ...], list[Json]]
"""(what they share, *labels) -> disclosures that get the same rung."""


def _alike(evaluation: Evaluation) -> _Alike:
    """Columns that no policy can tell apart: one table, the same labels, no policy that names columns."""
    columns = {entity["uid"]["id"]: entity for entity in _labelled(evaluation.request["entities"])}
    each = evaluation.policies.tells_columns_apart(_DISCLOSE)
    groups: _Alike = {}
    for disclosure in evaluation.request["disclosures"]:
        name = _id(disclosure)
        shared = name if each else json.dumps(columns[name]["parents"])
        groups.setdefault((shared, *columns[name]["attrs"]["labels"]), []).append(disclosure)
    return groups


def _labelled(entities: Sequence[Json]) -> Iterator[Json]:
    """The entities that can be disclosed."""
    return (entity for entity in entities if entity["uid"]["type"] in ("Column", "Table"))


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
        if entity["uid"]["id"] in columns
        else entity
        for entity in entities
    ]
