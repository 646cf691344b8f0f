"""The machine between raw pipelines and a real PostgreSQL 15: answers in order, data as PostgreSQL would leave it."""

from __future__ import annotations

import asyncio

import pytest

from narrows.wire.postgres import frontend
from tests.relay.conftest import INTACT, rows
from tests.relay.pump import Pump
from tests.relay.raw import (
    FLUSH,
    SYNC,
    RawClient,
    bind,
    errors,
    execute,
    extended,
    kinds,
    parse,
    query,
    statuses,
    values,
    written,
)
from tests.servers.postgres import Database

pytestmark = pytest.mark.server


def _statement(number: int) -> str:
    if number % 7 == 3:
        return f"select 'refuse_me {number}'"
    if number % 11 == 5:
        return "select 1/0"
    return f"insert into t values ({1000 + number}, 'n{number}') returning a"


async def test_a_thousand_statements_with_a_sync_each(client: RawClient, table: Database, pump: Pump) -> None:
    """Each stands for itself: what is allowed and works is there, in order, and nothing else."""
    messages = [message for number in range(1000) for message in (*extended(_statement(number)), SYNC)]
    client.writer.write(written(messages))
    found = await client.until_ready(1000)
    expected = [number for number in range(1000) if _statement(number).startswith("insert")]
    assert values(found) == [(str(1000 + number).encode(),) for number in expected]
    assert table.query("select a from t where a >= 1000 order by a") == [
        (1000 + number,) for number in expected
    ]
    codes = {3: "NW002"}
    assert errors(found) == [
        codes.get(number % 7, "22012")
        for number in range(1000)
        if not _statement(number).startswith("insert")
    ]
    assert statuses(found) == "I" * 1000
    assert len(pump.gate.outcomes) == len(pump.gate.records) == 1000


async def test_a_thousand_statements_with_one_sync(client: RawClient, table: Database, pump: Pump) -> None:
    """One implicit transaction: the first refusal undoes it all and ends it."""
    messages = [message for number in range(1000) for message in extended(_statement(number))]
    found = await client.ask(*messages, SYNC)
    assert values(found) == [(b"1000",), (b"1001",), (b"1002",)]
    assert errors(found) == ["NW002"]
    assert rows(table) == INTACT
    assert {outcome.record for outcome in pump.gate.outcomes} == {"r1", "r2", "r3", "r4"}


async def test_a_thousand_statements_in_a_block(client: RawClient, table: Database) -> None:
    """A refusal in the middle of a block with a Sync each: the rest fails until the ROLLBACK that COMMIT becomes."""
    texts = ["begin", *[f"insert into t values ({1000 + n}, 'x')" for n in range(500)], "select 'refuse_me'"]
    texts += [f"insert into t values ({2000 + n}, 'x')" for n in range(500)] + ["commit"]
    messages = [message for text in texts for message in (*extended(text), SYNC)]
    client.writer.write(written(messages))
    found = await client.until_ready(len(texts))
    assert errors(found) == ["NW002"] + ["25P02"] * 500
    assert statuses(found) == "T" * 501 + "E" * 501 + "I"
    assert rows(table) == INTACT


async def test_simple_queries_pipelined(client: RawClient, table: Database) -> None:
    texts = [_statement(number) for number in range(200)]
    client.writer.write(written([query(text) for text in texts]))
    found = await client.until_ready(200)
    assert len(errors(found)) == sum(not text.startswith("insert") for text in texts)
    assert statuses(found) == "I" * 200
    expected = [(1000 + number,) for number, text in enumerate(texts) if text.startswith("insert")]
    assert table.query("select a from t where a >= 1000 order by a") == expected


async def test_a_refused_query_behind_executes_without_a_sync(client: RawClient, table: Database) -> None:
    """A local answer would leave the insert open, and the next Query would commit it."""
    found = await client.ask(*extended("insert into t values (9, 'nine')"), query("select 'refuse_me'"))
    assert errors(found) == ["NW002"]
    await client.ask(query("select 1"))
    assert rows(table) == INTACT


