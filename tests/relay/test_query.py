"""Simple Query: settled before it is forwarded, masked before it is shown, refused as an error of the target's."""

from __future__ import annotations

import pytest

from narrows.inspect.sql import analyse
from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.verdict import Effect, RecordObligation, Verdict, mint
from narrows.relay.machine import Cancel, Close, Own, SchemaChanged, Side, Withdraw
from narrows.relay.postgres.probe import TEMPORARY
from narrows.relay.postgres.refusal import FAILING_TEXT
from narrows.wire.postgres import backend, frontend
from tests.relay.talk import (
    CLOSED,
    EMPTY,
    FAILED,
    IN_BLOCK,
    PLAIN_VIEW,
    READY,
    SYNTAX_ERROR,
    Talk,
    complete,
    error,
    fields,
    foretelling,
    row,
)

Query = frontend.Query
FAILING = Query(FAILING_TEXT)


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(chunk=request.param)


def in_block(talk: Talk) -> Talk:
    talk.client(Query("begin")).allow().target(complete("BEGIN"), IN_BLOCK)
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    talk.outcomes.clear()
    talk.others.clear()
    return talk


def test_a_query_is_asked_about_and_only_then_forwarded(talk: Talk) -> None:
    talk.client(Query("select id from customers")).asked("select id from customers").to_upstream()
    talk.allow().to_upstream(Query("select id from customers"))
    talk.target(fields("id"), row(b"1"), complete("SELECT 1"), READY)
    talk.to_client(fields("id"), row(b"1"), complete("SELECT 1"), READY).finished("r1 done")


def test_the_outcome_counts_what_was_handed_on(talk: Talk) -> None:
    talk.client(Query("select ssn from customers")).allow()
    talk.target(fields("ssn"), row(b"123-45-6789"), row(None), complete("SELECT 2"), READY)
    (outcome,) = talk.outcomes
    assert (outcome.rows, outcome.masked, outcome.tag) == (2, 1, "SELECT 2")
    assert outcome.bytes == len(backend.build(row(b"***"))) + len(backend.build(row(None)))


def test_a_labelled_column_is_masked_by_its_rung(talk: Talk) -> None:
    for rung, shown in ((Rung.NONE, b"***"), (Rung.PARTIAL, b"*******6789"), (Rung.RAW, b"123-45-6789")):
        talk.client(Query("select id, ssn as harmless from customers")).allow(rung)
        described = backend.RowDescription(
            tuple(
                backend.Field("harmless" if each.name == "ssn" else each.name, *_rest(each))
                for each in fields("id", "ssn").fields
            )
        )
        talk.target(described, row(b"1", b"123-45-6789"), complete("SELECT 1"), READY)
        talk.to_client(described, row(b"1", shown), complete("SELECT 1"), READY)


def _rest(field: backend.Field) -> tuple[int, int, int, int, int, int]:
    return (field.table_oid, field.attnum, field.type_oid, field.type_size, field.typmod, field.format)


