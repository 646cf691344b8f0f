"""What the target sends: no row without a plan, every other message by itself, runs of rows in one piece."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.core import COPY_PASS_ALL, PASS, PASS_ALL, CopyPlan, Limits, Message, PgBackend, Plan, Rows
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend
from narrows.wire.postgres.backend import CommandComplete, ErrorResponse, ReadyForQuery, RowDescription
from tests.core.streams import (
    CONSTANT,
    HASH,
    KEEP4,
    NULL,
    Item,
    copy_data,
    cuts,
    drain,
    every_byte,
    masks,
    pieces,
    row,
    shown,
    under,
)
from tests.wire import strategies

DONE = backend.build(CommandComplete("SELECT 2"))
READY = backend.build(ReadyForQuery("I"))
SMALL = Limits(message_bytes=100, row_bytes=80, stream_bytes=30)


def test_a_row_without_a_plan_does_not_pass() -> None:
    codec = PgBackend()
    codec.receive(row(b"1"))
    with pytest.raises(ProtocolError, match="without a plan"):
        codec.next()


def test_copy_data_without_a_plan_does_not_pass() -> None:
    codec = under(PASS_ALL)
    codec.receive(copy_data(b"1\n"))
    with pytest.raises(ProtocolError, match="without a plan"):
        codec.next()


@pytest.mark.parametrize(
    "end",
    [
        CommandComplete("SELECT 1"),
        ErrorResponse({"M": "no"}),
        backend.EmptyQueryResponse(),
        backend.PortalSuspended(),
        ReadyForQuery("I"),
    ],
)
def test_a_plan_ends_with_its_result(end: backend.BackendMessage) -> None:
    for data in (row(b"1"), copy_data(b"1\n")):
        codec = under(PASS_ALL)
        codec.set_copy_plan(COPY_PASS_ALL)
        codec.receive(backend.build(end) + data)
        assert isinstance(codec.next(), Message)
        with pytest.raises(ProtocolError, match="without a plan"):
            codec.next()


@pytest.mark.parametrize(
    "between",
    [
        backend.NoticeResponse({"M": "x"}),
        backend.ParameterStatus("TimeZone", "UTC"),
        backend.NotificationResponse(1, "c", "p"),
    ],
)
def test_what_comes_unasked_does_not_end_a_plan(between: backend.BackendMessage) -> None:
    codec = under(Plan((KEEP4,)))
    codec.receive(row(b"123456789") + backend.build(between) + row(b"123456789"))
    assert codec.next() == Rows(row(b"*****6789"), 1, 1)
    assert isinstance(codec.next(), Message)
    assert codec.next() == Rows(row(b"*****6789"), 1, 1)


def test_the_plan_can_change_between_any_two_messages() -> None:
    description = backend.build(RowDescription(()))
    data = (description + row(b"secret-one") + DONE + description + row(b"secret-two") + DONE + READY) * 2
    plans = [Plan((CONSTANT,)), PASS_ALL] * 2

    def run(chunks: object) -> list[object]:
        codec, left = PgBackend(), iter(plans)

        def react(item: Item) -> None:
            if isinstance(item, Message) and item.kind == b"T":
                codec.set_plan(next(left))

        return drain(codec, chunks, react)  # type: ignore[arg-type]

    items = run([data])
    assert [item.data for item in items if isinstance(item, Rows)] == [row(b"***"), row(b"secret-two")] * 2
    assert run(every_byte(data)) == items


def test_rows_that_pass_are_the_very_bytes_received() -> None:
    data = row(b"1", None) * 100
    codec = under(PASS_ALL)
    codec.receive(data)
    run = codec.next()
    assert isinstance(run, Rows)
    assert run.data is data
    assert run.rows == 100


def test_masks_apply_by_column_and_null_stays_null() -> None:
    codec = under(Plan((PASS, KEEP4, CONSTANT, NULL, HASH, PASS)))
    codec.receive(
        row(b"1", b"123-45-6789", b"x", b"y", b"z", None) + row(None, None, None, None, None, b"end")
    )
    run = codec.next()
    assert isinstance(run, Rows)
    first, second = shown(run.data)
    assert first[:4] == (b"1", b"*******6789", b"***", None)
    assert first[5] is None
    assert second == (None, None, None, None, None, b"end")
    assert (run.rows, run.masked) == (2, 4)


@given(st.lists(masks, max_size=5), st.data(), cuts)
def test_every_row_comes_out_masked_however_it_is_cut(
    columns: list[object], data: st.DataObject, places: list[int]
) -> None:
    plan = Plan(tuple(columns))  # type: ignore[arg-type]
    values = st.tuples(*[st.none() | st.binary(max_size=20) for _ in columns])
    rows = data.draw(st.lists(values, max_size=6))
    stream = b"".join(row(*one) for one in rows) + DONE
    whole = drain(under(plan), [stream])
    assert drain(under(plan), pieces(stream, places)) == whole
    assert drain(under(plan), every_byte(stream)) == whole
    assert whole[-1] == Message(b"C", b"SELECT 2\0")
    if rows:
        run = whole[0]
        assert isinstance(run, Rows)
        out = shown(run.data)
        assert run.rows == len(out) == len(rows)
        for before, after in zip(rows, out, strict=True):
            for mask, old, new in zip(columns, before, after, strict=True):
                assert new == old if mask == PASS else (old is not None or new is None)


@given(st.lists(strategies.backend_messages, max_size=6), cuts)
def test_every_other_message_comes_out_as_it_is(
    messages: list[backend.BackendMessage], places: list[int]
) -> None:
    data = b"".join(map(backend.build, messages))
    for chunks in ([data], pieces(data, places), every_byte(data)):
        items = drain(PgBackend(), chunks)
        assert b"".join(item.encode() for item in items if isinstance(item, Message)) == data
        assert len(items) == len(messages)


plans = st.sampled_from([None, PASS_ALL, Plan((PASS, PASS)), Plan((PASS, KEEP4)), Plan(())])


@given(st.binary(max_size=120), plans, cuts)
def test_hostile_bytes_give_only_a_protocol_error_however_cut(
    data: bytes, plan: Plan, places: list[int]
) -> None:
    def run(chunks: object) -> list[object]:
        codec = PgBackend(SMALL)
        codec.set_plan(plan)
        codec.set_copy_plan(COPY_PASS_ALL)
        return drain(codec, chunks)  # type: ignore[arg-type]

    assert run(pieces(data, places)) == run([data])


@given(plans, st.data(), cuts)
def test_rows_whose_lengths_lie_give_only_a_protocol_error(
    plan: Plan, data: st.DataObject, places: list[int]
) -> None:
    lengths = st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, -1, -2, -(2**31)])
    body = struct.pack(">h", data.draw(st.integers(-1, 3)))
    for length in data.draw(st.lists(lengths, max_size=4)):
        body += struct.pack(">i", length) + data.draw(st.binary(max_size=5))
    stream = row(b"right", b"right row") + b"D" + struct.pack(">I", len(body) + 4) + body + READY

    def run(chunks: object) -> list[object]:
        codec = PgBackend(SMALL)
        codec.set_plan(plan)
        return drain(codec, chunks)  # type: ignore[arg-type]

    whole = run([stream])
    assert run(pieces(stream, places)) == whole
    if isinstance(whole[0], Rows) and plan is not None and not plan.is_passing:
        for values in shown(whole[0].data):
            assert len(values) == 2


@pytest.mark.parametrize("plan", [Plan((PASS,)), Plan((KEEP4,)), Plan(())])
def test_a_row_of_another_width_than_its_plan_does_not_pass(plan: Plan) -> None:
    codec = under(plan)
    codec.receive(row(b"1", b"2"))
    with pytest.raises(ProtocolError, match="columns of its plan"):
        codec.next()


def test_rows_of_one_result_have_one_width() -> None:
    codec = under(PASS_ALL)
    codec.receive(row(b"1", b"2") + row(b"3"))
    assert codec.next() == Rows(row(b"1", b"2"), 1, 0)
    with pytest.raises(ProtocolError, match="columns of its plan"):
        codec.next()


@pytest.mark.parametrize("length", [0, 3, 4, 5])
def test_a_row_too_short_to_be_one_is_refused(length: int) -> None:
    for plan in (PASS_ALL, Plan((KEEP4,))):
        codec = under(plan)
        codec.receive(b"D" + struct.pack(">I", length) + b"\0\0\0\0")
        with pytest.raises(ProtocolError, match="invalid length"):
            codec.next()


def test_a_length_that_reaches_into_the_next_row_does_not_pass() -> None:
    """The value would be masked, the rest of the next row would show in its place."""
    lying = b"D" + struct.pack(">IHi", 4 + 2 + 4 + 2, 1, 40) + b"ab"
    codec = under(Plan((KEEP4,)))
    codec.receive(lying + row(b"x" * 60))
    with pytest.raises(ProtocolError, match="add up"):
        codec.next()


@pytest.mark.parametrize(
    "body",
    [
        struct.pack(">hi", 2, 1) + b"a" + struct.pack(">i", 1) + b"b" + b"more",
        struct.pack(">hi", 2, 9) + b"a" + struct.pack(">i", 1) + b"b",
        struct.pack(">hi", 2, 1) + b"a" + struct.pack(">i", -2),
        struct.pack(">hi", 2, -2) + struct.pack(">i", 1) + b"b",
        struct.pack(">hi", 2, 1) + b"a",
        struct.pack(">hi", 2, 1) + b"a" + b"\0\0",
        struct.pack(">hi", 2, 2**31 - 1) + b"a" + struct.pack(">i", 1) + b"b",
    ],
    ids=["more", "past the end", "-2", "-2 first", "a field less", "half a length", "2^31-1"],
)
@pytest.mark.parametrize("plan", [Plan((PASS, KEEP4)), Plan((KEEP4, PASS)), Plan((CONSTANT, NULL))])
def test_a_masked_row_whose_lengths_do_not_add_up_does_not_pass(body: bytes, plan: Plan) -> None:
    for behind in (b"", row(b"right", b"right") * 3):
        codec = under(plan)
        codec.receive(row(b"first", None) + b"D" + struct.pack(">I", len(body) + 4) + body + behind)
        first = codec.next()
        assert isinstance(first, Rows)
        assert first.rows == 1
        with pytest.raises(ProtocolError, match="add up"):
            codec.next()


@pytest.mark.parametrize(
    "kind", [bytes([kind]) for kind in range(256) if kind not in b"123ACDEGHIKNRSTVWZcdnstv"]
)
def test_a_kind_that_no_target_sends_is_refused(kind: bytes) -> None:
    codec = PgBackend()
    codec.receive(kind + b"\0\0\0\4")
    with pytest.raises(ProtocolError, match="unexpected kind"):
        codec.next()


@pytest.mark.parametrize("kind", [b"T", b"E", b"N", b"S"])
def test_a_message_over_its_limit_is_refused_when_its_header_is_seen(kind: bytes) -> None:
    codec = PgBackend(SMALL)
    codec.receive(kind + struct.pack(">I", 105))
    with pytest.raises(ProtocolError, match="limit is 100"):
        codec.next()


def test_a_long_row_that_passes_goes_out_in_parts() -> None:
    long, short = row(b"x" * 500), row(b"y")
    data = long + short + DONE
    codec = PgBackend(SMALL)
    codec.set_plan(PASS_ALL)
    codec.receive(data[:40])
    assert codec.next() == Rows(data[:40], 0, 0)
    assert codec.is_inside_row
    assert codec.next() is None
    codec.receive(data[40:])
    assert codec.next() == Rows(data[40 : len(long)], 1, 0)
    assert not codec.is_inside_row
    assert codec.next() == Rows(short, 1, 0)
    for chunks in ([data], every_byte(data)):
        codec = PgBackend(SMALL)
        codec.set_plan(PASS_ALL)
        assert drain(codec, chunks) == [Rows(long + short, 2, 0), Message(b"C", b"SELECT 2\0")]


def test_a_long_copy_row_that_passes_goes_out_in_parts() -> None:
    data = copy_data(b"x" * 500, b"y\n") + READY
    for chunks in ([data], every_byte(data)):
        codec = PgBackend(SMALL)
        codec.set_copy_plan(CopyPlan((PASS, PASS)))
        assert drain(codec, chunks) == [Rows(copy_data(b"x" * 500, b"y\n"), 2, 0), Message(b"Z", b"I")]


def test_a_long_row_that_must_be_masked_is_refused_when_its_header_is_seen() -> None:
    codec = PgBackend(SMALL)
    codec.set_plan(Plan((KEEP4,)))
    codec.receive(b"D" + struct.pack(">I", 85))
    with pytest.raises(ProtocolError, match="limit is 80") as caught:
        codec.next()
    assert caught.value.sqlstate == "54000"
    codec = PgBackend(SMALL)
    codec.set_copy_plan(CopyPlan((KEEP4,)))
    codec.receive(b"d" + struct.pack(">I", 85))
    with pytest.raises(ProtocolError, match="limit is 80"):
        codec.next()


def test_a_long_row_of_the_wrong_width_does_not_begin() -> None:
    codec = PgBackend(SMALL)
    codec.set_plan(Plan((PASS, PASS)))
    codec.receive(row(b"x" * 500)[:40])
    with pytest.raises(ProtocolError, match="columns of its plan"):
        codec.next()


def peak_of(codec: PgBackend, data: bytes, size: int) -> int:
    """The most memory it took to take the data in, in pieces of one size."""
    tracemalloc.start()
    try:
        for at in range(0, len(data), size):
            codec.receive(data[at : at + size])
            while codec.next() is not None:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [999, 65536])
def test_a_huge_row_that_passes_takes_no_memory(size: int) -> None:
    data = row(b"x" * 8_000_000)
    assert peak_of(under(PASS_ALL), data, size) < 2_000_000


@pytest.mark.parametrize("size", [97, 65536])
def test_a_masked_row_is_held_no_more_than_a_few_times(size: int) -> None:
    data = row(b"x" * 1_000_000)
    assert peak_of(under(Plan((KEEP4,))), data, size) < 6_000_000


def test_a_flood_of_the_smallest_rows_takes_memory_by_the_run() -> None:
    data = row() * 200_000
    codec = under(Plan(()))
    assert peak_of(codec, data, 65536) < 2_000_000
    data = row(b"") * 60_000
    assert peak_of(under(Plan((KEEP4,))), data, len(data)) < 15_000_000


def test_dribbled_bytes_are_not_joined_again_and_again() -> None:
    """A megabyte in pieces of 16 bytes: quadratic joining would move 30 gigabytes."""
    data = row(b"x" * 1_000_000)
    codec = under(Plan((KEEP4,)))
    items = drain(codec, pieces(data, range(0, len(data), 16)))
    assert items == [Rows(row(b"*" * 999_996 + b"xxxx"), 1, 1)]
