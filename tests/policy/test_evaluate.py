"""Verdicts: who wins, what is said, what is remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest import mock

import pytest

from narrows import policy
from narrows.model.action import Action
from narrows.model.label import DatabaseLabels, Labels, Rung
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import GATEWAY, Resource, ResourceKind
from narrows.model.statement import Operation, Protocol, Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict
from narrows.policy import request
from narrows.policy.decide import decide
from narrows.policy.evaluation import Evaluation
from tests.policy.world import ADA, FRIDA, LOADER, NOW, SAM, column, load, query, session, statement, table

READ = '@id("reads") permit(principal, action in Action::"read", resource in Connection::"shop");'
SELECT = statement((Action.SELECT, table("orders")))


def evaluate(text: str, asked: policy.Query, now: float = NOW) -> Verdict:
    return policy.evaluate(load(text), asked, now)


def test_nothing_is_permitted_without_a_permit() -> None:
    verdict = evaluate("", query(SAM, SELECT))
    assert (verdict.effect, verdict.reason, verdict.policies) == (Effect.DENY, Reason.NOT_PERMITTED, ())
    assert verdict.message == "no policy permits select on Table shop/public.orders"


def test_an_allow_names_its_permits_and_versions() -> None:
    asked = replace(SELECT, versions={"snapshot": "s7"})
    verdict = evaluate(READ, query(SAM, asked))
    assert (verdict.effect, verdict.reason, verdict.policies, verdict.message) == (
        Effect.ALLOW,
        None,
        ("reads",),
        "",
    )
    assert verdict.versions == {"snapshot": "s7", "policy": load(READ).version}
    assert verdict.obligations == ()


def test_every_operation_must_be_permitted_and_the_first_that_is_not_is_named() -> None:
    asked = statement((Action.SELECT, table("a")), (Action.INSERT, table("b")), (Action.DELETE, table("c")))
    verdict = evaluate(READ, query(SAM, asked))
    assert verdict.effect is Effect.DENY
    assert verdict.message == "no policy permits insert on Table shop/public.b"


def test_a_forbid_wins_and_says_its_message() -> None:
    text = READ + (
        '@id("closed") @message("The shop is closed.") @alert("high") forbid(principal, action, resource);'
        '@id("also") forbid(principal, action == Action::"select", resource);'
    )
    verdict = evaluate(text, query(SAM, SELECT))
    assert (verdict.reason, verdict.policies) == (Reason.FORBIDDEN, ("also", "closed"))
    assert verdict.message == (
        'policy "closed" forbids select on Table shop/public.orders: The shop is closed. (also "also")'
    )
    assert verdict.alerts == (("closed", "high"),)


def test_an_alert_is_raised_by_an_allow_too() -> None:
    text = '@id("a") @alert("low") permit(principal, action, resource);'
    assert evaluate(text, query(SAM, SELECT)).alerts == (("a", "low"),)


def test_what_analysis_refused_stays_refused() -> None:
    refused = replace(SELECT, refusal=Refusal(Reason.UNPARSABLE, "no"))
    verdict = evaluate(READ, query(SAM, refused))
    assert (verdict.effect, verdict.reason) == (Effect.DENY, Reason.UNPARSABLE)


def test_groups_and_kinds_of_principals_count() -> None:
    text = '@id("people") permit(principal is User in Group::"pipelines", action, resource);'
    assert evaluate(text, query(LOADER, SELECT)).effect is Effect.DENY
    assert evaluate(text.replace("User", "Service"), query(LOADER, SELECT)).effect is Effect.ALLOW


def test_the_session_counts() -> None:
    text = READ + '@id("tls") forbid(principal, action, resource) unless { context.client.tls };'
    assert evaluate(text, query(SAM, SELECT, is_tls=False)).policies == ("tls",)
    text = (
        READ
        + '@id("app") forbid(principal, action, resource) when { context.client.application like "pg_*" };'
    )
    assert evaluate(text, query(SAM, SELECT, application="pg_dump")).policies == ("app",)


def test_the_gateways_own_actions_need_no_connection() -> None:
    text = '@id("op") permit(principal in Group::"administrators", action in Action::"operate", resource);'
    control = Statement(Protocol.CONTROL, "reload", "reload", (Operation(Action.RELOAD, GATEWAY),))
    assert evaluate(text, policy.Query(ADA, None, control)).effect is Effect.ALLOW
    assert evaluate(text, policy.Query(SAM, None, control)).effect is Effect.DENY


# Reviews: nobody can hold one yet, so what needs one is denied and says so -----------------------------------

EXPORT = statement((Action.EXPORT, table("orders")))
ASKS = '@id("exports") @message("Ask.") @review("data-stewards") forbid(principal, action == Action::"export", resource);'


def test_a_forbid_with_review_stands_and_says_who_reviews() -> None:
    verdict = evaluate(READ + ASKS, query(SAM, EXPORT))
    assert (verdict.effect, verdict.reason, verdict.policies) == (
        Effect.DENY,
        Reason.REVIEW_REQUIRED,
        ("exports",),
    )
    assert verdict.message == (
        'policy "exports" asks for a review by "data-stewards" before export on Table shop/public.orders: Ask.'
    )


def test_a_permit_with_review_does_not_count() -> None:
    text = '@id("p") @review("managers:2") permit(principal, action, resource);'
    verdict = evaluate(text, query(SAM, SELECT))
    assert (verdict.effect, verdict.reason, verdict.policies) == (Effect.DENY, Reason.REVIEW_REQUIRED, ("p",))
    assert '2 of "managers"' in verdict.message


def test_a_plain_forbid_is_not_lifted_by_any_review() -> None:
    text = READ + ASKS + '@id("never") forbid(principal, action == Action::"export", resource);'
    verdict = evaluate(text, query(SAM, EXPORT))
    assert (verdict.reason, verdict.policies) == (Reason.FORBIDDEN, ("never",))


def test_a_review_that_would_not_suffice_is_not_asked_for() -> None:
    asked = statement((Action.EXPORT, table("orders")), (Action.INSERT, table("orders")))
    verdict = evaluate(READ + ASKS, query(SAM, asked))
    assert (verdict.reason, verdict.message) == (
        Reason.NOT_PERMITTED,
        "no policy permits insert on Table shop/public.orders",
    )


def test_what_is_asked_is_every_lifted_forbid_and_the_lowest_permit_where_no_plain_one_is() -> None:
    text = (
        '@id("f2") @review("managers") forbid(principal, action, resource);'
        '@id("f1") @review("data-stewards") forbid(principal, action == Action::"select", resource);'
        '@id("p2") @review("managers") permit(principal, action, resource);'
        '@id("p1") @review("managers") permit(principal, action == Action::"select", resource);'
    )
    assert evaluate(text, query(SAM, SELECT)).policies == ("f1", "f2", "p1")
    assert evaluate(text + READ, query(SAM, SELECT)).policies == ("f1", "f2")


def test_what_is_asked_is_enough_once_it_is_lifted() -> None:
    text = (
        READ + ASKS + '@id("p") @review("managers") permit(principal, action == Action::"insert", resource);'
    )
    policies = load(text)
    asked = statement((Action.EXPORT, table("orders")), (Action.INSERT, table("orders")))
    built = request.build(query(SAM, asked))
    wanted = decide(policies, built, NOW).asked
    assert wanted == ("exports", "p")
    assert decide(policies, built, NOW, frozenset(wanted)).effect is Effect.ALLOW
    assert decide(policies, built, NOW, frozenset({"p"})).asked == ("exports",)


def test_a_masked_read_is_never_a_review() -> None:
    text = READ + '@id("see") @review("managers") permit(principal, action in Action::"disclose", resource);'
    asked = statement((Action.SELECT, table("orders")), discloses={column("orders", "ssn"): {"ssn"}})
    verdict = evaluate(text, query(SAM, asked))
    assert verdict.effect is Effect.ALLOW
    assert verdict.obligations == (MaskObligation({column("orders", "ssn"): Rung.NONE}),)


# Time ---------------------------------------------------------------------------------------------------------

NIGHT = READ + (
    '@id("day") forbid(principal, action, resource) unless { context.now.toTime() < duration("12h") };'
)
MIDNIGHT = 1_790_035_200.0 - 1_790_035_200.0 % 86_400


@pytest.mark.parametrize(("hour", "effect"), [(11.9, Effect.ALLOW), (12.1, Effect.DENY)])
def test_time_is_the_callers_and_is_never_remembered(hour: float, effect: Effect) -> None:
    policies = load(NIGHT)
    for at in (11.9, 12.1, hour):
        verdict = policy.evaluate(policies, query(SAM, SELECT), MIDNIGHT + at * 3600)
    assert verdict.effect is effect
    assert len(policies.verdicts) == 0
    assert verdict.request["now"] == MIDNIGHT + hour * 3600


# What is remembered -------------------------------------------------------------------------------------------


def test_the_same_question_is_answered_from_memory() -> None:
    policies = load(READ)
    first = policy.evaluate(policies, query(SAM, SELECT), NOW)
    again = policy.evaluate(policies, query(SAM, statement((Action.SELECT, table("orders")))), NOW + 99)
    assert again is first


LABELS = Labels(
    {}, {("shop", "shop"): DatabaseLabels({("public", "orders", "ssn"): frozenset({"ssn"})})}, "v1"
)


@pytest.mark.parametrize(
    "other",
    [
        query(FRIDA, SELECT),
        query(replace(SAM, groups=frozenset({"support", "fraud"})), SELECT),
        query(SAM, SELECT, address="10.9.9.9"),
        query(SAM, SELECT, is_tls=False),
        query(SAM, SELECT, application="x"),
        query(SAM, replace(SELECT, kind="explain")),
        query(SAM, replace(SELECT, facts={"is_bounded": False})),
        query(SAM, replace(SELECT, versions={"snapshot": "2"})),
        query(SAM, statement((Action.EXPORT, table("orders")))),
        query(SAM, statement((Action.SELECT, table("other")))),
        query(SAM, statement(Operation(Action.SELECT, table("orders"), labels=frozenset({"ssn"})))),
        query(SAM, statement(Operation(Action.SELECT, table("orders"), facts={"limit": 3}))),
        query(SAM, statement((Action.SELECT, table("orders")), discloses={column("orders", "ssn"): {"ssn"}})),
        replace(query(SAM, SELECT), labels=LABELS),
        policy.Query(SAM, replace(session(SAM), method="oidc"), SELECT),
        policy.Query(SAM, replace(session(SAM), task=("t",)), SELECT),
        policy.Query(SAM, replace(session(SAM), database="archive"), SELECT),
        policy.Query(SAM, None, SELECT),
    ],
)
def test_whatever_changes_the_question_is_asked_anew(other: policy.Query) -> None:
    policies = load(READ)
    first = policy.evaluate(policies, query(SAM, SELECT), NOW)
    second = policy.evaluate(policies, other, NOW)
    assert second is not first
    assert (second.request, second.versions) != (first.request, first.versions)


def test_memory_is_bounded() -> None:
    policies = load(READ)
    policies.verdicts.limit = 10
    for number in range(50):
        policy.evaluate(policies, query(SAM, statement((Action.SELECT, table(f"t{number}")))), NOW)
    assert len(policies.verdicts) == 10
    assert policies.verdicts.misses == 50


# What is kept for later ---------------------------------------------------------------------------------------


def test_the_request_says_everything_in_plain_data_and_answers_the_same_again() -> None:
    text = READ + '@id("r") permit(principal, action == Action::"reveal_token", resource);'
    asked = statement(
        Operation(Action.SELECT, table("orders"), frozenset({"ssn"}), {"touches": frozenset({"b", "a"})}),
        (Action.EXPORT, table("orders")),
        discloses={column("orders", "ssn"): {"ssn"}},
    )
    verdict = evaluate(text, query(SAM, asked))
    stored = json.loads(json.dumps(verdict.request))
    assert stored == verdict.request
    again = policy.reevaluate(load(text), stored, NOW)
    assert (again.effect, again.policies) == (verdict.effect, verdict.policies)
    assert again.rungs == {"shop/public.orders.ssn": Rung.TOKEN}
    closed = load(text + '@id("closed") forbid(principal, action == Action::"export", resource);')
    assert policy.reevaluate(closed, stored, NOW).policies == ("closed",)


def test_a_request_of_another_shape_is_not_guessed_at() -> None:
    assert policy.reevaluate(load(READ), {"shape": 99}, NOW).reason is Reason.POLICY_ERROR
    assert policy.reevaluate(load(READ), {"shape": 1}, NOW).reason is Reason.POLICY_ERROR


def test_a_table_bears_what_its_columns_bear() -> None:
    text = READ + '@id("ssn") forbid(principal, action, resource) when { resource.labels.contains("ssn") };'
    assert evaluate(text, query(SAM, SELECT)).effect is Effect.ALLOW
    assert evaluate(text, replace(query(SAM, SELECT), labels=LABELS)).policies == ("ssn",)
    other = Resource(ResourceKind.TABLE, ("shop", "archive", "public", "orders"), is_home=False)
    asked = replace(query(SAM, statement((Action.SELECT, other))), labels=LABELS)
    assert evaluate(text, asked).effect is Effect.ALLOW


def test_a_fact_that_cannot_be_remembered_is_decided_all_the_same() -> None:
    odd = replace(SELECT, facts={"touches": ["a"]})  # type: ignore[dict-item]
    assert evaluate(READ, query(SAM, odd)).reason is Reason.POLICY_ERROR


def test_an_engine_that_breaks_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As pyo3 names it."""

    for failure in (PanicException(), RuntimeError(), MemoryError()):
        monkeypatch.setattr(Evaluation, "ask", mock.Mock(side_effect=failure))
        verdict = evaluate(READ, query(SAM, SELECT))
        assert (verdict.effect, verdict.reason) == (Effect.DENY, Reason.POLICY_ERROR)
    monkeypatch.setattr(Evaluation, "ask", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        evaluate(READ, query(SAM, SELECT))


def test_a_huge_statement_is_decided_and_not_remembered() -> None:
    policies = load(READ)
    asked = statement(*((Action.SELECT, table(f"t{number}")) for number in range(300)))
    assert policy.evaluate(policies, query(SAM, asked), NOW).effect is Effect.ALLOW
    assert len(policies.verdicts) == 0