def test_an_expression_over_a_labelled_column_is_masked(talk: Talk) -> None:
    talk.client(Query("select upper(ssn) from customers")).allow()
    talk.target(fields("upper"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(fields("upper"), row(b"***"), complete("SELECT 1"), READY)


def test_a_labelled_column_that_nobody_foresaw_is_masked(talk: Talk) -> None:
    """RowDescription says so, whatever the text."""
    talk.client(Query("select body from notes")).allow()
    talk.target(fields("ssn"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(fields("ssn"), row(b"***"), complete("SELECT 1"), READY)


def test_rows_before_a_description_end_the_session(talk: Talk) -> None:
    talk.client(Query("select 1")).allow().target(row(b"1"))
    talk.refusal_to_client("08P01").other(Cancel, Close).finished("r1 lost")


def test_an_empty_query(talk: Talk) -> None:
    talk.client(Query("")).allow().target(EMPTY, READY).to_client(EMPTY, READY).finished("r1 done")


def test_outside_a_block_a_refusal_is_answered_here(talk: Talk) -> None:
    talk.client(Query("select 1")).deny().to_upstream().refusal_to_client("NW002", READY).finished(
        "r1 refused"
    )
    talk.other()


def test_in_a_block_a_refusal_fails_at_the_target(talk: Talk) -> None:
    in_block(talk).client(Query("select 1")).deny().to_upstream(FAILING).to_client().other(Own)
    talk.target(SYNTAX_ERROR, FAILED).refusal_to_client("NW002", FAILED).finished("r2 refused")
    talk.client(Query("select 2")).deny().to_upstream().refusal_to_client("NW002", FAILED)


def test_a_refusal_waits_for_earlier_answers(talk: Talk) -> None:
    talk.client(Query("select 1"), Query("select 2")).allow().deny()
    talk.to_upstream(Query("select 1"), FAILING).to_client()
    talk.target(fields("a"), row(b"1"), complete("SELECT 1"), READY)
    talk.to_client(fields("a"), row(b"1"), complete("SELECT 1"), READY)
    talk.target(SYNTAX_ERROR, READY).refusal_to_client("NW002", READY)


def test_what_analysis_refuses_is_still_put_to_the_gate(talk: Talk) -> None:
    talk.client(Query("selec"))
    assert talk.asks[0][1].refusal is not None
    assert talk.asks[0][1].refusal.reason is Reason.UNPARSABLE
    talk.deny().refusal_to_client("42601", READY)


def test_a_nul_in_a_statement_is_refused(talk: Talk) -> None:
    text = b"select 1\0; drop table notes\0"
    talk.feed(Side.CLIENT, b"Q" + (len(text) + 4).to_bytes(4, "big") + text)
    talk.deny().to_upstream().refusal_to_client("NW019", READY)


def test_while_a_statement_waits_nothing_overtakes_it(talk: Talk) -> None:
    talk.client(Query("select 1"), Query("select 2")).asked("select 1")
    assert talk.session.wants_client_input
    talk.context.queue_bytes = 8
    assert not talk.session.wants_client_input
    talk.allow().asked("select 2")


def test_a_cancel_request_withdraws_what_waits(talk: Talk) -> None:
    in_block(talk).client(Query("select 1"))
    hold = talk.asks[0][0]
    talk.did(talk.session.cancel())
    assert talk.others[0] == Withdraw(hold)
    talk.to_upstream(FAILING).target(SYNTAX_ERROR, FAILED).refusal_to_client("57014", FAILED)
    talk.allow()  # too late: nothing is forwarded
    talk.to_upstream().finished()


def test_a_cancel_request_goes_to_the_target_otherwise(talk: Talk) -> None:
    talk.did(talk.session.cancel()).other()
    talk.client(Query("select 1")).allow().did(talk.session.cancel()).other(Cancel)


def test_errors_are_cleaned_where_labelled_values_could_stand_in_them(talk: Talk) -> None:
    said = error("22P02", 'invalid input: "123-45-6789"', D="123-45-6789", W="123", P="8", q="123", s="123")
    talk.client(Query("select ssn::int from customers")).allow().target(said, READY)
    shown = talk.taken(Side.CLIENT)
    assert b"123" not in shown
    assert b"C22000\0" in shown
    assert b"P8\0" in shown
    assert talk.outcomes[0].status == "error"


def test_errors_are_whole_where_everything_is_raw(talk: Talk) -> None:
    said = error("22P02", 'invalid input: "123-45-6789"')
    talk.client(Query("select ssn::int from customers")).allow(Rung.RAW).target(said, READY).to_client(
        said, READY
    )
    talk.client(Query("select body from notes")).allow().target(said, READY).to_client(said, READY)


def test_a_made_up_sqlstate_does_not_pass(talk: Talk) -> None:
    talk.client(Query("select ssn from customers")).allow().target(error("12345"), READY)
    talk.refusal_to_client("P0001", READY)
    assert talk.outcomes[0].sqlstate == "P0001"


def test_an_error_at_commit_is_cleaned_behind_hidden_data(talk: Talk) -> None:
    in_block(talk).client(Query("update customers set name = ssn")).deny()
    talk.target(SYNTAX_ERROR, FAILED)
    talk = in_block(Talk())
    talk.client(Query("select ssn from customers")).allow()
    talk.target(fields("ssn"), complete("SELECT 0"), IN_BLOCK)
    talk.taken(Side.CLIENT)
    talk.client(Query("commit")).allow().target(error("23505", "Key (ssn)=(123)"), READY)
    assert b"123" not in talk.taken(Side.CLIENT)
    talk.client(Query("commit")).allow().target(error("23505", "Key (id)=(123)"), READY)
    assert b"123" in talk.taken(Side.CLIENT)


def test_a_notice_is_cleaned_like_an_error(talk: Talk) -> None:
    notice = backend.NoticeResponse({"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": "ssn is 123"})
    talk.client(Query("select ssn from customers")).allow().target(notice)
    assert b"123" not in talk.taken(Side.CLIENT)


def test_a_notification_comes_without_its_text_where_there_are_labels(talk: Talk) -> None:
    talk.target(backend.NotificationResponse(7, "ch", "ssn is 123"))
    talk.to_client(backend.NotificationResponse(7, "ch", ""))
    talk = Talk(PLAIN_VIEW)
    talk.target(backend.NotificationResponse(7, "ch", "x")).to_client(
        backend.NotificationResponse(7, "ch", "x")
    )


def test_a_setting_that_is_not_what_was_tracked_ends_the_session(talk: Talk) -> None:
    talk.client(Query("select 1")).allow()
    talk.target(
        fields("a"), complete("SELECT 0"), backend.ParameterStatus("standard_conforming_strings", "off")
    )
    talk.taken(Side.CLIENT)
    talk.target(READY).refusal_to_client("NW018").other(Close)


def test_a_change_of_the_schema_is_read_before_the_next_statement(talk: Talk) -> None:
    talk.client(Query("create table fresh (a int)"), Query("select 1")).allow().target(
        complete("CREATE TABLE"), READY
    )
    talk.to_client(complete("CREATE TABLE"), READY).other(SchemaChanged).asked()
    talk.did(talk.session.schema_read(talk.view)).asked("select 1")


def test_inside_a_block_the_changed_schema_is_doubted_until_its_end(talk: Talk) -> None:
    in_block(talk).client(Query("alter table notes rename to old")).allow()
    talk.target(complete("ALTER TABLE"), IN_BLOCK).other()
    talk.client(Query("select upper(body) from notes"))
    assert list(talk.asks[0][1].disclosures), "everything labelled counts as reached"
    talk.allow().target(fields("upper"), row(b"123"), complete("SELECT 1"), IN_BLOCK)
    assert b"123" not in talk.taken(Side.CLIENT)
    talk.client(Query("rollback")).allow().target(complete("ROLLBACK"), READY).other(SchemaChanged)


def test_unseen_code_is_followed_by_our_own_show(talk: Talk) -> None:
    talk.client(Query("select public.opaque()")).allow().target(*foretelling(fields("opaque")))
    talk.target(fields("opaque"), complete("SELECT 0"), READY)
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    talk.others.clear()
    talk.client(Query("select 1")).asked()
    assert [command.text for command in talk.others if isinstance(command, Own)] == [
        "SHOW search_path",
        "SHOW role",
        TEMPORARY,
    ]
    assert b"SHOW search_path" in talk.taken(Side.UPSTREAM)
    shown: list[backend.BackendMessage] = [backend.ParseComplete(), backend.BindComplete()]
    ends: list[backend.BackendMessage] = [complete("SHOW"), backend.CloseComplete(), backend.CloseComplete()]
    talk.target(CLOSED, *shown, row(b'"$user", public'), *ends, *shown, row(b"none"), *ends)
    talk.target(*shown, row(b'["notes"]'), *ends, READY)
    talk.to_client().asked("select 1").allow()
    talk.target(fields("?column?"), complete("SELECT 0"), READY).taken(Side.CLIENT)
    talk.client(Query("select upper(body) from notes"))
    assert list(talk.asks[-1][1].disclosures), "code made a temporary table of that name, and filled it"


def test_a_search_path_changed_unseen_ends_the_session(talk: Talk) -> None:
    talk.client(Query("select public.opaque()")).allow().target(*foretelling(fields("opaque")))
    talk.target(fields("opaque"), complete("SELECT 0"), READY)
    talk.taken(Side.CLIENT)
    talk.client(Query("select 1"))
    talk.target(CLOSED, backend.ParseComplete(), backend.BindComplete(), row(b"evil"))
    talk.refusal_to_client("NW018")
    assert isinstance(talk.others[-1], Close)


def test_a_result_that_cannot_be_masked_is_cut(talk: Talk) -> None:
    """Cut at the target; should it have finished by then, the session ends and nothing was shown."""
    for ending, sqlstate in ((error("57014"), "NW017"), (complete("COPY 1"), "NW017")):
        talk = Talk(chunk=talk.chunk)
        talk.client(Query("copy customers to stdout (encoding 'latin1')")).allow()
        assert talk.taken(Side.UPSTREAM)
        talk.target(backend.CopyOutResponse(0, (0, 0, 0)), backend.CopyData(b"1\tx\t123\n"), ending)
        assert isinstance(talk.others[0], Cancel)
        talk.refusal_to_client(sqlstate)
        talk.finished("r1 withheld")


def test_an_answer_that_is_not_owed_ends_the_session(talk: Talk) -> None:
    talk.target(complete("SELECT 1")).refusal_to_client("08P01").other(Close)


def test_a_draining_session_ends_once_its_transaction_has(talk: Talk) -> None:
    in_block(talk).did(talk.session.drain()).other()
    talk.client(Query("commit")).allow().target(complete("COMMIT"), READY)
    assert b"57P01" in talk.taken(Side.CLIENT)
    talk.other(Close)


def test_a_session_that_is_ended_says_why_and_stops_what_runs(talk: Talk) -> None:
    talk.client(Query("select 1")).allow()
    talk.did(talk.session.end(Refusal(Reason.SESSION_ENDED, "the token was revoked")))
    talk.refusal_to_client("57P01").other(Cancel, Close).finished("r1 lost")


def test_either_side_going_away_ends_the_other(talk: Talk) -> None:
    talk.client(Query("select 1"))
    talk.did(talk.session.closed(Side.CLIENT)).other(Withdraw, Close).to_upstream(frontend.Terminate())
    talk = Talk()
    talk.client(Query("select 1")).allow().did(talk.session.closed(Side.UPSTREAM))
    talk.refusal_to_client("08006").finished("r1 lost").other(Close)


def test_a_text_too_long_for_the_loop_is_analysed_elsewhere(talk: Talk) -> None:
    text = "select " + ", ".join(["1"] * 10_000)
    talk.client(Query(text), Query("select 2")).asked()
    assert [found for _, found in talk.analyses] == [text]
    talk.analysed().asked(text).allow().to_upstream(Query(text))


def test_a_long_text_is_analysed_again_when_the_view_changed_meanwhile(talk: Talk) -> None:
    text = "select ssn, " + ", ".join(["1"] * 10_000) + " from customers"
    talk.session.update_view(PLAIN_VIEW)
    talk.client(Query(text))
    hold, _ = talk.analyses.pop()
    stale = analyse(text, talk.session.view, talk.session.state)
    talk.session.update_view(talk.view)
    talk.did(talk.session.analysed(hold, stale)).asked()
    assert len(talk.analyses) == 1
    talk.analysed()
    assert talk.asks[0][1].disclosures


def test_a_refusal_that_names_missing_things_is_not_remembered(talk: Talk) -> None:
    """EXECUTE of what is not there is refused; once it is there, it runs."""
    talk.client(Query("execute p")).deny().refusal_to_client("26000", READY)
    talk.client(Query("prepare p as select id from customers")).allow().target(complete("PREPARE"), READY)
    talk.taken(Side.CLIENT)
    talk.client(Query("execute p")).allow().target(fields("id"), complete("SELECT 0"), READY)
    talk.to_client(fields("id"), complete("SELECT 0"), READY)


def test_an_obligation_that_is_not_understood_is_a_refusal(talk: Talk) -> None:
    talk.client(Query("select 1"))
    hold, _ = talk.asks.pop()
    talk.did(
        talk.session.resume(hold, mint("r1", Verdict(Effect.ALLOW, obligations=(RecordObligation(),)), None))
    )
    talk.to_upstream().refusal_to_client("NW005", READY).finished("r1 refused")


def test_what_analysis_refuses_is_not_forwarded_whatever_the_gate_says(talk: Talk) -> None:
    talk.client(Query("selec")).allow().to_upstream().refusal_to_client("42601", READY)


def test_nothing_is_taken_after_terminate(talk: Talk) -> None:
    talk.client(Query("select 1")).allow().client(frontend.Terminate(), Query("select 2")).asked()
    talk.to_upstream(Query("select 1"), frontend.Terminate()).other()
    talk.target(fields("a"), complete("SELECT 0"), READY).finished("r1 done").other(Close)
