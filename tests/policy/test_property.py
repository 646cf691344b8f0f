"""Against an evaluator of its own, over random policies, people and statements."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from narrows import policy
from narrows.model.action import GROUPS, Action
from narrows.model.label import Rung
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.reason import Reason
from narrows.model.resource import Resource, ResourceKind
from narrows.model.statement import Operation, Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict
from narrows.policy import policyset
from tests.policy import naive
from tests.policy.naive import Rule
from tests.policy.world import DECLARED, NOW, column, query, statement, table

ACTIONS = [Action.SELECT, Action.EXPORT, Action.INSERT, Action.DROP]
DOES = [*ACTIONS, *GROUPS["disclose"], "read", "destroy", "disclose"]
TABLES = [
    table("a"),
    table("b"),
    Resource(ResourceKind.TABLE, ("shop", "archive", "public", "a"), is_home=False),
]
COLUMNS = [column("a", "x"), column("a", "y"), column("b", "x")]
PLACES = [
    *TABLES,
    COLUMNS[0],
    Resource(ResourceKind.CONNECTION, ("shop",)),
    Resource(ResourceKind.CONNECTION, ("crm",)),
    Resource(ResourceKind.DATABASE, ("shop", "archive"), is_home=False),
    Resource(ResourceKind.SCHEMA, ("shop", "shop", "public")),
]
LABELS = st.sampled_from(["ssn", "email", "salary"])
GROUP = st.sampled_from(["support", "fraud"])

rules = st.lists(
    st.builds(
        Rule,
        id=st.just("r"),
        effect=st.sampled_from(["permit", "permit", "forbid"]),
        who=st.sampled_from([None, "User::sam", "User::frida", "Group::support", "Group::fraud"]),
        does=st.none() | st.lists(st.sampled_from(DOES), min_size=1, max_size=3).map(tuple),
        on=st.none() | st.sampled_from(PLACES),
        label=st.none() | LABELS,
        is_negated=st.booleans(),
        review=st.sampled_from([None, None, "managers"]),
    ),
    max_size=7,
).map(lambda found: [replace(rule, id=f"r{number}") for number, rule in enumerate(found)])
people = st.builds(
    Principal,
    kind=st.just(PrincipalKind.USER),
    name=st.sampled_from(["sam", "frida"]),
    groups=st.frozensets(GROUP),
)
operations = st.lists(
    st.builds(Operation, action=st.sampled_from(ACTIONS), resource=st.sampled_from(TABLES)),
    min_size=1,
    max_size=3,
)
disclosures = st.dictionaries(
    st.sampled_from(COLUMNS), st.frozensets(LABELS, min_size=1).map(set), max_size=3
)
statements = st.builds(lambda some, shown: statement(*some, discloses=shown), operations, disclosures)

thorough = settings(max_examples=60, deadline=None)


def load(some: list[Rule]) -> policy.PolicySet:
    return policy.load({"p.cedar": "\n".join(rule.render() for rule in some)}, DECLARED)


def evaluate(some: list[Rule], who: Principal, asked: Statement) -> Verdict:
    return policy.evaluate(load(some), query(who, asked), NOW)


def labels_of(asked: Statement, of: Resource) -> frozenset[str]:
    """A table bears what its disclosed columns bear."""
    found = (labels for shown, labels in asked.disclosures.items() if of in (shown, shown.parent))
    return frozenset[str]().union(*found)


def expected(some: list[Rule], who: Principal, asked: Statement, reviewed: bool) -> bool:
    return all(
        naive.is_allowed(some, who, one.action, one.resource, labels_of(asked, one.resource), reviewed)
        for one in asked.operations
    )


@thorough
@given(rules, people, statements)
def test_the_verdict_is_the_one_of_the_naive_evaluator(
    some: list[Rule], who: Principal, asked: Statement
) -> None:
    verdict = evaluate(some, who, asked)
    assert (verdict.effect is Effect.ALLOW) == expected(some, who, asked, reviewed=False)
    for obligation in verdict.obligations:
        assert isinstance(obligation, MaskObligation)
        for shown, rung in obligation.rungs.items():
            assert rung is naive.rung(some, who, shown, asked.disclosures[shown])


@thorough
@given(rules, people, statements)
def test_a_review_is_named_exactly_where_the_second_pass_allows(
    some: list[Rule], who: Principal, asked: Statement
) -> None:
    verdict = evaluate(some, who, asked)
    first = expected(some, who, asked, reviewed=False)
    lifted = all(
        naive.is_allowed(some, who, one.action, one.resource, labels_of(asked, one.resource), reviewed)
        for one in asked.operations
        for reviewed in [
            not naive.is_allowed(some, who, one.action, one.resource, labels_of(asked, one.resource))
        ]
    )
    assert (verdict.reason is Reason.REVIEW_REQUIRED) == (not first and lifted)


@thorough
@given(rules, people, statements, rules)
def test_another_permit_never_takes_anything_away(
    some: list[Rule], who: Principal, asked: Statement, more: list[Rule]
) -> None:
    permits = [replace(rule, id=f"m{rule.id}", effect="permit") for rule in more]
    before, after = evaluate(some, who, asked), evaluate([*some, *permits], who, asked)
    if before.effect is Effect.ALLOW:
        assert after.effect is Effect.ALLOW
        for shown, rung in rungs(before).items():
            assert rungs(after)[shown] >= rung


@thorough
@given(rules, people, statements, rules)
def test_another_forbid_never_gives_anything(
    some: list[Rule], who: Principal, asked: Statement, more: list[Rule]
) -> None:
    forbids = [replace(rule, id=f"m{rule.id}", effect="forbid") for rule in more]
    before, after = evaluate(some, who, asked), evaluate([*some, *forbids], who, asked)
    if after.effect is Effect.ALLOW:
        assert before.effect is Effect.ALLOW
        for shown, rung in rungs(after).items():
            assert rungs(before)[shown] >= rung


@thorough
@given(rules, people, statements)
def test_a_forbid_of_everything_always_wins(some: list[Rule], who: Principal, asked: Statement) -> None:
    verdict = evaluate([*some, Rule("stop", "forbid", None, None, None)], who, asked)
    assert verdict.reason is Reason.FORBIDDEN
    assert "stop" in verdict.policies


@thorough
@given(rules, people, statements)
def test_slices_of_the_policies_answer_as_the_whole(
    some: list[Rule], who: Principal, asked: Statement
) -> None:
    whole = evaluate(some, who, asked)
    kept, policyset.INDEX_ABOVE = policyset.INDEX_ABOVE, 0
    try:
        sliced = evaluate(some, who, asked)
    finally:
        policyset.INDEX_ABOVE = kept
    assert sliced == whole


@thorough
@given(rules, people, statements)
def test_what_the_journal_keeps_gives_the_same_answer(
    some: list[Rule], who: Principal, asked: Statement
) -> None:
    verdict = evaluate(some, who, asked)
    again = policy.reevaluate(load(some), dict(verdict.request), NOW)
    assert (again.effect, again.reason, again.policies) == (verdict.effect, verdict.reason, verdict.policies)
    assert again.rungs == {shown.id: rung for shown, rung in rungs(verdict).items()}


def rungs(verdict: Verdict) -> dict[Resource, Rung]:
    return {
        shown: rung
        for obligation in verdict.obligations
        if isinstance(obligation, MaskObligation)
        for shown, rung in obligation.rungs.items()
    }
