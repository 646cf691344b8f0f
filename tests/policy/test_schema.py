"""The schema is generated from the model: nothing that a protocol can do is unknown to policy."""

from __future__ import annotations

import cedarpy
import pytest

from narrows.inspect.sql import analysis
from narrows.model.action import GROUPS, Action
from narrows.model.resource import ResourceKind
from narrows.policy import schema
from tests.policy.world import faults


@pytest.mark.parametrize("with_time", [False, True])
def test_cedar_takes_it(with_time: bool) -> None:
    assert cedarpy.Schema.from_str(schema.text(with_time))
    assert ("now: datetime" in schema.text(with_time)) is with_time


@pytest.mark.parametrize("action", list(Action))
def test_every_action_can_be_named_alone_and_by_its_group(action: Action) -> None:
    group = next(name for name, members in GROUPS.items() if action in members)
    assert not faults(f'@id("a") permit(principal, action == Action::"{action}", resource);')
    assert not faults(f'@id("a") permit(principal, action in Action::"{group}", resource);')


@pytest.mark.parametrize("kind", list(ResourceKind))
def test_every_kind_of_resource_has_labels(kind: ResourceKind) -> None:
    text = (
        f'@id("a") permit(principal, action, resource is {kind}) when {{ resource.labels.contains("ssn") }};'
    )
    assert not faults(text)


def test_what_the_analysis_of_sql_finds_is_what_policy_can_name() -> None:
    known = {rule.name for rule in schema.SQL}
    assert set(analysis.FACTS) | {"kinds", "is_multi"} == known


def test_every_fact_is_described() -> None:
    rules = [*schema.CLIENT, *schema.SESSION, *schema.SQL, *schema.OPERATION, schema.NOW]
    rules += [rule for own in schema.BY_ACTION.values() for rule in own]
    assert all(rule.help for rule in rules)


def test_facts_of_sql_cannot_be_asked_of_what_is_not_sql() -> None:
    assert faults(
        '@id("a") forbid(principal, action == Action::"connect", resource) when { context.is_unknown };'
    )
    assert not faults(
        '@id("a") forbid(principal, action in Action::"read", resource) when { context.is_unknown };'
    )
