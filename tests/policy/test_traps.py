"""Ways in which plain Cedar lets through what a policy's author forbade, and that we do not.

Each test shows both: Cedar used in the obvious way says Allow, narrows says deny.
"""

from __future__ import annotations

import json
from dataclasses import replace

import cedarpy
import pytest

from narrows import policy
from narrows.model.action import Action
from narrows.model.principal import Principal
from narrows.model.reason import Reason
from narrows.model.resource import Resource, ResourceKind
from narrows.model.statement import Operation
from narrows.model.verdict import Effect
from narrows.policy import request, schema
from narrows.policy.evaluation import Evaluation
from tests.policy.world import DECLARED, NOW, SAM, faults, load, query, statement, table

EVERYTHING = '@id("all") permit(principal, action, resource);'


def plain(
    policies: str, action: str, entities: list[object], resource: str, with_schema: bool
) -> cedarpy.Decision:
    """What Cedar says when it is used without our care."""
    handle = schema.handle(with_time=False) if with_schema else None
    parsed = cedarpy.Entities.from_json_str(json.dumps(entities), handle)
    question = {
        "principal": 'User::"sam"',
        "action": f'Action::"{action}"',
        "resource": resource,
        "context": {},
    }
    return cedarpy.is_authorized(question, policies, parsed).decision


def entities(principal: Principal = SAM) -> list[object]:
    built = request.build(query(principal, statement((Action.DROP, table("orders")))))
    return list(built["entities"])


def test_a_forbid_of_an_action_group_holds_though_entities_without_the_schema_know_no_groups() -> None:
    text = EVERYTHING + '@id("no-destroying") forbid(principal, action in Action::"destroy", resource);'
    target = 'Table::"shop/public.orders"'
    assert plain(text, "drop", entities(), target, with_schema=False) is cedarpy.Decision.Allow
    assert plain(text, "drop", entities(), target, with_schema=True) is cedarpy.Decision.Deny

    verdict = policy.evaluate(load(text), query(SAM, statement((Action.DROP, table("orders")))), NOW)
    assert verdict.effect is Effect.DENY
    assert verdict.policies == ("no-destroying",)


def test_a_forbid_that_fails_to_evaluate_denies_though_cedar_skips_it() -> None:
    text = EVERYTHING + (
        '@id("sum") forbid(principal, action == Action::"select", resource)'
        " when { context.rows_estimate + 1 > 0 };"
    )
    asked = query(SAM, statement((Action.SELECT, table("orders")), facts={"rows_estimate": -1}))
    policies = load(text)
    evaluation = Evaluation(policies, request.build(asked), NOW)
    skipped = cedarpy.is_authorized(evaluation.operation(0), text, evaluation.entities)
    assert skipped.decision is cedarpy.Decision.Allow
    assert "overflow" in skipped.diagnostics.errors[0]

    verdict = policy.evaluate(policies, asked, NOW)
    assert verdict.effect is Effect.DENY
    assert verdict.reason is Reason.POLICY_ERROR
    assert verdict.policies == ("sum",)
    assert '"sum" failed to evaluate' in verdict.message


def test_an_erring_ladder_policy_denies_too() -> None:
    text = EVERYTHING + (
        '@id("sum") forbid(principal, action == Action::"reveal", resource)'
        " when { context.rows_estimate + 1 > 0 };"
    )
    ssn = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "orders", "ssn"))
    asked = statement((Action.SELECT, table("orders")), discloses={ssn: {"ssn"}}, facts={"rows_estimate": -1})
    assert policy.evaluate(load(text), query(SAM, asked), NOW).reason is Reason.POLICY_ERROR


def test_a_resource_is_always_among_the_entities_with_all_that_is_above_it() -> None:
    text = EVERYTHING + '@id("shop-is-closed") forbid(principal, action, resource in Connection::"shop");'
    missing = [entity for entity in entities() if entity["uid"]["type"] != "Table"]  # type: ignore[index]
    assert plain(text, "select", missing, 'Table::"shop/public.orders"', True) is cedarpy.Decision.Allow

    verdict = policy.evaluate(load(text), query(SAM, statement((Action.SELECT, table("orders")))), NOW)
    assert verdict.policies == ("shop-is-closed",)


