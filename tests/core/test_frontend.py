"""What a client sends, cut into messages: however it was cut before, within every limit."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.core import CopyRun, Limits, Message, PgFrontend
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import frontend
from narrows.wire.postgres.frontend import Bind, CopyData, CopyDone, Execute, Query, Sync
from tests.core.streams import cuts, drain, every_byte, pieces
from tests.wire import strategies

SMALL = Limits(message_bytes=100, bind_bytes=200, copy_bytes=150, small_bytes=50, password_bytes=60)


def test_a_pipeline_comes_out_message_by_message() -> None:
    sent: list[frontend.FrontendMessage] = [
        Bind("", "s", (), (b"1",)),
        Execute(""),
        Sync(),
        Query("select 1"),
    ]
    data = b"".join(map(frontend.build, sent))
    for chunks in ([data], every_byte(data)):
        items = drain(PgFrontend(), chunks)
        assert [frontend.parse(item) for item in items if isinstance(item, Message)] == sent


def test_copy_data_comes_out_in_runs_byte_for_byte() -> None:
    run = (
        frontend.build(CopyData(b"1\n")) + frontend.build(CopyData(b"")) + frontend.build(CopyData(b"2\n3\n"))
    )
    data = run + frontend.build(CopyDone())
    codec = PgFrontend()
    codec.receive(data)
    assert codec.next() == CopyRun(run)
    assert codec.next() == Message(b"c", b"")
    assert codec.next() is None
    assert drain(PgFrontend(), every_byte(data)) == [CopyRun(run), Message(b"c", b"")]


@given(st.lists(strategies.frontend_messages, max_size=6), cuts)
def test_how_it_is_cut_does_not_matter(messages: list[frontend.FrontendMessage], places: list[int]) -> None:
    data = b"".join(map(frontend.build, messages))
    whole = drain(PgFrontend(), [data])
    assert drain(PgFrontend(), pieces(data, places)) == whole
    assert drain(PgFrontend(), every_byte(data)) == whole
    out = [item.data if isinstance(item, CopyRun) else item.encode() for item in whole]  # type: ignore[attr-defined]
    assert b"".join(out) == data


@given(st.lists(strategies.frontend_messages, min_size=2, max_size=8), cuts, st.lists(st.integers(0, 3)))
def test_when_next_is_called_does_not_matter(
    messages: list[frontend.FrontendMessage], places: list[int], calls: list[int]
) -> None:
    """A relay that holds a message goes on receiving and takes the rest later."""
    data = b"".join(map(frontend.build, messages))
    codec, items = PgFrontend(), []
    wanted = iter(calls)
    for chunk in pieces(data, places):
        codec.receive(chunk)
        items += [codec.next() for _ in range(next(wanted, 0))]
    while (item := codec.next()) is not None:
        items.append(item)
    out = [item.data if isinstance(item, CopyRun) else item.encode() for item in items if item is not None]
    assert b"".join(out) == data
    assert codec.buffered == 0


@given(st.binary(max_size=120), cuts)
def test_hostile_bytes_give_only_a_protocol_error_however_cut(data: bytes, places: list[int]) -> None:
    assert drain(PgFrontend(SMALL), pieces(data, places)) == drain(PgFrontend(SMALL), [data])


@given(st.sampled_from(list(b"BCDEFHPQSXcdfp")), st.binary(max_size=230), cuts)
def test_right_kinds_with_any_length_give_only_a_protocol_error(
    kind: int, data: bytes, places: list[int]
) -> None:
    data = bytes([kind]) + struct.pack(">I", len(data)) + data
    assert drain(PgFrontend(SMALL), pieces(data, places)) == drain(PgFrontend(SMALL), [data])


@pytest.mark.parametrize("kind", [bytes([kind]) for kind in range(256) if kind not in b"BCDEFHPQSXcdfp"])
def test_a_kind_that_no_client_sends_is_refused(kind: bytes) -> None:
    codec = PgFrontend()
    codec.receive(kind + b"\0\0\0\4")
    with pytest.raises(ProtocolError, match="unexpected kind"):
        codec.next()


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_length_that_does_not_count_itself_is_refused(length: int) -> None:
    codec = PgFrontend()
    codec.receive(b"Q" + struct.pack(">I", length))
    with pytest.raises(ProtocolError, match="invalid length"):
        codec.next()


@pytest.mark.parametrize(
    ("kinds", "limit"), [(b"PQ", 100), (b"BF", 200), (b"d", 150), (b"CDEHSXcf", 50), (b"p", 60)]
)
def test_a_message_over_its_limit_is_refused_when_its_header_is_seen(kinds: bytes, limit: int) -> None:
    for kind in kinds:
        codec = PgFrontend(SMALL)
        codec.receive(bytes([kind]) + struct.pack(">I", limit + 4))
        assert codec.next() is None
        for length in (limit + 5, 2**31 - 1, 2**32 - 1):
            codec = PgFrontend(SMALL)
            codec.receive(bytes([kind]) + struct.pack(">I", length))
            with pytest.raises(ProtocolError, match=str(limit)) as caught:
                codec.next()
            assert caught.value.sqlstate == "54000"


def test_a_wrong_message_in_a_run_waits_until_the_right_ones_are_out() -> None:
    codec = PgFrontend()
    good = frontend.build(CopyData(b"1\n"))
    codec.receive(good + b"d\0\0\0\3")
    assert codec.next() == CopyRun(good)
    with pytest.raises(ProtocolError):
        codec.next()


def test_what_came_late_stays_in_its_order() -> None:
    one, two, three = (frontend.build(Query(text)) for text in ("one", "two", "three"))
    codec = PgFrontend()
    codec.receive(one)
    codec.receive(two)
    assert codec.next() == Message(b"Q", b"one\0")
    codec.receive(three)
    assert [codec.next(), codec.next()] == [Message(b"Q", b"two\0"), Message(b"Q", b"three\0")]


def test_buffered_counts_what_was_not_given_out() -> None:
    data = frontend.build(Query("select 1")) * 2
    codec = PgFrontend()
    for count, chunk in enumerate(every_byte(data), 1):
        codec.receive(chunk)
        assert codec.buffered == count
    codec.next()
    assert codec.buffered == len(data) // 2
    codec.next()
    assert codec.buffered == 0
