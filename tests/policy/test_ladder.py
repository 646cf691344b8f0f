"""How much of a labelled column is shown: the highest rung given, and for several labels the lowest of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from narrows import policy
from narrows.model.action import Action
from narrows.model.label import DatabaseLabels, Labels, Rung
from narrows.model.resource import Resource
from narrows.model.verdict import MaskObligation, Verdict
from narrows.policy.evaluation import Answer, Evaluation
from tests.policy.world import NOW, SAM, column, load, query, statement, table

READ = '@id("reads") permit(principal, action in Action::"read", resource);'
SSN, BOTH, MAIL = column("c", "ssn"), column("c", "both"), column("c", "mail")


def rungs(text: str, discloses: Mapping[Resource, set[str]]) -> Mapping[Resource, Rung]:
    asked = statement((Action.SELECT, table("c")), discloses=discloses)
    return shown(policy.evaluate(load(READ + text), query(SAM, asked), NOW))


def shown(verdict: Verdict) -> Mapping[Resource, Rung]:
    (obligation,) = verdict.obligations
    assert isinstance(obligation, MaskObligation)
    return obligation.rungs


def give(action: str, condition: str = "true", effect: str = "permit", name: str = "x") -> str:
    return f'@id("{name}-{action}") {effect}(principal, action == Action::"{action}", resource) when {{ {condition} }};'


LADDER = ("reveal_token", "reveal_partial", "reveal")


@pytest.mark.parametrize("given", [[], ["reveal_token"], ["reveal_partial"], ["reveal"], LADDER, LADDER[:2]])
def test_the_highest_rung_given_holds(given: list[str]) -> None:
    highest = max((LADDER.index(one) + 1 for one in given), default=0)
    assert rungs("".join(map(give, given)), {SSN: {"ssn"}}) == {SSN: Rung(highest)}


def test_a_forbidden_rung_leaves_the_next_one_down() -> None:
    text = give("reveal") + give("reveal_token") + give("reveal", effect="forbid", name="no")
    assert rungs(text, {SSN: {"ssn"}}) == {SSN: Rung.TOKEN}


def test_a_permit_for_one_label_reveals_no_other_on_the_same_column() -> None:
    text = give("reveal_partial", 'resource.labels.contains("ssn")') + give("reveal_token")
    columns = {SSN: {"ssn"}, BOTH: {"ssn", "salary"}, MAIL: {"email"}}
    assert rungs(text, columns) == {SSN: Rung.PARTIAL, BOTH: Rung.TOKEN, MAIL: Rung.TOKEN}


@pytest.mark.parametrize("of", ["resource.labels", "context.labels"])
def test_labels_together_count_too(of: str) -> None:
    text = give("reveal") + give("reveal", f'{of}.containsAll(["ssn", "salary"])', "forbid", "no")
    assert rungs(text, {SSN: {"ssn"}, BOTH: {"ssn", "salary"}}) == {SSN: Rung.RAW, BOTH: Rung.NONE}


@pytest.mark.parametrize("of", ["resource.labels", "context.labels"])
def test_each_label_may_have_its_own_permit(of: str) -> None:
    text = give("reveal", f'{of}.contains("ssn")') + give(
        "reveal_partial", f'{of}.contains("salary")', name="y"
    )
    assert rungs(text, {BOTH: {"ssn", "salary"}}) == {BOTH: Rung.PARTIAL}


def test_a_label_of_the_column_that_the_statement_did_not_name_counts() -> None:
    of_file = DatabaseLabels({("public", "c", "ssn"): frozenset({"ssn", "salary"})})
    labels = Labels({}, {("shop", "shop"): of_file}, "v")
    text = READ + give("reveal", '["ssn"].containsAll(resource.labels)')
    asked = statement((Action.SELECT, table("c")), discloses={SSN: {"ssn"}})
    plain = policy.evaluate(load(text), query(SAM, asked), NOW)
    assert shown(plain) == {SSN: Rung.RAW}
    known = policy.Query(SAM, query(SAM, asked).session, asked, labels)
    assert shown(policy.evaluate(load(text), known, NOW)) == {SSN: Rung.NONE}


def test_a_policy_may_name_one_column() -> None:
    text = '@id("x") permit(principal, action == Action::"reveal", resource == Column::"shop/public.c.mail");'
    columns = {MAIL: {"email"}, column("c", "mail2"): {"email"}}
    assert rungs(text, columns) == {MAIL: Rung.RAW, column("c", "mail2"): Rung.NONE}


def test_a_policy_may_look_at_a_columns_name() -> None:
    columns = {MAIL: {"email"}, column("c", "mail2"): {"email"}}
    assert rungs(give("reveal", 'resource.name like "*2"'), columns)[MAIL] is Rung.NONE
    assert rungs(give("reveal", 'resource.name like "*2"'), columns)[column("c", "mail2")] is Rung.RAW


def test_a_policy_may_name_one_table() -> None:
    text = '@id("x") permit(principal, action == Action::"reveal", resource in Table::"shop/public.c");'
    assert rungs(text, {MAIL: {"email"}, column("d", "mail"): {"email"}})[column("d", "mail")] is Rung.NONE


def test_columns_that_no_policy_tells_apart_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    ask = Evaluation.ask

    def counting(self: Evaluation, questions: Sequence[Any], *rest: Any) -> list[Answer]:
        asked.append(len(questions))
        return ask(self, questions, *rest)

    monkeypatch.setattr(Evaluation, "ask", counting)
    columns = {column("c", f"mail{number}"): {"email"} for number in range(100)}
    assert set(rungs(give("reveal_token"), columns).values()) == {Rung.TOKEN}
    assert asked == [1, 1], "one question for the operation, one for a hundred columns"


def test_a_denied_statement_shows_nothing() -> None:
    asked = statement((Action.INSERT, table("c")), discloses={SSN: {"ssn"}})
    assert policy.evaluate(load(READ + give("reveal")), query(SAM, asked), NOW).obligations == ()


def test_the_permits_that_gave_a_rung_are_named() -> None:
    asked = statement((Action.SELECT, table("c")), discloses={SSN: {"ssn"}})
    verdict = policy.evaluate(load(READ + give("reveal_token")), query(SAM, asked), NOW)
    assert verdict.policies == ("reads", "x-reveal_token")