@pytest.mark.parametrize("gone", ["User", "Table", "Schema", "Database", "Connection"])
def test_a_slice_with_a_hole_is_never_asked(gone: str) -> None:
    built = request.build(query(SAM, statement((Action.SELECT, table("orders")))))
    built["entities"] = [entity for entity in built["entities"] if entity["uid"]["type"] != gone]
    with pytest.raises(request.RequestError):
        request.check_slice(built, "shop")


def test_a_resource_of_another_connection_is_never_asked_about() -> None:
    asked = query(SAM, statement((Action.SELECT, table("orders", "crm"))))
    verdict = policy.evaluate(load(EVERYTHING), asked, NOW)
    assert verdict.effect is Effect.DENY
    assert verdict.reason is Reason.POLICY_ERROR


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ('Group::"fruad"', 'did you mean "fraud"?'),
        ('User::"sam "', 'did you mean "sam"?'),
        ('Service::"laoder"', 'did you mean "loader"?'),
    ],
)
def test_an_undeclared_principal_is_refused_though_cedar_validates_it(name: str, remedy: str) -> None:
    text = (
        f'@id("x") forbid(principal, action == Action::"select", resource) when {{ principal in [{name}] }};'
    )
    assert cedarpy.validate_policies(text, schema.handle(with_time=True)).validation_passed
    assert faults(text) == [f"test.cedar:1: {name} is not declared; {remedy}"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ('Connection::"shp"', "names no declared connection"),
        ('Table::"payroll"', "is not the id of a table"),
        ('Table::"shop.public.payroll"', "is not the id of a table"),
        ('Table::"shop/payroll"', "is not the id of a table"),
        ('Table::"shop/\\"public\\".payroll"', "is not the id of a table"),
        ('Table::"shop/public.pay roll"', "is not the id of a table"),
        ('Table::"shop/shop/public.payroll"', "names the home database"),
        ('Table::"shop/archiv/public.payroll"', "names no listed database"),
        ('Database::"shop/production"', "names no listed database"),
        ('Column::"shop/public.payroll"', "is not the id of a column"),
        ('Schema::"shop/public.payroll"', "is not the id of a schema"),
        ('Role::"app"', "is not the id of a role"),
    ],
)
def test_a_resource_id_that_can_never_match_is_refused(name: str, why: str) -> None:
    text = f'@id("x") forbid(principal, action == Action::"select", resource == {name});'
    assert cedarpy.validate_policies(text, schema.handle(with_time=True)).validation_passed
    found = faults(text)
    assert len(found) == 1
    assert why in found[0]


@pytest.mark.parametrize(
    "name",
    [
        'Table::"shop/public.payroll"',
        'Table::"shop/archive/public.payroll"',
        'Table::"shop/public.\\"pay roll\\""',
        'Column::"shop/public.payroll.amount"',
        'Database::"shop/shop"',
        'Database::"shop/archive"',
        'Schema::"crm/public"',
        'Role::"shop/app"',
        'Function::"shop/public.full_price"',
    ],
)
def test_an_id_as_narrows_writes_it_is_taken(name: str) -> None:
    assert not faults(f'@id("x") forbid(principal, action == Action::"select", resource == {name});')


@pytest.mark.parametrize(
    "condition",
    [
        'resource.labels.contains("snn")',
        'context.labels.containsAny(["ssn", "snn"])',
        '["snn"].containsAll(resource.labels)',
        'context.kind == "constnat"',
        '["range", "pttern"].contains(context.kind)',
        'context.session.mode == "observed"',
        'context.session.protocol != "postgresql"',
    ],
)
def test_a_word_that_can_never_be_there_is_refused(condition: str) -> None:
    text = f'@id("x") forbid(principal, action == Action::"filter", resource) when {{ {condition} }};'
    assert cedarpy.validate_policies(text, schema.handle(with_time=True)).validation_passed
    found = faults(text)
    assert len(found) == 1
    assert "is never in" in found[0]


def test_reasons_name_the_policy_and_not_its_place() -> None:
    verdict = policy.evaluate(load(EVERYTHING), query(SAM, statement((Action.SELECT, table("orders")))), NOW)
    assert verdict.policies == ("all",)


