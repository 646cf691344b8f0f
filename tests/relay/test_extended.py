"""Parse, Bind, Execute: one verdict at Bind, a plan before the first row, refusals that skip to the client's Sync."""

from __future__ import annotations

import struct

import pytest

from narrows.model.action import Action
from narrows.model.label import Rung
from narrows.relay.machine import Own, Side
from narrows.relay.postgres.refusal import FAILING_TEXT, RESERVED
from narrows.wire.postgres import backend, frontend
from tests.relay.raw import FLUSH, SYNC, bind, execute, parse, query
from tests.relay.talk import (
    BOUND,
    CLOSED,
    EMPTY,
    FAILED,
    IN_BLOCK,
    NO_DATA,
    PARSED,
    PLAIN_VIEW,
    READY,
    SUSPENDED,
    SYNTAX_ERROR,
    TEXT,
    Talk,
    complete,
    error,
    fields,
    row,
    said,
)

FAILING = frontend.Parse(RESERVED, FAILING_TEXT)
DESCRIBE = frontend.Describe("P", "")
DESCRIBE_S = frontend.Describe("S", "s")
SSN = "select ssn from customers"
NONE = backend.ParameterDescription(())


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(chunk=request.param)


def quiet(talk: Talk) -> Talk:
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    talk.outcomes.clear()
    talk.others.clear()
    return talk


def prepared(talk: Talk, text: str = SSN) -> Talk:
    """`s` is prepared and described by nobody."""
    return quiet(talk.client(parse(text, "s"), SYNC).target(PARSED, READY))


def in_block(talk: Talk) -> Talk:
    return quiet(talk.client(query("begin")).allow().target(complete("BEGIN"), IN_BLOCK))


