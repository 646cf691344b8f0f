"""COPY TO STDOUT in its three formats: each value decoded, masked and written again as PostgreSQL would.

The writers here follow CopyAttributeOutText, CopyAttributeOutCSV and CopyOneRowTo of PostgreSQL's copyto.c,
independently of the code under test.
"""

from __future__ import annotations

import csv
import io
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.core import PASS, ColumnMask, CopyFormat, CopyPlan, Limits, MaskOp, PgBackend, Rows
from narrows.core.pure.masks import change
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, copying
from tests.core.streams import (
    CONSTANT,
    HASH,
    KEEP4,
    NULL,
    copied,
    copy_data,
    cuts,
    drain,
    every_byte,
    masks,
    payloads_of,
    pieces,
)

Value = bytes | None
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ESCAPES = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 92: b"\\\\"}

nasty = st.lists(
    st.sampled_from(
        [
            b"a",
            b"Z",
            b"\\",
            b'"',
            b",",
            b"|",
            b"'",
            b"\n",
            b"\r",
            b"\t",
            b"\x0b",
            b"\b",
            b"N",
            b".",
            "ž".encode(),
        ]
    ),
    max_size=8,
).map(b"".join)
values = st.none() | nasty | st.sampled_from([b"\\N", b"\\.", b"NULL", b"", b"123-45-6789"])


def text_field(plan: CopyPlan, value: Value) -> bytes:
    if value is None:
        return plan.null
    delimiter = plan.delimiter[0]
    return b"".join(
        ESCAPES.get(byte) or (b"\\" + bytes([byte]) if byte == delimiter else bytes([byte])) for byte in value
    )


def csv_field(plan: CopyPlan, value: Value) -> bytes:
    if value is None:
        return plan.null
    if value not in (plan.null, b"\\.") and not any(
        mark in value for mark in (plan.delimiter, plan.quote, b"\n", b"\r")
    ):
        return value
    inside = b"".join(
        plan.escape + bytes([byte]) if bytes([byte]) in (plan.quote, plan.escape) else bytes([byte])
        for byte in value
    )
    return plan.quote + inside + plan.quote


def binary_field(value: Value) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else struct.pack(">i", len(value)) + value


def written(plan: CopyPlan, rows: list[tuple[Value, ...]]) -> list[bytes]:
    """The CopyData payloads of PostgreSQL: a row in each; the binary header before the first row."""
    if plan.format is CopyFormat.BINARY:
        payloads = [struct.pack(">h", len(row)) + b"".join(map(binary_field, row)) for row in rows]
        payloads.append(TRAILER)
        return [SIGNATURE + payloads[0], *payloads[1:]]
    field = text_field if plan.format is CopyFormat.TEXT else csv_field
    lines = [plan.delimiter.join([field(plan, value) for value in row]) + b"\n" for row in rows]
    header = plan.delimiter.join([field(plan, b'na"me\n') for _ in plan.columns or ()]) + b"\n"
    return [header, *lines] if plan.header else lines


def masked(mask: ColumnMask, value: Value) -> Value:
    """What the reader of the masked stream should see."""
    if value is None or mask.op is MaskOp.PASS:
        return value
    made = change(mask)
    return made if made is None or isinstance(made, bytes) else made(value)


@st.composite
def plans(draw: st.DrawFn) -> CopyPlan:
    columns = tuple(draw(st.lists(masks, min_size=1, max_size=4)))
    chosen = draw(st.sampled_from(list(CopyFormat)))
    if chosen is CopyFormat.BINARY:
        return CopyPlan(columns, chosen)
    if chosen is CopyFormat.TEXT:
        delimiter = draw(st.sampled_from([b"\t", b"|", b",", b"\x01", b"'", b"Z"]))
        return CopyPlan(columns, chosen, delimiter, header=draw(st.booleans()))
    quote = draw(st.sampled_from([b'"', b"'", b"a"]))
    return CopyPlan(
        columns,
        chosen,
        draw(st.sampled_from([b",", b"|", b"\t", b"\\"])),
        quote,
        draw(st.sampled_from([quote, b"\\", b"Z"])),
        draw(st.sampled_from([b"", b"NULL", b"Nx"])),
        draw(st.booleans()),
    )


@st.composite
def copies(draw: st.DrawFn) -> tuple[CopyPlan, list[tuple[Value, ...]]]:
    plan = draw(plans())
    return plan, draw(st.lists(st.tuples(*[values for _ in plan.columns or ()]), max_size=5))


