"""Readers and writers of both sides: inverse of each other, strict, and never another exception."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, copying, frontend
from narrows.wire.postgres.message import Message, encode
from tests.wire import strategies

FRONTEND_KINDS = b"BCDEFHPQSXcdf"
BACKEND_KINDS = b"123ACDEGHIKNRSTVWZcdnstv"


def cut(data: bytes) -> Message:
    """One encoded message as a Message; its length word must be right."""
    assert struct.unpack_from(">I", data, 1)[0] == len(data) - 1
    return Message(data[:1], data[5:])


@given(strategies.frontend_messages)
def test_what_a_client_message_says_is_read_back(message: frontend.FrontendMessage) -> None:
    assert frontend.parse(cut(frontend.build(message))) == message


@given(strategies.backend_messages | strategies.data_rows)
def test_what_a_target_message_says_is_read_back(message: backend.BackendMessage) -> None:
    assert backend.parse(cut(backend.build(message))) == message


@given(st.sampled_from(list(FRONTEND_KINDS)), st.binary(max_size=60))
def test_any_payload_of_a_client_is_read_and_written_alike_or_refused(kind: int, payload: bytes) -> None:
    message = Message(bytes([kind]), payload)
    try:
        value = frontend.parse(message)
    except ProtocolError as error:
        assert error.side == "client"
        return
    if "\0" not in getattr(value, "text", ""):
        assert frontend.build(value) == message.encode()


@given(st.sampled_from(list(BACKEND_KINDS)), st.binary(max_size=60))
def test_any_payload_of_a_target_is_read_and_written_alike_or_refused(kind: int, payload: bytes) -> None:
    message = Message(bytes([kind]), payload)
    try:
        value = backend.parse(message)
    except ProtocolError as error:
        assert error.side == "upstream"
        return
    assert backend.build(value) == message.encode()


@given(st.one_of(strategies.frontend_messages, strategies.backend_messages), st.data())
def test_a_message_cut_short_or_made_longer_is_refused(message: object, data: st.DataObject) -> None:
    is_client = type(message) in frontend._BUILDERS
    side = frontend if is_client else backend
    whole = cut(side.build(message))
    if isinstance(message, copying.CopyData | frontend.Query):
        return  # their payload is what it is
    free = isinstance(
        message,
        backend.AuthenticationSASLContinue
        | backend.AuthenticationSASLFinal
        | backend.AuthenticationUnsupported
        | backend.BackendKeyData,
    )
    if not free:
        with pytest.raises(ProtocolError):
            side.parse(Message(whole.kind, whole.payload + b"\0"))
    if whole.payload and not free:
        end = data.draw(st.integers(0, len(whole.payload) - 1))
        with pytest.raises(ProtocolError):
            side.parse(Message(whole.kind, whole.payload[:end]))


def test_a_bind_reads_as_the_documentation_says() -> None:
    payload = b"p\0s\0" + b"\0\1\0\1" + b"\0\2" + b"\0\0\0\3abc" + b"\xff\xff\xff\xff" + b"\0\2\0\0\0\1"
    bind = frontend.parse_bind(payload)
    assert bind == frontend.Bind("p", "s", (1,), (b"abc", None), (0, 1))
    assert bind.parameter_formats() == (1, 1)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0", "negative length"),
        (b"\0\0\0\0\0\1\x7f\xff\xff\xff\0\0", "ends too early"),
        (b"\0\0\0\0\xff\xff\0\0", "ends too early"),
        (b"\0\0\0\1\0\2\0\0\0\0", "neither 0 nor 1"),
        (b"\0\0\0\2\0\0\0\0\0\1\xff\xff\xff\xff\0\0", "2 parameter formats but 1 parameters"),
        (b"p", "not terminated"),
        (b"\0\0\0\0\0\0\0\0\0", "after its end"),
    ],
    ids=["length -2", "length 2^31-1", "count", "format", "formats", "no NUL", "too long"],
)
def test_a_bind_that_lies_is_refused(payload: bytes, fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        frontend.parse_bind(payload)


def test_a_nul_inside_a_name_is_seen() -> None:
    """What follows is read as the next field, and then too much is left."""
    with pytest.raises(ProtocolError):
        frontend.parse_execute(b"a\0b\0\0\0\0\0")
    with pytest.raises(ProtocolError):
        frontend.parse_describe(b"Sa\0b\0")


def test_a_nul_inside_a_query_reaches_analysis_and_nothing_else() -> None:
    """So that the refusal has a reason of its own and the journal has the text."""
    query = frontend.parse_query(b"select 1\0; drop table t\0")
    assert query.text == "select 1\0; drop table t"
    with pytest.raises(ValueError, match="NUL"):
        frontend.build(query)


@pytest.mark.parametrize("payload", [b"", b"select 1"])
def test_a_query_ends_in_a_nul(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="not terminated"):
        frontend.parse_query(payload)


def test_kind_p_is_read_by_what_was_asked_for() -> None:
    with pytest.raises(ProtocolError):
        frontend.parse(Message(b"p", b"secret\0"))
    assert frontend.parse_password(b"secret\0").password == "secret"
    first = frontend.SaslInitialResponse("SCRAM-SHA-256", b"n,,n=,r=abc")
    assert frontend.parse_sasl_initial_response(cut(frontend.build(first)).payload) == first
    empty = frontend.SaslInitialResponse("SCRAM-SHA-256", None)
    assert frontend.parse_sasl_initial_response(cut(frontend.build(empty)).payload) == empty
    assert (
        frontend.parse_sasl_response(cut(frontend.build(frontend.SaslResponse(b"c="))).payload).response
        == b"c="
    )
    with pytest.raises(ProtocolError, match="after its end"):
        frontend.parse_password(b"sec\0ret\0")


@pytest.mark.parametrize(
    "message",
    [
        frontend.PasswordMessage("hunter2"),
        frontend.SaslResponse(b"hunter2"),
        backend.BackendKeyData(1, b"hunter2"),
    ],
)
def test_secrets_do_not_show_in_a_transcript(message: object) -> None:
    assert "hunter2" not in repr(message)


def test_an_error_keeps_the_order_of_its_fields_and_gets_out_whatever_it_says() -> None:
    error = backend.ErrorResponse({"S": "FATAL", "C": "08P01", "M": "a\0b \udcff \ud800"})
    payload = cut(backend.build(error)).payload
    assert list(backend.parse_error_response(payload).fields) == ["S", "C", "M"]
    assert payload.count(b"\0") == 4
    with pytest.raises(ProtocolError, match="twice"):
        backend.parse_error_response(b"Ma\0Mb\0\0")


def test_an_unknown_way_in_is_told_apart_from_a_broken_message() -> None:
    assert backend.parse_authentication(b"\0\0\0\x07") == backend.AuthenticationUnsupported(7, b"")
    with pytest.raises(ProtocolError):
        backend.parse_authentication(b"\0\0\0\x05abc")


@pytest.mark.parametrize("payload", [b"\0\3\0\2\x7f\xff\xff\xff", b"\0\3\0\2\xff\xff\xff\xff"])
def test_a_count_of_strings_is_not_believed(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="more than it holds"):
        backend.parse_negotiate_protocol_version(payload)


def test_text_that_is_not_utf8_comes_out_as_it_came_in() -> None:
    query = frontend.parse_query(b"select '\xe9\xff'\0")
    assert frontend.build(query) == encode(b"Q", b"select '\xe9\xff'\0")


def test_what_cannot_be_written_is_our_fault_and_raises() -> None:
    with pytest.raises(ValueError, match="NUL"):
        frontend.build(frontend.Parse("a\0b", "select 1"))
    with pytest.raises(ValueError, match="16-bit"):
        frontend.build(frontend.Parse("", "select 1", (0,) * 65536))
    assert (
        len(frontend.parse_parse(cut(frontend.build(frontend.Parse("", "", (0,) * 65535))).payload).type_oids)
        == 65535
    )


@given(st.lists(st.sampled_from([0, 1]), max_size=4), st.integers(0, 4))
def test_formats_spread_over_values(codes: list[int], count: int) -> None:
    if len(codes) in (0, 1, count):
        assert len(frontend.spread(tuple(codes), count)) == count
