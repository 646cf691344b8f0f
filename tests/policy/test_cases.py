"""Tables of cases: the sample passes, a wrong expectation is shown plainly, a wrong table is refused whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from narrows import policy
from narrows.model.action import Action
from narrows.model.statement import Statement
from narrows.policy import cases
from tests.policy.world import DATA, DECLARED, SAM, WORLD, sources, statement, table

POLICIES = policy.load(sources(), DECLARED)
FILE = "policies/shop.test.yaml"
SAMPLE = cases.parse(FILE, yaml.safe_load((DATA / "policies" / "shop.test.yaml").read_text()), WORLD)


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_the_sample_holds(case: cases.Case) -> None:
    result = cases.run(POLICIES, case)
    assert result.is_passed, str(result)


def one(**changes: Any) -> cases.Case:
    row = {
        "name": "a case",
        "as": "User/sam",
        "connection": "shop",
        "operations": ['select Table::"shop/public.customers"'],
        "discloses": {'Column::"shop/public.customers.ssn"': ["ssn"]},
        "expect": "allow",
    }
    row = {key: value for key, value in {**row, **changes}.items() if value is not None}
    (case,) = cases.parse("t.yaml", {"cases": [row]}, WORLD, lambda path: 7 if path else 1)
    return case


def test_a_difference_is_shown_with_what_was_expected_and_what_came() -> None:
    wrong = one(
        expect="review",
        rule="payroll-is-finance-only",
        reason="FORBIDDEN",
        shows={'Column::"shop/public.customers.ssn"': "raw", 'Column::"shop/public.customers.email"': None},
    )
    assert str(cases.run(POLICIES, wrong)).splitlines() == [
        "FAIL a case (t.yaml:7)",
        "     effect: expected review, got allow",
        "     reason: expected FORBIDDEN, got none",
        "     rule: expected payroll-is-finance-only, got support-reads-the-shop, support-sees-the-last-four",
        '     shows Column::"shop/public.customers.ssn": expected raw, got partial',
        '     shows Column::"shop/public.customers.email": expected none, got nothing',
    ]


def test_a_denial_is_shown_with_its_message() -> None:
    result = cases.run(POLICIES, one(operations=['select Table::"shop/public.payroll"']))
    assert (
        str(result).splitlines()[-1].startswith('     said: policy "payroll-is-finance-only" forbids select')
    )
    assert str(cases.run(POLICIES, one())) == "ok   a case (t.yaml:7)"


def test_groups_client_facts_and_time_can_be_said() -> None:
    case = one(
        groups=["fraud"],
        at="2026-03-01T22:00:00Z",
        facts={"is_bounded": True, "touches": ["x"], "statement": "select"},
        **{"from": {"address": "192.0.2.1", "tls": False, "application": "x"}},
    )
    assert case.principal.groups == {"fraud"}
    assert case.at == 1772402400.0
    assert (case.client.address, case.client.is_tls, case.client.application) == ("192.0.2.1", False, "x")
    assert case.statement.kind == "select"
    assert case.statement.facts == {"is_bounded": True, "touches": frozenset({"x"})}


def test_sql_is_analysed_by_whoever_can() -> None:
    asked: list[tuple[str, str, str]] = []

    def analyse(sql: str, connection: str, database: str) -> Statement:
        asked.append((sql, connection, database))
        return statement((Action.SELECT, table("payroll")))

    row = {"name": "n", "as": SAM.id, "connection": "shop/archive", "sql": "SELECT 1", "expect": "deny"}
    (case,) = cases.parse("t.yaml", {"cases": [row]}, replace(WORLD, analyse=analyse))
    assert asked == [("SELECT 1", "shop", "archive")]
    assert cases.run(POLICIES, replace(case, database="shop")).is_passed


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"exepct": "deny"}, 'a case has no "exepct"; did you mean "expect"?'),
        ({"expect": "alow"}, '"alow" is not known here; did you mean "allow"?'),
        ({"expect": None}, "the case needs `expect`, as text"),
        ({"as": "User/sma"}, 'no principal is called "User/sma"; did you mean "User/sam"?'),
        ({"as": "Robot/x", "groups": ["fraud"]}, 'no principal is called "Robot/x"'),
        ({"connection": "shp"}, 'no connection is called "shp"; did you mean "shop"?'),
        ({"operations": ["selct Table::x"]}, '"selct" is not known here'),
        ({"operations": ['select Table::"customers"']}, "is not a resource; write it as in a policy"),
        ({"operations": [{"action": "select"}]}, "is not an operation"),
        ({"operations": "select"}, "should be a list"),
        ({"operations": None}, "a case has either `sql` or `operations`"),
        ({"operations": None, "sql": "SELECT 1"}, "SQL cannot be analysed here"),
        ({"discloses": ["x"]}, "should be a mapping"),
        (
            {"shows": {'Column::"shop/public.customers.ssn"': "rwa"}},
            '"rwa" is not known here; did you mean "raw"?',
        ),
        ({"reason": "NOT_PERMITED"}, 'did you mean "NOT_PERMITTED"?'),
        ({"at": "yesterday"}, "'yesterday' is not a time"),
        ({"from": {"port": 1}}, 'a client has no "port"'),
        ({"groups": "fraud"}, "should be a list of words"),
    ],
)
def test_a_fault_in_a_table_is_said_with_its_line(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(cases.CaseError) as caught:
        one(**changes)
    assert any(fault in str(each) for each in caught.value.faults), str(caught.value)
    assert all(each.line == 7 for each in caught.value.faults)


@pytest.mark.parametrize(
    "value", [None, [], {"case": []}, {"cases": {}}, {"cases": [], "more": 1}, {"cases": ["x"]}]
)
def test_what_is_not_a_table_is_refused(value: object) -> None:
    with pytest.raises(cases.CaseError):
        cases.parse("t.yaml", value, WORLD)