def test_an_unknown_row_count_is_more_than_any_bound() -> None:
    text = EVERYTHING + (
        '@id("small") forbid(principal, action == Action::"select", resource)'
        " when { context.rows_estimate > 1000 };"
    )
    for facts in ({"rows_estimate": -1}, {}):
        asked = statement((Action.SELECT, table("orders")), facts=facts)
        assert policy.evaluate(load(text), query(SAM, asked), NOW).policies == ("small",)


def test_an_ipv4_address_mapped_into_ipv6_is_in_its_range() -> None:
    text = EVERYTHING + (
        '@id("office-only") forbid(principal, action, resource) unless'
        ' { context.client has address && context.client.address.isInRange(ip("10.0.0.0/8")) };'
    )
    asked = statement((Action.SELECT, table("orders")))
    inside, outside = (query(SAM, asked, address=a) for a in ("::ffff:10.1.2.3", "::ffff:192.0.2.1"))
    assert policy.evaluate(load(text), inside, NOW).effect is Effect.ALLOW
    assert policy.evaluate(load(text), outside, NOW).policies == ("office-only",)
    nowhere = query(SAM, asked, address="not an address")
    assert policy.evaluate(load(text), nowhere, NOW).policies == ("office-only",)


def test_a_statement_that_names_nothing_it_does_is_denied() -> None:
    verdict = policy.evaluate(load(EVERYTHING), query(SAM, statement()), NOW)
    assert verdict.effect is Effect.DENY
    assert verdict.reason is Reason.EFFECT_UNDECIDED


def test_an_empty_statement_does_nothing_and_needs_no_permit() -> None:
    empty = replace(statement(), kind="empty")
    assert policy.evaluate(load(""), query(SAM, empty), NOW).effect is Effect.ALLOW
    ssn = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "orders", "ssn"))
    odd = replace(statement(discloses={ssn: {"ssn"}}), kind="empty")
    assert policy.evaluate(load(""), query(SAM, odd), NOW).effect is Effect.DENY
    does = replace(statement((Action.DROP, table("orders"))), kind="empty")
    assert policy.evaluate(load(""), query(SAM, does), NOW).effect is Effect.DENY


def test_a_fact_of_the_wrong_type_is_a_deny() -> None:
    asked = statement(Operation(Action.SELECT, table("orders"), facts={"is_bounded": "yes"}))
    verdict = policy.evaluate(load(EVERYTHING), query(SAM, asked), NOW)
    assert verdict.reason is Reason.POLICY_ERROR


def test_a_name_that_is_not_unicode_is_a_deny_and_an_application_that_is_not_is_no_matter() -> None:
    broken = statement((Action.SELECT, table("orders\udcff")))
    assert policy.evaluate(load(EVERYTHING), query(SAM, broken), NOW).reason is Reason.POLICY_ERROR
    odd = query(SAM, statement((Action.SELECT, table("orders"))), application="psql\udcff\n")
    assert policy.evaluate(load(EVERYTHING), odd, NOW).effect is Effect.ALLOW


@pytest.mark.parametrize("name", ['a"b', "a.b", "a/b", "a\nb", "a\\b", "ä", "", "a::b", "'", "x" * 300])
def test_no_name_can_be_taken_for_another(name: str) -> None:
    text = EVERYTHING + '@id("t") forbid(principal, action, resource in Table::"shop/public.a");'
    verdict = policy.evaluate(load(text), query(SAM, statement((Action.SELECT, table(name)))), NOW)
    assert verdict.effect is Effect.ALLOW, verdict.message
    assert DECLARED.connections


def test_a_schema_named_like_another_database_is_not_in_it() -> None:
    text = EVERYTHING + '@id("t") forbid(principal, action, resource in Table::"shop/archive/public.a");'
    odd = Resource(ResourceKind.TABLE, ("shop", "shop", "archive/public", "a"))
    assert (
        policy.evaluate(load(text), query(SAM, statement((Action.SELECT, odd))), NOW).effect is Effect.ALLOW
    )
    other = Resource(ResourceKind.TABLE, ("shop", "archive", "public", "a"), is_home=False)
    assert policy.evaluate(load(text), query(SAM, statement((Action.SELECT, other))), NOW).policies == ("t",)