async def test_a_query_behind_a_failed_series_is_dropped(client: RawClient) -> None:
    client.send(*extended("select 1/0"), query("select 7"), query("select 'refuse_me'"), SYNC)
    found = await client.until_ready()
    assert errors(found) == ["22012"]
    assert values(found) == []
    assert kinds(await client.ask(query("select 8"))) == "TDCZ"


async def test_one_error_and_a_refusal_tell_the_first(client: RawClient) -> None:
    """The target skips our failing statement: its own error is the answer, and no second one comes."""
    found = await client.ask(*extended("select 1/0"), *extended("select 'refuse_me'"), SYNC)
    assert errors(found) == ["22012"]
    found = await client.ask(*extended("select 'refuse_me'"), *extended("select 1/0"), SYNC)
    assert errors(found) == ["NW002"]


async def test_a_portal_is_resumed_and_each_time_recorded(client: RawClient, pump: Pump) -> None:
    await client.ask(query("begin"))
    found = await client.ask(
        parse("select a from t order by a", "s"), bind("p", "s"), execute("p", 1), execute("p", 1), SYNC
    )
    assert kinds(found) == "12DsDsZ"
    found = await client.ask(execute("p", 0), SYNC)
    assert values(found) == [(b"3",)]
    texts = [statement.text for statement in pump.gate.records]
    assert texts.count("select a from t order by a") == 3
    await client.ask(query("commit"))
    assert errors(await client.ask(execute("p"), SYNC)) == ["34000"]


async def test_names_cross_between_sql_and_protocol(client: RawClient) -> None:
    """PREPARE/Bind, Parse/EXECUTE, DECLARE/Execute, Bind/FETCH."""
    await client.ask(query("prepare ps as select b from t where a = 2"))
    assert values(await client.ask(bind("", "ps"), execute(), SYNC)) == [(b"two",)]
    await client.ask(parse("select b from t where a = 3", "s1"), SYNC)
    assert values(await client.ask(query("execute s1"))) == [(b"three",)]
    await client.ask(query("begin"))
    await client.ask(query("declare cc cursor for select a from t order by a"))
    assert values(await client.ask(execute("cc", 2), SYNC)) == [(b"1",), (b"2",)]
    assert values(await client.ask(query("fetch 1 from cc"))) == [(b"3",)]
    await client.ask(parse("select a from t order by a desc"), bind("pp"), SYNC)
    assert values(await client.ask(query("fetch 1 from pp"))) == [(b"3",)]
    await client.ask(query("rollback"))
    assert errors(await client.ask(execute("cc"), SYNC)) == ["34000"]


async def test_a_name_is_only_replaced_when_the_target_says_so(client: RawClient) -> None:
    await client.ask(parse("select a from t where a = 1", "s"), SYNC)
    assert errors(await client.ask(parse("select b from t where a = 1", "s"), SYNC)) == ["42P05"]
    assert values(await client.ask(bind("", "s"), execute(), SYNC)) == [(b"1",)]
    assert errors(await client.ask(parse("selec"), frontend.Close("S", "s"), SYNC)) != []
    assert values(await client.ask(bind("", "s"), execute(), SYNC)) == [(b"1",)]
    found = await client.ask(
        frontend.Close("S", "s"), parse("select b from t where a = 1", "s"), bind("", "s"), execute(), SYNC
    )
    assert values(found) == [(b"one",)]


async def test_a_pipelined_name_of_an_earlier_series_is_waited_for(client: RawClient) -> None:
    """The second Parse fails, so the Bind in the next series means the first."""
    client.send(parse("select 'first'", "s"), SYNC, parse("select 'second'", "s"), SYNC)
    client.send(bind("", "s"), execute(), SYNC)
    found = await client.until_ready(3)
    assert values(found) == [(b"first",)]


async def test_copy_in_by_the_extended_protocol(client: RawClient, table: Database) -> None:
    """libpq sends its Sync before it knows that the statement is a COPY."""
    client.send(*extended("copy t from stdin"), SYNC)
    assert [(await client.message()).kind for _ in range(3)] == [b"1", b"2", b"G"]
    client.send(frontend.CopyData(b"4\tfour\n5\tfi"), frontend.CopyData(b"ve\n"), frontend.CopyDone(), SYNC)
    assert kinds(await client.until_ready()) == "CZ"
    assert rows(table) == [*INTACT, (4, "four"), (5, "five")]


