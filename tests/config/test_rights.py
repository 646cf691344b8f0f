"""Effective rights are verdicts on made-up statements, never a reading of policy texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrows.config import questions
from narrows.config.load import load
from narrows.config.loaded import Config
from narrows.config.questions import QuestionError, find_principal, find_resource
from narrows.config.rights import connection_rights, finish, is_reachable
from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.model.resource import GATEWAY
from narrows.model.verdict import Effect
from tests.config import directory


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(directory.write(tmp_path), {})


def test_rights_tell_all_some_and_none_apart(config: Config) -> None:
    alice = find_principal(config, "alice")
    found = finish(connection_rights(config, alice, "shop", 0.0))
    assert Action.CONNECT in found.allowed
    assert Action.SELECT in found.partly
    assert Action.DROP not in (*found.allowed, *found.partly)


def test_a_label_is_told_at_its_lowest_readable_rung(config: Config) -> None:
    found = finish(connection_rights(config, find_principal(config, "alice"), "shop", 0.0))
    assert found.rungs == {"email": Rung.NONE, "pii": Rung.NONE, "salary": Rung.NONE, "ssn": Rung.PARTIAL}


def test_who_may_not_connect_reaches_nothing(tmp_path: Path) -> None:
    text = directory.NARROWS.replace("alice: {groups: [support]}", "alice: {}")
    config = load(directory.write(tmp_path, text), {})
    assert not finish(is_reachable(config, find_principal(config, "alice"), "shop", 0.0))
    assert finish(is_reachable(config, find_principal(config, "reports"), "shop", 0.0))


def test_the_answer_agrees_with_the_gates_own_verdict(config: Config) -> None:
    alice = find_principal(config, "alice")
    for on, effect in (("public.payroll", Effect.DENY), ("public.customers", Effect.ALLOW)):
        statement = questions.question(config, "shop", "shop", "select", on, {})
        assert questions.answer(config, alice, "shop", "shop", statement, 0.0).verdict.effect is effect


@pytest.mark.parametrize(
    ("on", "text"),
    [
        ("", 'Connection::"shop"'),
        ("database", 'Database::"shop/shop"'),
        ("public", 'Schema::"shop/public"'),
        ("public.orders", 'Table::"shop/public.orders"'),
        ('public."Odd.Name"', 'Table::"shop/public."Odd.Name""'),
        ("public.orders.total", 'Column::"shop/public.orders.total"'),
        ('Table::"shop/public.orders"', 'Table::"shop/public.orders"'),
    ],
)
def test_resources_are_named_as_people_name_them(config: Config, on: str, text: str) -> None:
    assert str(find_resource(config, "shop", "shop", on)) == text


def test_another_database_shows_in_the_id(config: Config) -> None:
    assert str(find_resource(config, "shop", "archive", "public.t")) == 'Table::"shop/archive/public.t"'
    assert find_resource(config, "", "", "anything") == GATEWAY


@pytest.mark.parametrize("name", ["nobody", "Service/alice", "User/reports", ""])
def test_somebody_who_is_not_declared_is_refused(config: Config, name: str) -> None:
    with pytest.raises(QuestionError):
        find_principal(config, name)