@given(copies())
def test_a_masked_stream_is_what_postgresql_would_have_written_of_masked_values(
    case: tuple[CopyPlan, list[tuple[Value, ...]]],
) -> None:
    plan, rows = case
    columns = plan.columns or ()
    expected = [tuple(masked(mask, value) for mask, value in zip(columns, row, strict=True)) for row in rows]
    stream, count, changed = copied(plan, written(plan, rows))
    assert stream == b"".join(written(plan, expected))
    if not plan.is_passing:
        assert count == len(rows)
        assert changed == sum(
            value is not None and mask != PASS
            for row in rows
            for mask, value in zip(columns, row, strict=True)
        )


@given(copies(), cuts, cuts)
def test_how_the_stream_is_cut_does_not_matter(
    case: tuple[CopyPlan, list[tuple[Value, ...]]], rows_cut: list[int], bytes_cut: list[int]
) -> None:
    """Neither where CopyData messages begin nor how the bytes arrive."""
    plan, rows = case
    payloads = written(plan, rows)
    whole, _, _ = copied(plan, payloads)
    stream = b"".join(payloads)
    assert copied(plan, pieces(stream, rows_cut))[0] == whole
    assert copied(plan, every_byte(stream))[0] == whole
    wire = copy_data(*payloads) + backend.build(copying.CopyDone())
    results = []
    for chunks in ([wire], pieces(wire, bytes_cut), every_byte(wire)):
        codec = PgBackend()
        codec.set_copy_plan(plan)
        results.append(drain(codec, chunks))
    assert results[0] == results[1] == results[2]


@given(copies())
def test_a_row_goes_out_in_the_message_it_ends_in(case: tuple[CopyPlan, list[tuple[Value, ...]]]) -> None:
    """Drivers that read rows rely on one row in each CopyData."""
    plan, rows = case
    payloads = written(plan, rows)
    codec = PgBackend()
    codec.set_copy_plan(plan)
    codec.receive(copy_data(*payloads))
    run = codec.next()
    assert len(payloads_of(run.data) if isinstance(run, Rows) else []) == len(payloads)


@given(plans(), st.lists(st.binary(max_size=12) | nasty, max_size=6), cuts)
def test_hostile_streams_give_only_a_protocol_error(
    plan: CopyPlan, payloads: list[bytes], places: list[int]
) -> None:
    if plan.format is CopyFormat.BINARY:
        payloads = [SIGNATURE, *payloads]
    wire = copy_data(*payloads) + backend.build(copying.CopyDone())

    def run(chunks: object) -> list[object]:
        codec = PgBackend(Limits(row_bytes=60))
        codec.set_copy_plan(plan)
        return drain(codec, chunks)  # type: ignore[arg-type]

    assert run(pieces(wire, places)) == run([wire])


def test_csv_comes_out_as_pythons_csv_reads_it() -> None:
    plan = CopyPlan((PASS, KEEP4, CONSTANT), CopyFormat.CSV, b",", null=b"", header=True)
    payloads = [b"id,ssn,note\n", b'1,123-45-6789,"a, ""b""\nc"\n', b'2,,""\n', b'3,"12,4567890",\n']
    stream, rows, changed = copied(plan, payloads)
    assert (rows, changed) == (3, 4)
    assert list(csv.reader(io.StringIO(stream.decode()))) == [
        ["id", "ssn", "note"],
        ["1", "*******6789", "***"],
        ["2", "", "***"],
        ["3", "******7890", ""],
    ]


def test_quoting_says_nothing_of_what_was_masked() -> None:
    plan = CopyPlan((CONSTANT,), CopyFormat.CSV, b",", null=b"")
    assert copied(plan, [b"plain\n", b'"with, comma"\n', b'"with\nline"\n'])[0] == b"***\n" * 3


def test_a_mask_that_reads_like_null_is_told_from_it_by_quotes() -> None:
    for marker in (b"", b"***"):
        plan = CopyPlan((ColumnMask(MaskOp.CONSTANT, text=marker),), CopyFormat.CSV, b",", null=marker)
        assert copied(plan, [b"secret\n", marker + b"\n"])[0] == b'"%b"\n%b\n' % (marker, marker)


