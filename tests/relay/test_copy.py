"""COPY both ways: masked like rows, and cut like an error."""

from __future__ import annotations

import pytest

from narrows.model.label import Rung
from narrows.relay.machine import Close, Side
from narrows.relay.postgres.copying import CUT
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.copying import CopyData, CopyDone
from tests.relay.raw import SYNC, bind, execute, parse, query
from tests.relay.talk import BOUND, PARSED, READY, Talk, complete, error

IN = backend.CopyInResponse(0, (0, 0))
OUT = backend.CopyOutResponse(0, (0, 0, 0))
COPY_IN = "copy notes from stdin"


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(chunk=request.param)


def test_copy_out_is_masked(talk: Talk) -> None:
    talk.client(query("copy customers to stdout")).allow()
    talk.target(
        OUT, CopyData(b"1\tann\t123\n"), CopyData(b"2\tbob\t\\N\n"), CopyDone(), complete("COPY 2"), READY
    )
    assert talk.taken(Side.CLIENT).count(b"123") == 0
    (outcome,) = talk.outcomes
    assert (outcome.status, outcome.rows, outcome.masked, outcome.tag) == ("done", 2, 1, "COPY 2")


def test_copy_out_is_raw_where_policy_says_so(talk: Talk) -> None:
    talk.client(query("copy customers to stdout")).allow(Rung.RAW)
    said = (OUT, CopyData(b"1\tann\t123\n"), CopyDone(), complete("COPY 1"), READY)
    talk.target(*said).to_client(*said)


def test_a_copy_that_nobody_asked_for_ends_the_session(talk: Talk) -> None:
    talk.client(query("select 1")).allow().target(OUT)
    assert b"08P01" in talk.taken(Side.CLIENT)
    assert isinstance(talk.others[-1], Close)


def test_copy_data_waits_until_the_target_asks_for_it(talk: Talk) -> None:
    talk.client(query(COPY_IN), CopyData(b"1\tx\n"), CopyDone()).allow().to_upstream(query(COPY_IN))
    talk.target(IN).to_client(IN).to_upstream(CopyData(b"1\tx\n"), CopyDone())
    talk.client(query("select 1")).asked()
    talk.target(complete("COPY 1"), READY).asked("select 1")
    assert talk.outcomes[0].bytes == len(b"1\tx\n") + 5


def test_data_is_dropped_after_the_copy_has_failed(talk: Talk) -> None:
    talk.client(query(COPY_IN)).allow().target(IN, error("22P02"), READY)
    talk.taken(Side.CLIENT)
    talk.taken(Side.UPSTREAM)
    talk.client(CopyData(b"1\tx\n"), CopyDone(), query("select 1")).to_upstream().asked("select 1")


def test_a_sync_in_the_middle_of_a_copy_is_not_the_end_of_the_series(talk: Talk) -> None:
    """libpq sends one at once; the target ignores it, and answers the one behind the data."""
    talk.client(parse(COPY_IN), bind(), execute(), SYNC).allow().to_upstream(
        parse(COPY_IN), bind(), execute()
    )
    talk.target(PARSED, BOUND, IN).to_upstream()
    talk.client(CopyData(b"1\tx\n"), CopyDone(), SYNC).to_upstream(CopyData(b"1\tx\n"), CopyDone(), SYNC)
    talk.target(complete("COPY 1"), READY).to_client(PARSED, BOUND, IN, complete("COPY 1"), READY)


def test_that_sync_counts_where_the_copy_never_began(talk: Talk) -> None:
    talk.client(parse(COPY_IN), bind(), execute(), SYNC).allow()
    talk.target(PARSED, BOUND, error("42501"))
    talk.to_upstream(parse(COPY_IN), bind(), execute(), SYNC).target(READY).finished("r1 error")


def test_that_sync_counts_where_the_copy_failed_before_its_data(talk: Talk) -> None:
    talk.client(parse(COPY_IN), bind(), execute(), SYNC).allow().target(PARSED, BOUND, IN)
    talk.to_upstream(parse(COPY_IN), bind(), execute())
    talk.target(error("P0001")).to_upstream(SYNC).target(READY)


def test_another_message_in_the_middle_of_the_data_ends_the_copy(talk: Talk) -> None:
    talk.client(query(COPY_IN)).allow().target(IN)
    talk.taken(Side.UPSTREAM)
    talk.client(CopyData(b"1\tx\n"), query("select 1"), query("select 2"))
    assert talk.taken(Side.UPSTREAM) == frontend.build(CopyData(b"1\tx\n")) + CUT
    talk.taken(Side.CLIENT)
    talk.target(error("57014", "COPY from stdin failed")).refusal_to_client("08P01")
    talk.target(READY).to_client(READY).asked("select 2").finished("r1 refused")


def test_copy_fail_is_the_client_s_own(talk: Talk) -> None:
    talk.client(query(COPY_IN)).allow().target(IN)
    talk.client(frontend.CopyFail("no")).target(error("57014"), READY).finished("r1 cancelled")
