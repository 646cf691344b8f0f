"""Why: what of each policy matched, and what is missing."""

from __future__ import annotations

from narrows import policy
from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.model.statement import Operation
from narrows.policy import explain
from tests.policy.world import DECLARED, FIN, FRIDA, NOW, SAM, column, load, query, sources, statement, table

POLICIES = policy.load(sources(), DECLARED)


def why(*asked: tuple[Action, object] | Operation, who: object = SAM, **more: object) -> explain.Explanation:
    return explain.explain(POLICIES, query(who, statement(*asked, **more)), NOW)  # type: ignore[arg-type]


def test_the_verdict_is_the_one_that_evaluate_gives() -> None:
    for name in ("orders", "payroll"):
        asked = query(SAM, statement((Action.SELECT, table(name)), discloses={column(name, "ssn"): {"ssn"}}))
        assert explain.explain(POLICIES, asked, NOW).verdict == policy.evaluate(POLICIES, asked, NOW)


def test_each_policy_says_what_of_it_does_not_match() -> None:
    (operation,) = why((Action.SELECT, table("orders"))).operations
    found = {each.id: each for each in operation.policies}
    assert found["support-reads-the-shop"].is_satisfied
    assert found["fraud-reads-and-sees-all"].missing == ("principal",)
    assert found["payroll-is-finance-only"].missing == ("resource",)
    assert "databases-are-not-dropped" not in found, "its action cannot match"
    assert str(found["fraud-reads-and-sees-all"]).startswith(
        "permit fraud-reads-and-sees-all (policies/fraud.cedar:3) does not match: principal"
    )


def test_a_condition_that_is_false_is_named() -> None:
    text = '@id("a") permit(principal, action, resource) when { context.client.tls } when { context.is_bounded };'.replace(
        "action,", 'action in Action::"read",'
    )
    asked = query(SAM, statement((Action.SELECT, table("orders")), facts={"is_bounded": False}))
    (operation,) = explain.explain(load(text), asked, NOW).operations
    assert operation.policies[0].missing == ("when 2",)
    assert "a would permit it but for its when 2" in operation.suggestion


def test_a_forbid_in_the_way_is_named_first() -> None:
    (operation,) = why((Action.SELECT, table("payroll"))).operations
    assert operation.suggestion == "to allow it, payroll-is-finance-only must except this case"


def test_a_review_in_the_way_is_said() -> None:
    (operation,) = why((Action.EXPORT, table("orders")), who=FRIDA, facts={"limit": -1}).operations
    assert operation.suggestion == "to allow it, exports-are-reviewed must except this case"
    waiting = '@id("p") @review("managers") permit(principal, action, resource);'
    explained = explain.explain(load(waiting), query(SAM, statement((Action.SELECT, table("a")))), NOW)
    assert explained.operations[0].suggestion == "p permits it after a review"
    assert "counts only after its review" in str(explained)


def test_the_missing_permit_is_written_out_and_would_be_enough() -> None:
    (operation,) = why((Action.INSERT, table("orders"))).operations
    assert not operation.is_allowed
    start = operation.suggestion.index("permit(")
    permit = f'@id("new") {operation.suggestion[start:]}'
    more = policy.load({**sources(), "new.cedar": permit}, DECLARED)
    asked = query(SAM, statement((Action.INSERT, table("orders"))))
    assert policy.evaluate(more, asked, NOW).policies == ("new",)


def test_the_rungs_are_explained() -> None:
    ssn = column("customers", "ssn")
    explained = why((Action.SELECT, table("customers")), discloses={ssn: {"ssn"}})
    ((name, rung, questions),) = explained.disclosures
    assert (name, rung) == (ssn.id, Rung.PARTIAL)
    assert [(each.action, each.is_allowed) for each in questions] == [
        ("reveal", False),
        ("reveal_partial", True),
        ("reveal_token", False),
    ]
    assert "shop/public.customers.ssn is shown at partial" in str(explained)


def test_an_allow_is_explained_too() -> None:
    explained = why((Action.SELECT, table("payroll")), who=FIN)
    assert str(explained).splitlines()[0] == "allow"
    assert explained.operations[0].suggestion == ""
    assert "permit finance-reads-payroll (policies/payroll.cedar:13) matches" in str(explained)


def test_facts_that_cannot_be_asked_about_are_said() -> None:
    explained = why((Action.SELECT, table("orders")), facts={"is_bounded": 3})
    assert explained.operations == ()
    assert "is_bounded" in explained.verdict.message