async def test_copy_in_fails_by_either_side(client: RawClient, table: Database) -> None:
    client.send(query("copy t from stdin"))
    assert (await client.message()).kind == b"G"
    client.send(frontend.CopyData(b"4\tfour\n"), frontend.CopyFail("changed my mind"))
    assert errors(await client.until_ready()) == ["57014"]
    client.send(*extended("copy t from stdin"))
    client.send(FLUSH)
    assert [(await client.message()).kind for _ in range(3)] == [b"1", b"2", b"G"]
    client.send(
        frontend.CopyData(b"not a number\n"), frontend.CopyData(b"6\tsix\n"), frontend.CopyDone(), SYNC
    )
    found = await client.until_ready()
    assert kinds(found) == "EZ"
    assert rows(table) == INTACT
    assert kinds(await client.ask(query("select 1"))) == "TDCZ"


async def test_a_query_in_the_middle_of_copy_data_ends_the_copy(client: RawClient, table: Database) -> None:
    client.send(query("copy t from stdin"))
    assert (await client.message()).kind == b"G"
    client.send(frontend.CopyData(b"4\tfour\n"), query("select 1"))
    found = await client.until_ready()
    assert errors(found) == ["08P01"]
    assert rows(table) == INTACT
    assert kinds(await client.ask(query("select 1"))) == "TDCZ"


async def test_copy_data_sent_ahead_waits_for_the_target(client: RawClient, table: Database) -> None:
    found = await client.ask(
        query("copy t from stdin; copy t from stdin"),
        frontend.CopyData(b"4\tfour\n"),
        frontend.CopyDone(),
        frontend.CopyData(b"5\tfive\n"),
        frontend.CopyDone(),
    )
    assert kinds(found) == "GCGCZ"
    assert rows(table) == [*INTACT, (4, "four"), (5, "five")]


async def test_a_function_call_is_refused_and_recorded(client: RawClient, pump: Pump) -> None:
    found = await client.ask(frontend.FunctionCall(1598, (), (), 0))
    assert kinds(found) == "EZ"
    assert pump.gate.refused[-1].kind == "function_call"
    await client.ask(query("begin"))
    assert statuses(await client.ask(frontend.FunctionCall(1598, (), (), 0))) == "E"


async def test_an_unknown_message_ends_the_session(client: RawClient, pump: Pump) -> None:
    client.writer.write(b"y\0\0\0\4")
    found = await client.until_closed()
    assert errors(found) == ["08P01"]
    assert pump.closes


async def test_a_cancel_request_stops_what_runs(client: RawClient, pump: Pump) -> None:
    client.send(query("select count(*) from generate_series(1, 1000000000)"))
    await asyncio.sleep(0.2)
    (driver,) = pump.drivers
    driver.run(driver.session.cancel())
    assert errors(await client.until_ready()) == ["57014"]
    assert pump.gate.outcomes[-1].status == "cancelled"


async def test_every_line_of_the_target_s_log_has_its_record(
    client: RawClient, pump: Pump, table: Database
) -> None:
    """One record for each execution, none left over but a Bind that was never executed."""
    before = len(table.server.statements(database="relay", user="trusted_app"))
    await client.ask(query("select 1; select 2"))
    await client.ask(*extended("select 3"), *extended("select 4"), SYNC)
    await client.ask(query("begin"))
    await client.ask(parse("select a from t", "s"), bind("p", "s"), execute("p", 1), execute("p", 1), SYNC)
    await client.ask(execute("p", 1), SYNC)
    await client.ask(query("select 'refuse_me'"))
    await client.ask(query("rollback"))
    await client.ask(parse("select 5"), bind(), SYNC)
    logged = [entry.text for entry in table.server.statements(database="relay", user="trusted_app")[before:]]
    assert sorted([*logged, "select 5"]) == sorted(pump.gate.passed)
    assert len(pump.gate.outcomes) == len(pump.gate.records)