def test_a_marker_of_null_cannot_be_used_to_ask_for_a_value() -> None:
    """COPY ... (NULL 'guess') writes NULL and the value `guess` alike, so both are masked."""
    plan = CopyPlan((KEEP4,), null=b"123-45-6789")
    assert copied(plan, [b"123-45-6789\n", b"987-65-4321\n"])[0] == b"*******6789\n*******4321\n"
    escaped = CopyPlan((CONSTANT,), null=b"a\\\\b")
    assert copied(escaped, [b"a\\\\b\n"])[0] == b"***\n"
    csv_plan = CopyPlan((CONSTANT,), CopyFormat.CSV, b",", null=b"guess")
    assert copied(csv_plan, [b'"guess"\n', b"guess\n"])[0] == b"***\nguess\n"


@pytest.mark.parametrize("null", [b"\\N", b"", b"\\NULL"])
def test_null_stays_null_where_it_is_certain(null: bytes) -> None:
    plan = CopyPlan((KEEP4, CONSTANT, HASH, NULL), null=null)
    line = b"\t".join([null] * 4) + b"\n"
    assert copied(plan, [line]) == (line, 1, 0)


@pytest.mark.parametrize(
    ("plan", "payloads"),
    [
        (CopyPlan((KEEP4, PASS)), [b"1\n"]),
        (CopyPlan((KEEP4, PASS)), [b"1\t2\t3\n"]),
        (CopyPlan((KEEP4, PASS)), [b"1\\\t2\n"]),
        (CopyPlan((KEEP4,)), [b"a\\q\n"]),
        (CopyPlan((KEEP4,)), [b"a\\\n"]),
        (CopyPlan((KEEP4,)), [b"no end"]),
        (CopyPlan((KEEP4, PASS), header=True), [b"only\n"]),
        (CopyPlan((KEEP4, PASS), CopyFormat.CSV, b","), [b"1\n"]),
        (CopyPlan((KEEP4, PASS), CopyFormat.CSV, b","), [b"1,2,3\n"]),
        (CopyPlan((KEEP4, PASS), CopyFormat.CSV, b","), [b'1,"2,3\n']),
        (CopyPlan((KEEP4, PASS), CopyFormat.CSV, b","), [b'1,"2"3\n']),
        (CopyPlan((KEEP4, PASS), CopyFormat.CSV, b","), [b'1,2"3"\n']),
        (CopyPlan((KEEP4,), CopyFormat.CSV, b",", escape=b"\\"), [b'"a\\b"\n']),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [b"PGCOPY\n\xff\r\n\1" + bytes(8), TRAILER]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [b"PGCOPY\n\xff\r\n\0\0\1\0\0" + bytes(4), TRAILER]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, b"\0\2" + b"\xff" * 8, TRAILER]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, b"\xff\xfe", TRAILER]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, b"\0\1\xff\xff\xff\xfe", TRAILER]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, b"\0\1\x7f\xff\xff\xff"]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, b"\0\1\0\0\0\1"]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE, TRAILER, b"x"]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), [SIGNATURE[:11] + b"\0\0\0\0\x7f\xff\xff\xff", b"x"]),
        (CopyPlan((KEEP4,), CopyFormat.BINARY), []),
    ],
)
def test_a_stream_that_is_not_as_announced_does_not_pass(plan: CopyPlan, payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        copied(plan, payloads)


def test_right_rows_go_out_before_a_wrong_one_is_refused() -> None:
    codec = PgBackend()
    codec.set_copy_plan(CopyPlan((CONSTANT,)))
    codec.receive(copy_data(b"one\n", b"two\tthree\n"))
    assert codec.next() == Rows(copy_data(b"***\n"), 1, 1)
    for _ in range(2):
        with pytest.raises(ProtocolError, match="number of fields"):
            codec.next()


def test_a_binary_header_with_an_extension_passes() -> None:
    plan = CopyPlan((CONSTANT,), CopyFormat.BINARY)
    head = SIGNATURE[:15] + b"\0\0\0\5extra"
    stream = head + b"\0\1\0\0\0\6secret" + TRAILER
    expected = head + b"\0\1\0\0\0\3***" + TRAILER
    assert copied(plan, [stream]) == (expected, 1, 1)
    assert copied(plan, every_byte(stream)) == (expected, 1, 1)


def test_a_row_of_two_short_messages_is_over_the_limit_too() -> None:
    for plan in (CopyPlan((KEEP4,)), CopyPlan((KEEP4,), CopyFormat.CSV, b",")):
        codec = PgBackend(Limits(row_bytes=64))
        codec.set_copy_plan(plan)
        codec.receive(copy_data(b"x" * 40, b"x" * 40 + b"\n"))
        with pytest.raises(ProtocolError, match="over 64 bytes"):
            codec.next()


def test_a_copy_plan_ends_with_its_copy() -> None:
    codec = PgBackend()
    codec.set_copy_plan(CopyPlan((CONSTANT,)))
    codec.receive(copy_data(b"a\n") + backend.build(copying.CopyDone()) + copy_data(b"b\n"))
    assert codec.next() == Rows(copy_data(b"***\n"), 1, 1)
    assert codec.next() is not None
    with pytest.raises(ProtocolError, match="without a plan"):
        codec.next()


def test_a_row_in_a_great_many_messages_is_not_recursed_into() -> None:
    codec = PgBackend()
    codec.set_copy_plan(CopyPlan((KEEP4,)))
    codec.receive(copy_data(*[b"x" * 1000] * 20_000, b"end!\n"))
    assert codec.next() == Rows(copy_data(b"*" * 20_000_000 + b"end!\n"), 1, 1)


def test_an_error_ends_a_copy_in_the_middle_of_a_row() -> None:
    codec = PgBackend()
    codec.set_copy_plan(CopyPlan((CONSTANT,)))
    codec.receive(copy_data(b"half a ro") + backend.build(backend.ErrorResponse({"M": "cancelled"})))
    assert codec.next() is not None
    codec.set_copy_plan(CopyPlan((CONSTANT,)))
    codec.receive(copy_data(b"whole\n"))
    assert codec.next() == Rows(copy_data(b"***\n"), 1, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": b""},
        {"delimiter": b"ab"},
        {"delimiter": b"\n"},
        {"delimiter": b"n"},
        {"delimiter": b"\\"},
        {"delimiter": b"\xe9"},
        {"null": b"a\tb"},
        {"null": b"a\nb"},
        {"format": CopyFormat.CSV, "delimiter": b'"'},
        {"format": CopyFormat.CSV, "null": b'a"b'},
        {"format": CopyFormat.CSV, "quote": b""},
        {"format": CopyFormat.CSV, "escape": b"xy"},
    ],
)
def test_options_that_postgresql_refuses_make_no_plan(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        CopyPlan((PASS,), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", list(CopyFormat))
def test_a_row_over_the_limit_is_refused_wherever_it_is_cut(chosen: CopyFormat) -> None:
    plan = CopyPlan((KEEP4,), chosen, b",", null=b"")
    for size in (1, 7, 50):
        codec = PgBackend(Limits(row_bytes=64))
        codec.set_copy_plan(plan)
        start = (
            SIGNATURE + b"\0\1\0\0\1\0" if chosen is CopyFormat.BINARY else b'"' * (chosen is CopyFormat.CSV)
        )
        stream = start + b"x" * 200
        codec.receive(copy_data(*pieces(stream, range(0, len(stream), size))))
        with pytest.raises(ProtocolError) as caught:
            while codec.next() is not None:
                pass
        assert caught.value.sqlstate == "54000"
        assert codec.buffered


@pytest.mark.parametrize(
    ("plan", "payload"),
    [
        (CopyPlan((CONSTANT,)), b"\n" * 60_000),
        (CopyPlan((CONSTANT, PASS)), b"\t" * 300_000 + b"\n"),
        (CopyPlan((CONSTANT, PASS)), b"\\\t" * 300_000 + b"\n"),
        (CopyPlan((CONSTANT,)), b"\\\\" * 300_000 + b"\n"),
        (CopyPlan((CONSTANT,), CopyFormat.CSV, b",", null=b""), b'"' + b"\n" * 300_000 + b'"\n'),
        (CopyPlan((CONSTANT,), CopyFormat.CSV, b",", null=b""), b'"' * 300_000 + b"\n"),
        (CopyPlan((CONSTANT, PASS), CopyFormat.CSV, b",", null=b""), b'"",' * 100_000 + b"\n"),
        (
            CopyPlan((CONSTANT,), CopyFormat.CSV, b",", escape=b"\\", null=b""),
            b'"' + b'\\"' * 150_000 + b'"\n',
        ),
    ],
)
def test_degenerate_rows_take_memory_and_time_in_proportion(plan: CopyPlan, payload: bytes) -> None:
    codec = PgBackend()
    codec.set_copy_plan(plan)
    codec.receive(copy_data(payload))
    tracemalloc.start()
    try:
        codec.next()
    except ProtocolError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12 * len(payload) + 100_000
