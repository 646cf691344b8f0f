"""A statement with effects is described before it runs: what cannot be masked is refused while nothing has happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect.sql.analysis import View
from narrows.model.label import Rung
from narrows.relay.machine import Cancel, Close, Own, SchemaChanged, Side
from narrows.relay.postgres.refusal import FAILING_TEXT, RESERVED
from narrows.wire.postgres import backend, frontend
from tests.relay.raw import FLUSH, SYNC, bind, execute, parse, query
from tests.relay.talk import (
    BOUND,
    CLOSED,
    FAILED,
    IN_BLOCK,
    LABELLED,
    NO_DATA,
    OPAQUE,
    PARSED,
    PLAIN_VIEW,
    READY,
    SNAPSHOT,
    SYNTAX_ERROR,
    Talk,
    complete,
    error,
    fields,
    foretelling,
    foretold,
    row,
    said,
)

FAILING = frontend.Parse(RESERVED, FAILING_TEXT)
DESCRIBE = frontend.Describe("P", "")
UPDATE = "update notes set body = 'x' returning id"
SSN = "update customers set name = 'x' returning ssn"
DONE = complete("UPDATE 1")
MISSING = error("42703", "column does not exist", P="5")
CANCELLED = error("57014")
ONE = fields("one")
SWAPPED = fields("a", "b")
"""The target describes two columns where the analysis knows of one."""


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(chunk=request.param)


def quiet(talk: Talk) -> Talk:
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    talk.outcomes.clear()
    talk.others.clear()
    return talk


def in_block(talk: Talk) -> Talk:
    return quiet(talk.client(query("begin")).allow().target(complete("BEGIN"), IN_BLOCK))


def prepared(talk: Talk, text: str = UPDATE) -> Talk:
    """`s` is prepared and described by nobody."""
    return quiet(talk.client(parse(text, "s"), SYNC).target(PARSED, READY))


# -- a Query


def test_a_query_with_effects_is_described_and_then_sent_byte_for_byte(talk: Talk) -> None:
    talk.client(query(SSN)).to_upstream().allow().to_upstream(*foretold(SSN)).other(Own)
    talk.target(*foretelling(fields("ssn"))).to_client().to_upstream(query(SSN))
    talk.target(fields("ssn"), row(b"123"), DONE, READY)
    (outcome,) = talk.outcomes
    assert (outcome.record, outcome.status, outcome.rows, outcome.masked) == ("r1", "done", 1, 1)
    talk.to_client(fields("ssn"), row(b"***"), DONE, READY).other()


def test_what_was_described_once_is_sent_at_once(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().target(*foretelling(ONE))
    talk.target(ONE, DONE, READY)
    quiet(talk).client(query(UPDATE)).allow().to_upstream(query(UPDATE))
    other = Talk(chunk=talk.chunk)
    other.context.cache = talk.context.cache
    other.client(query(UPDATE)).allow().to_upstream(query(UPDATE))


def test_a_description_of_another_basis_does_not_count(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().target(*foretelling(ONE))
    talk.target(ONE, DONE, READY)
    in_block(talk).client(query(UPDATE)).allow().to_upstream(*foretold(UPDATE))


def test_the_journal_is_told_the_text_without_its_secrets(talk: Talk) -> None:
    text = "update notes set body = 'password=hunter2' returning id"
    talk.client(query(text)).allow().to_upstream(*foretold(text))
    (own,) = talk.others
    assert own == Own(text.replace("hunter2", "<secret>"), "describe a statement with effects before it runs")


@pytest.mark.parametrize(
    "text",
    [
        "select ssn from customers",
        "select id from notes for update",
        "update notes set body = 'x'",
        f"{UPDATE}; select 1",
        "copy notes to stdout",
        "copy notes from stdin",
    ],
)
def test_what_is_not_described_first(talk: Talk, text: str) -> None:
    talk.client(query(text)).allow().to_upstream(query(text)).other()


def test_where_nothing_is_labelled_nothing_is_added() -> None:
    talk = Talk(PLAIN_VIEW)
    talk.client(query(UPDATE)).allow().to_upstream(query(UPDATE))
    talk = Talk(PLAIN_VIEW)
    talk.client(parse(UPDATE), bind(), execute(), SYNC).allow()
    talk.to_upstream(parse(UPDATE), bind(), execute(), SYNC).other()


def test_what_disagrees_is_refused_before_it_runs_and_tried_again_under_a_fresh_schema(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().target(*foretelling(SWAPPED)).to_upstream(*foretold(UPDATE))
    shown = bytes(talk.taken(Side.CLIENT))
    assert b"CNW018\0" in shown
    assert b"retryable: yes" in shown
    assert shown.endswith(said(READY))
    talk.finished("r1 refused").other(Own, SchemaChanged)
    talk.client(query(UPDATE)).asked().did(talk.session.schema_read(talk.view)).asked(UPDATE)
    talk.allow().to_upstream(*foretold(UPDATE)).target(*foretelling(ONE)).to_upstream(query(UPDATE))


def test_a_refusal_in_a_block_ends_it_and_the_schema_is_read_afterwards(talk: Talk) -> None:
    in_block(talk).client(query(UPDATE)).allow().to_upstream(*foretold(UPDATE))
    talk.target(*foretelling(SWAPPED, IN_BLOCK)).to_upstream(query(FAILING_TEXT)).to_client()
    talk.target(SYNTAX_ERROR, FAILED).refusal_to_client("NW018", FAILED).finished("r2 refused")
    talk.other(Own, Own).client(query("rollback")).allow().target(complete("ROLLBACK"), READY)
    talk.other(SchemaChanged)


def test_in_an_aborted_block_nothing_of_ours_is_sent(talk: Talk) -> None:
    in_block(talk).client(query("select 1/0")).allow().target(error("22012"), FAILED)
    quiet(talk).client(query(UPDATE)).allow().to_upstream(query(UPDATE)).other()
    talk.target(error("25P02"), FAILED).to_client(error("25P02"), FAILED)


def test_an_error_of_our_parse_is_the_query_s_own(talk: Talk) -> None:
    talk.client(query(UPDATE), query("select 1")).allow().to_upstream(*foretold(UPDATE)).asked()
    talk.target(CLOSED, MISSING, READY).to_client(MISSING, READY).finished("r1 error")
    talk.asked("select 1").allow().to_upstream(query("select 1"))
    talk.target(fields("a"), complete("SELECT 0"), READY).to_client(fields("a"), complete("SELECT 0"), READY)


def test_an_error_of_our_parse_aborts_the_block_as_the_query_would_have(talk: Talk) -> None:
    in_block(talk).client(query(UPDATE)).allow().target(CLOSED, MISSING, FAILED)
    talk.to_upstream(*foretold(UPDATE)).to_client(MISSING, FAILED).finished("r2 error")
    assert talk.session.is_waiting_in_block


def test_an_error_of_our_parse_is_cleaned_like_the_query_s(talk: Talk) -> None:
    talk.client(query(SSN)).allow().target(CLOSED, error("22P02", "invalid input: 123"), READY)
    assert b"123" not in talk.taken(Side.CLIENT)


def test_a_failed_query_has_replaced_the_unnamed_statement(talk: Talk) -> None:
    quiet(talk.client(parse("select 1"), SYNC).target(PARSED, READY))
    quiet(talk.client(query(UPDATE)).allow().target(CLOSED, MISSING, READY))
    talk.client(bind(), SYNC).asked().refusal_to_client("26000")


def test_a_notice_of_our_parse_is_not_told_twice(talk: Talk) -> None:
    notice = backend.NoticeResponse({"S": "NOTICE", "V": "NOTICE", "C": "42622", "M": "truncated"})
    talk.client(query(UPDATE)).allow().target(CLOSED, notice, *foretelling(ONE)[1:]).to_client()
    talk.target(notice).to_client(notice)


def test_a_procedure_without_outputs_is_described_once() -> None:
    procedure = replace(OPAQUE, kind="p")
    snapshot = replace(SNAPSHOT, functions={("public", "opaque"): (procedure,)})
    first, second = (Talk(View(snapshot, LABELLED)) for _ in range(2))
    second.context.cache = first.context.cache
    text = "call public.opaque()"
    first.client(query(text)).allow().to_upstream(*foretold(text)).target(*foretelling(NO_DATA))
    first.to_upstream(query(text)).target(complete("CALL"), READY).to_client(complete("CALL"), READY)
    second.client(query(text)).allow().to_upstream(query(text))


def test_pipelined_queries_keep_their_order(talk: Talk) -> None:
    one, two = query("select body from notes"), query(UPDATE)
    talk.client(one, two, one, frontend.Terminate()).allow().allow()
    talk.to_upstream(one, *foretold(UPDATE)).asked()
    selected = (fields("body"), complete("SELECT 0"), READY)
    talk.target(*selected, *foretelling(ONE)).to_client(*selected).to_upstream(two).allow()
    talk.to_upstream(one, frontend.Terminate()).target(ONE, DONE, READY, *selected)
    talk.to_client(ONE, DONE, READY, *selected).finished("r1 done", "r2 done", "r3 done")
    assert isinstance(talk.others[-1], Close)


def test_a_block_that_fails_before_our_parse_is_told_as_aborted(talk: Talk) -> None:
    in_block(talk).client(query("select 1/0"), query(UPDATE)).allow().allow()
    talk.target(error("22012"), FAILED, CLOSED, error("25P02"), FAILED)
    talk.to_client(error("22012"), FAILED, error("25P02"), FAILED).finished("r2 error", "r3 error")


def test_in_a_client_s_series_no_sync_of_ours_commits_what_came_before(talk: Talk) -> None:
    talk.client(parse("select 1"), bind(), execute(), FLUSH).allow()
    quiet(talk.target(PARSED, BOUND, fields("a"), complete("SELECT 0")))
    *asked, sync = foretold(UPDATE)
    assert sync == SYNC
    talk.client(query(UPDATE)).allow().to_upstream(*asked, FLUSH)
    talk.target(*foretelling(ONE)[:-1]).to_upstream(query(UPDATE))
    talk.target(ONE, DONE, READY).to_client(ONE, DONE, READY).finished("r2 done")


def test_in_a_client_s_series_a_failing_parse_undoes_it_all(talk: Talk) -> None:
    """The target passes over everything up to a Sync, which commits nothing after an error."""
    talk.client(parse("select 1"), bind(), execute(), FLUSH).allow()
    quiet(talk.target(PARSED, BOUND, fields("a"), complete("SELECT 0")))
    talk.client(query(UPDATE)).allow()
    talk.taken(Side.UPSTREAM)
    talk.target(CLOSED, MISSING).to_upstream(SYNC).to_client(MISSING)
    talk.target(READY).to_client(READY).finished("r2 error").client(query("select 1")).asked("select 1")


def test_a_cancel_while_a_query_is_described_stops_it_at_the_target(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().to_upstream(*foretold(UPDATE)).did(talk.session.cancel()).other(
        Own, Cancel
    )
    talk.target(CLOSED, PARSED, CANCELLED, READY).to_upstream().to_client(CANCELLED, READY)
    talk.finished("r1 cancelled")


def test_a_cancel_that_comes_too_late_for_the_description_is_kept_for_the_query(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().did(talk.session.cancel()).to_upstream(*foretold(UPDATE))
    talk.target(*foretelling(ONE)).to_upstream().refusal_to_client("57014", READY)
    talk.finished("r1 cancelled")


def test_either_side_going_away_while_a_query_is_described(talk: Talk) -> None:
    talk.client(query(UPDATE)).allow().to_upstream(*foretold(UPDATE))
    talk.did(talk.session.closed(Side.CLIENT)).to_upstream(frontend.Terminate())
    talk.finished("r1 lost").other(Own, Cancel, Close)
    talk = Talk()
    talk.client(query(UPDATE)).allow().did(talk.session.closed(Side.UPSTREAM))
    talk.refusal_to_client("08006").finished("r1 lost").other(Own, Close)


def test_a_block_whose_schema_nobody_follows_is_described_each_time(talk: Talk) -> None:
    in_block(talk).client(query("drop function public.opaque()")).allow()
    talk.target(complete("DROP FUNCTION"), IN_BLOCK)
    for _ in range(2):
        quiet(talk).client(query(UPDATE)).allow().to_upstream(*foretold(UPDATE))
        talk.target(*foretelling(ONE, IN_BLOCK)).target(ONE, DONE, IN_BLOCK)


def test_what_disagrees_only_when_it_runs_is_cut_and_the_schema_is_read_again(talk: Talk) -> None:
    select = "select id from notes"
    talk.client(query(select)).allow().target(SWAPPED, CANCELLED, READY)
    talk.refusal_to_client("NW018", READY).finished("r1 withheld").other(Cancel, SchemaChanged)
    talk = Talk(chunk=talk.chunk)
    talk.client(query(select)).allow().target(SWAPPED, complete("SELECT 0")).refusal_to_client("NW018")
    talk.finished("r1 withheld").other(Cancel, SchemaChanged, Close)
    talk.did(talk.session.schema_read(talk.view)).to_client().to_upstream(query(select)).other()


def test_a_question_of_ours_that_was_cut_short_is_not_in_the_way_of_the_next(talk: Talk) -> None:
    """A name that was left at the target would fail every later Parse of it."""
    talk.client(query("select public.opaque()")).allow().target(*foretelling(fields("opaque")))
    talk.target(fields("opaque"), complete("SELECT 0"), READY)
    quiet(talk).client(query("select 1"))
    close = frontend.build(frontend.Close("S", RESERVED))
    assert talk.taken(Side.UPSTREAM).startswith(close)
    talk.target(CLOSED, PARSED, CANCELLED, READY).to_client()
    assert talk.taken(Side.UPSTREAM).startswith(close)


# -- an Execute


def test_an_execute_with_effects_waits_for_the_fields_of_its_rows(talk: Talk) -> None:
    talk.client(parse(SSN), bind(), execute(), SYNC).allow()
    talk.to_upstream(parse(SSN), bind(), DESCRIBE, FLUSH)
    talk.target(PARSED, BOUND).to_client(PARSED, BOUND).to_upstream()
    talk.target(fields("ssn")).to_client().to_upstream(execute(), SYNC)
    talk.target(row(b"123"), DONE, READY).to_client(row(b"***"), DONE, READY).finished("r1 done").other()


@pytest.mark.parametrize("formats", [(), (1,)])
def test_a_text_described_once_is_sent_in_one_flight(talk: Talk, formats: tuple[int, ...]) -> None:
    talk.client(parse(UPDATE), bind(), execute(), SYNC).allow()
    quiet(talk.target(PARSED, BOUND, ONE).target(DONE, READY))
    again = (parse(UPDATE), bind(formats=formats))
    talk.client(*again, execute(), SYNC).allow().to_upstream(*again, DESCRIBE, execute(), SYNC)
    talk.target(PARSED, BOUND, ONE, DONE, READY).client(query(UPDATE)).allow().to_upstream(query(UPDATE))


def test_the_client_s_own_describe_will_do(talk: Talk) -> None:
    talk.client(parse(SSN), bind(), DESCRIBE, execute(), SYNC).allow()
    talk.to_upstream(parse(SSN), bind(), DESCRIBE, FLUSH).target(PARSED, BOUND, fields("ssn"))
    talk.to_client(PARSED, BOUND, fields("ssn")).to_upstream(execute(), SYNC)
    talk.target(row(b"123"), DONE, READY).to_client(row(b"***"), DONE, READY)


@pytest.mark.parametrize("syncs", [(), (SYNC,)], ids=["same series", "another series"])
def test_a_describe_of_its_statement_will_do(talk: Talk, syncs: tuple[frontend.Sync, ...]) -> None:
    statement = frontend.Describe("S", "s")
    talk.client(parse(SSN, "s"), statement, *syncs)
    quiet(talk.target(PARSED, *((backend.ParameterDescription(()), fields("ssn"), READY) if syncs else ())))
    talk.client(bind("", "s"), execute(), SYNC).allow()
    if syncs:
        talk.to_upstream(bind("", "s"), execute(), SYNC)
    else:
        talk.to_upstream(bind("", "s"), FLUSH).target(backend.ParameterDescription(()), fields("ssn"), BOUND)
        talk.to_upstream(execute(), SYNC)


def test_fields_that_disagree_refuse_the_execute_and_the_rest_of_its_series(talk: Talk) -> None:
    messages = (bind("", "s"), execute())
    prepared(talk).client(*messages, bind("", "s"), execute(), SYNC).allow()
    talk.to_upstream(bind("", "s"), DESCRIBE, FLUSH)
    talk.target(BOUND, SWAPPED).to_upstream(FAILING, SYNC).to_client(BOUND).finished("r1 refused")
    talk.target(SYNTAX_ERROR, READY).refusal_to_client("NW018", READY).other(Own, SchemaChanged)
    quiet(talk).client(*messages, SYNC).did(talk.session.schema_read(talk.view)).allow()
    talk.to_upstream(bind("", "s"), DESCRIBE, FLUSH).target(BOUND, ONE).to_upstream(execute(), SYNC)


def test_a_statement_s_description_that_disagreed_is_asked_for_again(talk: Talk) -> None:
    prepared(talk).client(frontend.Describe("S", "s"), SYNC)
    talk.target(backend.ParameterDescription(()), SWAPPED, READY)
    quiet(talk).client(bind("", "s"), execute(), SYNC).allow().to_upstream(bind("", "s"), FAILING, SYNC)
    talk.target(BOUND, SYNTAX_ERROR, READY).did(talk.session.schema_read(talk.view))
    quiet(talk).client(bind("", "s"), execute(), SYNC).allow().to_upstream(bind("", "s"), DESCRIBE, FLUSH)


def test_formats_that_cannot_be_masked_are_refused_before_it_runs(talk: Talk) -> None:
    prepared(talk, SSN).client(frontend.Describe("S", "s"), SYNC)
    talk.target(backend.ParameterDescription(()), fields("ssn"), READY)
    bound = bind("", "s", formats=(0, 0))
    quiet(talk).client(bound, execute(), SYNC).allow().to_upstream(bound, FAILING, SYNC)
    talk.target(BOUND, SYNTAX_ERROR, READY)
    shown = talk.taken(Side.CLIENT)
    assert b"CNW017\0" in shown
    assert b"retryable: no" in shown
    talk.finished("r1 refused").other(Own)


def test_what_is_known_of_the_text_refuses_an_execute_in_its_first_flight(talk: Talk) -> None:
    talk.client(parse(SSN), bind(), execute(), SYNC).allow()
    quiet(talk.target(PARSED, BOUND, fields("ssn")).target(DONE, READY))
    talk.client(parse(SSN), bind(formats=(0, 0)), execute(), SYNC).allow()
    talk.to_upstream(parse(SSN), bind(formats=(0, 0)), DESCRIBE, FAILING, SYNC)


def test_a_refused_execute_aborts_its_block(talk: Talk) -> None:
    in_block(talk).client(parse(UPDATE), bind(), execute(), SYNC).allow()
    talk.target(PARSED, BOUND, SWAPPED).target(SYNTAX_ERROR, FAILED)
    assert b"CNW018\0" in talk.taken(Side.CLIENT)
    talk.other(Own).client(query("rollback")).allow().target(complete("ROLLBACK"), READY).other(SchemaChanged)


def test_in_an_aborted_block_an_execute_is_sent_as_it_is(talk: Talk) -> None:
    in_block(talk).client(parse(UPDATE), bind("p"), SYNC).allow().target(PARSED, BOUND, IN_BLOCK)
    talk.client(query("select 1/0")).allow().target(error("22012"), FAILED)
    quiet(talk).client(execute("p"), SYNC).allow().to_upstream(
        frontend.Describe("P", "p"), execute("p"), SYNC
    )
    talk.target(error("25P02"), FAILED).to_client(error("25P02"), FAILED)


def test_an_error_before_the_fields_come_skips_the_execute(talk: Talk) -> None:
    for answers in ((error("42703"),), (PARSED, BOUND, CANCELLED)):
        talk = Talk(chunk=talk.chunk)
        talk.client(parse(UPDATE), bind(), execute(), SYNC).allow().to_upstream(
            parse(UPDATE), bind(), DESCRIBE, FLUSH
        )
        talk.target(*answers).to_upstream(SYNC).target(READY).to_client(*answers, READY)


def test_pipelined_executes_keep_their_order(talk: Talk) -> None:
    select = (parse("select 1"), bind(), execute())
    talk.client(*select, parse(UPDATE), bind(), execute(), *select, SYNC).allow().allow()
    talk.to_upstream(*select[:2], DESCRIBE, execute(), parse(UPDATE), bind(), DESCRIBE, FLUSH)
    talk.target(PARSED, BOUND, fields("a"), complete("SELECT 0"), PARSED, BOUND, ONE)
    talk.to_upstream(execute(), parse("select 1")).allow().to_upstream(bind(), DESCRIBE, execute(), SYNC)
    talk.target(row(b"1"), DONE, PARSED, BOUND, fields("a"), complete("SELECT 0"), READY)
    talk.finished("r1 done", "r2 done", "r3 done")


def test_a_cancel_while_an_execute_waits_goes_to_the_target(talk: Talk) -> None:
    talk.client(parse(UPDATE), bind(), execute(), SYNC).allow().did(talk.session.cancel()).other(Cancel)
    talk.target(PARSED, BOUND, CANCELLED).to_upstream(parse(UPDATE), bind(), DESCRIBE, FLUSH, SYNC)


def test_a_client_that_goes_while_its_execute_waits(talk: Talk) -> None:
    talk.client(parse(UPDATE), bind(), execute(), SYNC).allow().did(talk.session.closed(Side.CLIENT))
    talk.to_upstream(parse(UPDATE), bind(), DESCRIBE, FLUSH, frontend.Terminate())
    talk.finished("r1 lost").other(Cancel, Close)


def test_an_error_of_our_describe_is_told_after_the_client_s_sync_too(talk: Talk) -> None:
    """It stands for the Execute behind it, which the target then passes over."""
    talk.client(parse("select 1"), bind(), execute(), SYNC).allow()
    talk.target(PARSED, BOUND, CANCELLED, READY).to_client(PARSED, BOUND, CANCELLED, READY)


def test_raw_rungs_are_described_as_well(talk: Talk) -> None:
    talk.client(query(SSN)).allow(Rung.RAW).to_upstream(*foretold(SSN)).target(*foretelling(fields("ssn")))
    talk.to_upstream(query(SSN)).target(fields("ssn"), row(b"123"), DONE, READY)
    talk.to_client(fields("ssn"), row(b"123"), DONE, READY)