def test_a_parse_is_forwarded_and_the_bind_is_asked_about(talk: Talk) -> None:
    talk.client(parse(SSN), bind(), DESCRIBE, execute(), SYNC).to_upstream(parse(SSN)).asked(SSN)
    talk.allow().to_upstream(bind(), DESCRIBE, execute(), SYNC)
    talk.target(PARSED, BOUND, fields("ssn"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(PARSED, BOUND, fields("ssn"), row(b"***"), complete("SELECT 1"), READY).finished("r1 done")


def test_without_a_describe_the_gateway_asks_for_itself(talk: Talk) -> None:
    prepared(talk).client(bind("", "s"), execute(), SYNC).allow()
    talk.to_upstream(bind("", "s"), DESCRIBE, execute(), SYNC)
    talk.target(BOUND, fields("ssn"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(BOUND, row(b"***"), complete("SELECT 1"), READY)


def test_a_described_statement_needs_no_more(talk: Talk) -> None:
    """Its fields, with the formats of each Bind: text is the same in binary, an int is not."""
    prepared(talk, "select id, upper(ssn) from customers")
    talk.client(DESCRIBE_S, SYNC).target(NONE, fields("id", "upper"), READY)
    quiet(talk)
    for formats in ((), (1,), (0, 1)):
        talk.client(bind("", "s", formats=formats), execute(), SYNC).allow()
        talk.to_upstream(bind("", "s", formats=formats), execute(), SYNC)
        talk.target(BOUND, row(b"\0\0\0\1", b"123"), complete("SELECT 1"), READY)
        talk.to_client(BOUND, row(b"\0\0\0\1", b"***"), complete("SELECT 1"), READY)


def test_fields_are_forgotten_with_the_schema_they_belong_to(talk: Talk) -> None:
    prepared(talk).client(DESCRIBE_S, SYNC).target(NONE, fields("ssn"), READY)
    quiet(talk).session.update_view(PLAIN_VIEW)
    talk.session.update_view(talk.view)
    talk.client(bind("", "s"), execute(), SYNC).allow()
    talk.to_upstream(bind("", "s"), execute(), SYNC)  # the same view object again: still known
    talk.target(BOUND, complete("SELECT 0"), READY)
    quiet(talk)
    other = Talk().view
    talk.session.update_view(type(other)(other.snapshot, other.labels, {"labels": "2"}))
    talk.client(bind("", "s"), execute(), SYNC).allow()
    talk.to_upstream(bind("", "s"), DESCRIBE, execute(), SYNC)


def test_where_nothing_is_labelled_nothing_is_added() -> None:
    talk = Talk(PLAIN_VIEW)
    talk.client(parse(SSN), bind(), execute(), SYNC).allow().to_upstream(parse(SSN), bind(), execute(), SYNC)
    talk.target(PARSED, BOUND, row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(PARSED, BOUND, row(b"123"), complete("SELECT 1"), READY)


def test_rows_without_known_fields_end_the_session(talk: Talk) -> None:
    """NoData was the answer to our Describe, and rows come all the same."""
    talk.client(parse(SSN), bind(), execute(), SYNC).allow()
    talk.target(PARSED, BOUND, NO_DATA, row(b"123"))
    shown = talk.taken(Side.CLIENT)
    assert b"123" not in shown
    assert b"08P01" in shown


def test_a_suspended_portal_keeps_its_plan_and_is_settled_again(talk: Talk) -> None:
    in_block(talk).client(parse(SSN), bind("p"), execute("p", 1), SYNC).allow()
    talk.target(PARSED, BOUND, fields("ssn"), row(b"123"), SUSPENDED, IN_BLOCK)
    talk.to_client(PARSED, BOUND, row(b"***"), SUSPENDED, IN_BLOCK).finished("r2 done")
    quiet(talk).client(execute("p", 1), SYNC).asked(SSN).allow(Rung.RAW).to_upstream(execute("p", 1), SYNC)
    talk.target(row(b"456"), SUSPENDED, IN_BLOCK).to_client(row(b"456"), SUSPENDED, IN_BLOCK)
    talk.client(execute("p", 1), SYNC).deny().to_upstream(FAILING, SYNC)
    talk.target(SYNTAX_ERROR, FAILED).refusal_to_client("NW002", FAILED)


def test_bound_values_are_told_to_the_gate(talk: Talk) -> None:
    text = "select id from customers where id = $1"
    talk.client(frontend.Parse("", text, (23,)), bind("", "", b"7"))
    (parameter,) = talk.asks[0][1].parameters
    assert (parameter.value, parameter.is_binary, parameter.type_oid) == (b"7", False, 23)


IN_ARRAY = "select id from customers where ssn = any ($1)"


def compared_with(talk: Talk) -> object:
    """With how many values the statement that was asked about last compares `ssn`."""
    (found,) = [each for each in talk.asks[-1][1].operations if each.action is Action.FILTER]
    return found.facts["values"]


@pytest.mark.parametrize(
    ("value", "format_", "expected"),
    [
        (b"{a,b,c}", 0, 3),
        (struct.pack("!iIIiI", 1, 0, TEXT, 3, 1) + b"\0\0\0\1a" * 3, 1, 3),
        (b"{" + b"a," * 10**6 + b"a}", 0, -1),
        (None, 0, 0),
    ],
)
def test_the_values_of_a_bound_array_are_counted_before_the_gate_is_asked(
    talk: Talk, value: bytes | None, format_: int, expected: int
) -> None:
    talk.client(parse(IN_ARRAY), frontend.Bind("", "", (format_,), (value,), ()))
    assert compared_with(talk) == expected


def test_each_bind_brings_its_own_array_and_executing_again_the_same(talk: Talk) -> None:
    in_block(talk).client(parse(IN_ARRAY, "s"), bind("p", "s", b"{a,b}")).target(PARSED)
    assert compared_with(talk) == 2
    assert talk.asks[-1][1].compares_anew
    talk.allow().client(execute("p", 1), SYNC).target(BOUND, fields("id"), row(b"1"), SUSPENDED, IN_BLOCK)
    talk.client(execute("p", 1))
    assert compared_with(talk) == 2
    assert not talk.asks[-1][1].compares_anew
    talk.allow().client(bind("q", "s", b"{a,b,c}"))
    assert compared_with(talk) == 3


def test_a_simple_query_cannot_bind_what_its_text_names(talk: Talk) -> None:
    talk.client(query(IN_ARRAY))
    assert compared_with(talk) == -1


def test_sql_that_prepares_leaves_its_arrays_to_the_bind(talk: Talk) -> None:
    talk.client(query(f"prepare s as {IN_ARRAY}"))
    assert compared_with(talk) == 1
    talk.allow().target(complete("PREPARE"), READY)
    quiet(talk).client(bind("", "s", b"{a,b,c,d}"))
    assert compared_with(talk) == 4


def test_a_cursor_is_read_on_without_its_array(talk: Talk) -> None:
    in_block(talk).client(parse(IN_ARRAY), bind("c", "", b"{a,b}"), SYNC).allow().target(
        PARSED, BOUND, IN_BLOCK
    )
    quiet(talk).client(query("fetch all from c"))
    assert compared_with(talk) == 1
    assert not talk.asks[-1][1].compares_anew


def test_a_bind_that_is_never_executed_ends_with_its_series(talk: Talk) -> None:
    talk.client(parse("select 1"), bind(), SYNC).allow().target(PARSED, BOUND, READY).finished("r1 done")


def test_when_idle_a_refused_bind_is_answered_here(talk: Talk) -> None:
    prepared(talk).client(bind("", "s"), execute(), SYNC).deny().to_upstream(SYNC).refusal_to_client("NW002")
    talk.target(READY).to_client(READY).finished("r1 refused")


def test_a_refused_bind_fails_the_series_at_the_target(talk: Talk) -> None:
    talk.client(parse("select 1"), bind(), execute(), bind(), execute(), SYNC).allow().asked(
        "select 1"
    ).deny()
    talk.to_upstream(parse("select 1"), bind(), DESCRIBE, execute(), FAILING, SYNC).other(Own)
    talk.target(PARSED, BOUND, fields("a"), row(b"1"), complete("SELECT 1"), SYNTAX_ERROR, READY)
    shown = talk.taken(Side.CLIENT)
    answered = said(PARSED, BOUND, row(b"1"), complete("SELECT 1"))
    assert shown.startswith(answered + b"E")
    assert shown.endswith(backend.build(READY))
    assert shown.count(b"NW002") > 0
    talk.finished("r2 refused", "r1 done")


def test_the_target_s_own_error_comes_instead_of_a_later_refusal(talk: Talk) -> None:
    talk.client(parse("select 1/0"), bind(), execute(), bind(), execute(), SYNC).allow().deny()
    division = error("22012")
    talk.target(PARSED, BOUND, fields("a"), division, READY).to_client(PARSED, BOUND, division, READY)
    talk.finished("r2 refused", "r1 error")


def test_what_follows_a_failure_is_skipped_unasked(talk: Talk) -> None:
    talk.client(parse("nonsense here"), bind(), SYNC).deny().asked()
    talk.to_upstream(SYNC).refusal_to_client("42601").target(READY).to_client(READY)


def test_a_statement_that_was_forwarded_and_skipped_says_so(talk: Talk) -> None:
    text = "select id from customers where id = 1/0"
    talk.client(parse(text), bind(), execute(), parse("select 2"), bind(), execute(), SYNC).allow().allow()
    talk.target(PARSED, BOUND, fields("id"), error("22012"), READY).finished("r1 error", "r2 skipped")


def test_a_verdict_that_comes_after_the_series_failed_forwards_nothing(talk: Talk) -> None:
    talk.client(parse("select 1"), bind(), execute(), FLUSH, parse("select 2"), bind()).allow()
    quiet(talk).asked("select 2").target(PARSED, error("XX000"))
    talk.allow().to_upstream().client(SYNC).to_upstream(SYNC).target(READY)
    assert [outcome.status for outcome in talk.outcomes] == ["error", "skipped"]


def test_an_unknown_statement_or_portal_is_refused_even_if_the_target_knew_it(talk: Talk) -> None:
    for message, sqlstate in ((bind("", "nope"), "26000"), (execute("nope"), "34000")):
        talk.client(message, SYNC).to_upstream(SYNC).refusal_to_client(sqlstate).target(READY).to_client(
            READY
        )
    talk.client(frontend.Describe("S", "nope"), SYNC).refusal_to_client("26000").target(READY)


def test_names_of_our_own_are_not_for_clients(talk: Talk) -> None:
    talk.client(parse("select 1", RESERVED), SYNC).to_upstream(SYNC).refusal_to_client("42939")


def test_a_name_holds_only_once_the_target_confirmed_it(talk: Talk) -> None:
    """A second Parse of the name fails, so the Bind after the next Sync means the first."""
    prepared(talk, "select id from customers").client(parse(SSN, "s"), SYNC, bind("", "s"), execute(), SYNC)
    talk.asked().target(error("42P05"), READY).asked("select id from customers")


def test_within_its_series_a_name_is_used_before_it_is_confirmed(talk: Talk) -> None:
    talk.client(parse(SSN, "s"), bind("", "s")).asked(SSN)


def test_closing_a_name_counts_within_its_series(talk: Talk) -> None:
    prepared(talk).client(frontend.Close("S", "s"), bind("", "s"), SYNC).asked()
    talk.target(CLOSED, SYNTAX_ERROR, READY)
    assert b"26000" in talk.taken(Side.CLIENT)


def test_a_prepared_statement_is_analysed_anew_at_each_bind(talk: Talk) -> None:
    """The search_path changed in between: the target, too, resolves names anew."""
    prepared(talk, "select body from notes")
    talk.client(query("set search_path to other")).allow().target(complete("SET"), READY)
    quiet(talk).client(bind("", "s"))
    statement = talk.asks[0][1]
    assert statement.disclosures or statement.refusal, "notes is no table that is known on this path"


def test_a_changed_setting_holds_up_the_analysis_of_what_follows(talk: Talk) -> None:
    talk.client(
        parse("set search_path to other"), bind(), execute(), parse("select body from notes"), bind()
    ).allow()
    talk.to_upstream(parse("set search_path to other"), bind(), execute(), FLUSH).asked()
    talk.target(PARSED, BOUND, complete("SET")).to_upstream(parse("select body from notes"))
    assert talk.asks


def test_execute_of_a_cursor_that_sql_declared_is_masked(talk: Talk) -> None:
    in_block(talk).client(query(f"declare c cursor for {SSN}")).allow()
    talk.target(complete("DECLARE CURSOR"), IN_BLOCK)
    quiet(talk).client(execute("c"), SYNC).allow().to_upstream(
        frontend.Describe("P", "c"), execute("c"), SYNC
    )
    talk.target(fields("ssn"), row(b"123"), complete("SELECT 1"), IN_BLOCK)
    talk.to_client(row(b"***"), complete("SELECT 1"), IN_BLOCK)


def test_bind_of_a_statement_that_sql_prepared_is_masked(talk: Talk) -> None:
    talk.client(query(f"prepare s as {SSN}")).allow().target(complete("PREPARE"), READY)
    quiet(talk).client(bind("", "s"), execute(), SYNC)
    assert talk.asks[0][1].text == f"prepare s as {SSN}"
    talk.allow().to_upstream(bind("", "s"), DESCRIBE, execute(), SYNC)
    talk.target(BOUND, fields("ssn"), row(b"123"), complete("SELECT 1"), READY)
    talk.to_client(BOUND, row(b"***"), complete("SELECT 1"), READY).finished("r2 done")


def test_fetch_of_a_portal_that_the_protocol_bound_is_masked(talk: Talk) -> None:
    in_block(talk).client(parse("select upper(ssn) from customers"), bind("p"), SYNC).allow()
    talk.target(PARSED, BOUND, IN_BLOCK)
    quiet(talk).client(query("fetch all from p")).allow().target(
        fields("upper"), row(b"123"), complete("FETCH 1")
    )
    talk.to_client(fields("upper"), row(b"***"), complete("FETCH 1"))


def test_open_cursors_follow_new_labels(talk: Talk) -> None:
    """A label added while a cursor is open holds for its next rows."""
    talk.session.update_view(PLAIN_VIEW, None)
    in_block(talk).client(query("declare c cursor for select upper(ssn) from customers")).allow()
    talk.target(complete("DECLARE CURSOR"), IN_BLOCK)
    quiet(talk).session.update_view(talk.view)
    talk.client(query("fetch all from c"))
    assert talk.asks[0][1].disclosures


def test_a_deallocated_name_may_mean_something_else(talk: Talk) -> None:
    prepared(talk, "select id from customers")
    talk.client(query("deallocate s")).allow().target(complete("DEALLOCATE"), READY)
    quiet(talk).client(bind("", "s"), SYNC).asked().refusal_to_client("26000")


def test_portals_end_with_their_transaction(talk: Talk) -> None:
    in_block(talk).client(parse("select 1"), bind("p"), SYNC).allow().target(PARSED, BOUND, IN_BLOCK)
    talk.client(query("commit")).allow().target(complete("COMMIT"), READY)
    quiet(talk).client(execute("p"), SYNC).asked().refusal_to_client("34000")


def test_a_function_call_is_refused_in_its_place(talk: Talk) -> None:
    in_block(talk).client(frontend.FunctionCall(1598, (), (), 0)).asked("FunctionCall of function 1598")
    talk.deny().to_upstream(query(FAILING_TEXT)).target(SYNTAX_ERROR, FAILED).refusal_to_client(
        "0A000", FAILED
    )


def test_a_query_behind_a_failed_series_is_not_even_asked_about(talk: Talk) -> None:
    talk.client(parse("select 1"), bind(), execute(), query("select 2"), SYNC).allow()
    talk.to_upstream(parse("select 1"), bind(), DESCRIBE, execute(), FLUSH).asked()
    talk.target(PARSED, error("XX000")).asked().to_upstream(SYNC).target(READY)
    talk.to_client(PARSED, error("XX000"), READY)


def test_sql_may_name_what_the_protocol_is_just_preparing(talk: Talk) -> None:
    talk.client(parse(SSN, "s"), parse("execute s"), bind(), SYNC).to_upstream(parse(SSN, "s"), FLUSH)
    talk.target(PARSED).to_upstream(parse("execute s"), FLUSH).target(PARSED).asked("execute s")
    assert talk.asks[0][1].disclosures


def test_an_empty_statement(talk: Talk) -> None:
    talk.client(parse("", "s"), DESCRIBE_S, SYNC).target(PARSED, NONE, NO_DATA, READY)
    quiet(talk).client(bind("", "s"), execute(), SYNC).allow().target(BOUND, EMPTY, READY)
    talk.to_client(BOUND, EMPTY, READY).finished("r1 done")


def test_rows_of_a_statement_that_returns_none_end_the_session(talk: Talk) -> None:
    prepared(talk, "update notes set body = 'x'")
    talk.client(bind("", "s"), execute(), SYNC).allow().target(BOUND, row(b"123"))
    shown = talk.taken(Side.CLIENT)
    assert b"08P01" in shown
    assert b"123" not in shown


def test_more_results_than_statements_end_the_session(talk: Talk) -> None:
    talk.client(query("select 1")).allow().target(fields("a"), complete("SELECT 0"), fields("a"))
    assert b"08P01" in talk.taken(Side.CLIENT)


def test_the_texts_of_prepared_statements_are_bounded_together(talk: Talk) -> None:
    """Ten thousand names of 16 MiB each would be anybody's to keep."""
    talk.context.names_bytes = 5_000
    long = "select 1 -- " + "x" * 2_000
    for name in ("a", "b"):
        quiet(talk.client(parse(long, name), SYNC).target(PARSED, READY))
    talk.client(parse(long, "c"), SYNC)
    assert long.encode() not in talk.taken(Side.UPSTREAM), "it was forwarded"
    talk.target(error("42601"), READY)
    assert b"54000" in talk.taken(Side.CLIENT)
