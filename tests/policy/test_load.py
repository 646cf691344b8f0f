"""Loading: every fault is said, with its place and what to do; what loads is what was written."""

from __future__ import annotations

import pytest

from narrows import policy
from narrows.policy import source
from tests.policy.world import DECLARED, faults, load, sources

GOOD = '@id("a") permit(principal, action, resource);\n'


def test_the_sample_loads() -> None:
    policies = policy.load(sources(), DECLARED)
    assert "payroll-is-finance-only" in policies.ids
    assert policies.annotations["exports-are-reviewed"]["review"] == "data-stewards"
    assert policies.policies["payroll-is-finance-only"].file == "policies/payroll.cedar"


def test_nothing_is_a_policy_set_that_permits_nothing() -> None:
    assert policy.load({}, DECLARED).ids == ()
    assert policy.load({"empty.cedar": "// nothing yet\n"}, DECLARED).ids == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("permit(principal, action, resource);", "1: the policy has no @id; name it"),
        ('\n\n@id("")permit(principal, action, resource);', '3: "" is not a usable @id'),
        ('@id("a b")permit(principal, action, resource);', '1: "a b" is not a usable @id'),
        (GOOD + GOOD, '2: @id("a") is already used in test.cedar:1'),
        (
            '@id("a")\n@reveiw("fraud")\npermit(principal, action, resource);',
            '2: @reveiw is not an annotation that narrows knows; did you mean "review"?',
        ),
        (
            '@id("a") @alert("loud") permit(principal, action, resource);',
            '1: "loud" is not a severity; use one of',
        ),
        ('@id("a") @message("x\\ny") permit(principal, action, resource);', "1: @message cannot be shown"),
        ('@id("a") @owner permit(principal, action, resource);', "1: @owner names nobody"),
        (
            '@id("a") @review("stewards") permit(principal, action, resource);',
            '1: the reviewing group "stewards" is not declared; did you mean "data-stewards"?',
        ),
        ('@id("a") @review("a b") permit(principal, action, resource);', '1: "a b" does not say who reviews'),
        ('@id("a") @review("managers:0") permit(principal, action, resource);', "does not say who reviews"),
        ('@id("a") permit(principal, action, resource)', "1: the policy that begins here is not Cedar"),
        (
            GOOD + '\n@id("b") permit(principal, action resource);',
            "3: the policy that begins here is not Cedar",
        ),
        ('@id("a") permit(principal == ?principal, action, resource);', "1: templates"),
        (
            '@id("a") permit(principal, action == Action::"raed", resource);',
            '1: unrecognized action `Action::"raed"`; actions and groups: read, write',
        ),
        (
            '@id("a") permit(principal, action == Action::"select", resource)\n when { context.is_bouned };',
            "2: attribute `is_bouned` in the context not found; did you mean `is_bounded`?",
        ),
        (
            '@id("a") permit(principal, action == Action::"select", resource == Gateway::"narrows");',
            "1: unable to find an applicable action",
        ),
        (
            '@id("a") permit(principal, action, resource)\n\nwhen { context.client.address.isLoopback() };',
            "3: unable to guarantee safety of access to optional attribute `client.address` in the context; ask first",
        ),
        ('@id("a") permit(principal is Usr, action, resource);', "1: unrecognized entity type `Usr`"),
        (";", "1: the policy that begins here is not Cedar"),
    ],
)
def test_a_fault_has_its_line_and_its_remedy(text: str, fault: str) -> None:
    found = faults(text)
    assert any(line.startswith(f"test.cedar:{fault}") or fault in line for line in found), found


def test_every_fault_of_every_file_is_listed() -> None:
    files = {
        "b.cedar": '@id("x") permit(principal in Group::"nobody", action, resource);',
        "a.cedar": 'permit(principal, action, resource);\n@id("x") forbid(principal, action, resource) when { 1 };',
        "c.cedar": GOOD + "nonsense;",
    }
    with pytest.raises(policy.PolicyError) as caught:
        policy.load(files, DECLARED)
    places = [(fault.file, fault.line) for fault in caught.value.faults]
    assert places == sorted(places)
    assert {("a.cedar", 1), ("a.cedar", 2), ("b.cedar", 1), ("c.cedar", 2)} <= set(places)
    assert all(fault.message for fault in caught.value.faults)
    assert str(caught.value).count("\n") == len(caught.value.faults) - 1


def test_one_mistake_under_many_actions_is_one_fault() -> None:
    assert len(faults('@id("a") permit(principal, action, resource) when { context.nothing == 1 };')) == 1


def test_the_version_follows_the_text_and_nothing_else() -> None:
    one, same = load(GOOD), load(GOOD)
    assert one.version == same.version
    assert one.version != load(GOOD + "// a comment\n").version
    assert one.version != policy.load({"other.cedar": GOOD}, DECLARED).version


def test_a_semicolon_in_a_string_or_a_comment_ends_nothing() -> None:
    text = (
        '// one; two\n@id("a") @message("a; \\"b\\"; // c")\npermit(principal, action, resource);\n'
        '@id("b") // ; here\nforbid(principal, action, resource in Table::"shop/public.\\"a;b\\"");\n// end;\n'
    )
    policies = load(text)
    assert policies.ids == ("a", "b")
    assert policies.policies["a"].message == 'a; "b"; // c'
    assert (policies.policies["a"].line, policies.policies["b"].line) == (2, 4)


def test_the_pieces_of_a_file_are_the_file() -> None:
    text = "".join(sources().values())
    pieces = list(source.split("all", text))
    assert sum(piece.text.count(";") for piece in pieces) >= len(pieces)
    assert [text.splitlines()[piece.line - 1].lstrip()[:3] for piece in pieces] == ["@id"] * len(pieces)


def test_time_is_used_where_a_policy_names_it() -> None:
    assert not load(GOOD).uses_time
    timed = '@id("t") forbid(principal, action, resource) when { context.now > datetime("2030-01-01") };'
    assert load(GOOD + timed).uses_time


def test_a_deep_expression_is_a_fault_and_not_a_crash() -> None:
    deep = "(" * 5000 + "true" + ")" * 5000
    assert faults(f'@id("a") permit(principal, action, resource) when {{ {deep} }};')
    long = " && ".join(["true"] * 2000)
    assert isinstance(faults(f'@id("a") permit(principal, action, resource) when {{ {long} }};'), list)
