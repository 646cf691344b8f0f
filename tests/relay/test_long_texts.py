"""Texts that take long are analysed elsewhere, whatever message leads to them."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.inspect.sql import analyse_inline
from narrows.relay.machine import Side
from narrows.relay.postgres import asking
from narrows.wire.postgres import frontend
from tests.relay.raw import SYNC, bind, execute, query
from tests.relay.talk import BOUND, IN_BLOCK, PLAIN_VIEW, READY, Talk, complete, fields, row

LONG = "prepare s as select ssn from customers where id in (" + ",".join("1" * 30_000) + ")"


@pytest.fixture(name="talk")
def _talk() -> Talk:
    return Talk()


def _prepared(talk: Talk, text: str = LONG) -> Talk:
    talk.client(query(text)).analysed().allow().target(complete("PREPARE"), READY)
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    return talk


@pytest.mark.parametrize("text", ["execute s", "explain execute s", "explain analyze execute s"])
def test_a_query_that_runs_a_long_prepared_text_is_analysed_elsewhere(talk: Talk, text: str) -> None:
    _prepared(talk).client(query(text)).asked()
    assert [found for _, found in talk.analyses] == [text]
    talk.analysed().asked(text).allow().to_upstream(query(text))


def test_a_bind_of_a_long_text_that_sql_prepared_is_analysed_elsewhere(talk: Talk) -> None:
    _prepared(talk).client(bind("", "s"), execute(), SYNC).asked()
    assert [found for _, found in talk.analyses] == ['EXECUTE "s"']
    talk.analysed().asked(LONG).allow()
    talk.to_upstream(bind("", "s"), frontend.Describe("P", ""), execute(), SYNC)
    talk.target(BOUND, fields("ssn"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(BOUND, row(b"***"), complete("SELECT 1"), READY)


def test_nothing_long_is_parsed_here(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is bound, the loop's own analysis never gets to the end of it."""
    _prepared(talk)
    answers: list[object] = []

    def spy(*given: Any) -> object:
        answers.append(analyse_inline(*given))
        return answers[-1]

    monkeypatch.setattr(asking, "analyse_inline", spy)
    for _ in range(3):
        talk.client(bind("", "s"), SYNC).analysed().allow().target(BOUND, READY)
    assert answers == [None] * 3


def test_a_short_text_that_is_much_work_is_analysed_elsewhere(talk: Talk) -> None:
    text = "select 1 from " + ",".join(["notes"] * 200) + " where " + " or ".join(["z=z"] * 200)
    talk.client(query(text)).asked()
    assert [found for _, found in talk.analyses] == [text]


def test_the_worst_is_believed_of_a_long_open_cursor_when_labels_change(talk: Talk) -> None:
    text = "declare c cursor for select body, " + ",".join(["1"] * 3000) + " from notes"
    talk.session.update_view(PLAIN_VIEW, None)
    talk.client(query("begin")).allow().target(complete("BEGIN"), IN_BLOCK)
    talk.client(query(text)).analysed().allow().target(complete("DECLARE CURSOR"), IN_BLOCK)
    talk.session.update_view(talk.view)
    talk.client(query("fetch all from c"))
    assert talk.asks[0][1].disclosures
