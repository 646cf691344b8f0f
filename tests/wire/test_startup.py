"""The first packets: what each is, its limits, and what may not stand behind it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import startup
from narrows.wire.postgres.startup import (
    CancelRequest,
    DirectTls,
    GssRequest,
    SslRequest,
    Startup,
    StartupReader,
    parse_startup,
)
from tests.wire import strategies

HELLO = startup.build_startup(Startup(3, 0, {"user": "alice", "database": "shop"}))


def packet(code: int, body: bytes = b"") -> bytes:
    return struct.pack(">II", 8 + len(body), code) + body


def read(data: bytes, size: int | None = None, is_encrypted: bool = False) -> tuple[list[object], bytes]:
    """Everything a reader makes of the data given in pieces, and what it left."""
    reader = StartupReader(is_encrypted)
    items: list[object] = []
    for at in range(0, len(data), size or len(data) or 1):
        reader.receive(data[at : at + (size or len(data))])
        if items and isinstance(items[-1], DirectTls | Startup):
            continue
        while (item := reader.next()) is not None:
            items.append(item)
            if isinstance(item, DirectTls | Startup):
                break
    return items, reader.take_rest()


@given(strategies.startups)
def test_a_start_up_packet_is_read_back(value: Startup) -> None:
    assert parse_startup(startup.build_startup(value)) == value


@pytest.mark.parametrize("size", [None, 1])
def test_psql_asks_for_gss_then_tls_then_starts(size: int | None) -> None:
    reader = StartupReader()
    items: list[object] = []
    for part in (startup.build_gss_request(), startup.build_ssl_request(), HELLO):
        for at in range(0, len(part), size or len(part)):
            assert reader.next() is None
            reader.receive(part[at : at + (size or len(part))])
        items.append(reader.next())
    assert items == [GssRequest(), SslRequest(), Startup(3, 0, {"user": "alice", "database": "shop"}, {})]


def test_what_follows_the_start_up_packet_is_kept_for_the_codec() -> None:
    assert read(HELLO + b"Q\0\0\0")[1] == b"Q\0\0\0"
    assert read(HELLO + b"Q\0\0\0", 1)[1] == b"Q\0\0\0"


def test_the_first_byte_of_tls_is_seen_before_anything_else() -> None:
    hello = b"\x16\x03\x01\x02\x00\x01"
    assert read(hello) == ([DirectTls()], hello)
    assert read(hello, 1) == ([DirectTls()], hello)
    with pytest.raises(ProtocolError):
        read(hello, is_encrypted=True)


@pytest.mark.parametrize("request_", [startup.build_ssl_request(), startup.build_gss_request()])
def test_bytes_behind_an_encryption_request_are_refused(request_: bytes) -> None:
    """They were sent in the clear and would be taken for encrypted ones."""
    with pytest.raises(ProtocolError, match="behind an encryption request"):
        read(request_ + HELLO)
    with pytest.raises(ProtocolError, match="behind an encryption request"):
        read(request_ + b"\x16")


def test_encryption_is_not_asked_for_twice() -> None:
    reader = StartupReader()
    reader.receive(startup.build_ssl_request())
    assert reader.next() == SslRequest()
    reader.receive(startup.build_ssl_request())
    with pytest.raises(ProtocolError, match="twice"):
        reader.next()
    with pytest.raises(ProtocolError, match="twice"):
        read(startup.build_ssl_request(), is_encrypted=True)


@pytest.mark.parametrize("key", [b"abcd", b"k" * 32, b"k" * 256])
def test_a_cancel_request_has_a_key_of_either_version(key: bytes) -> None:
    assert parse_startup(startup.build_cancel_request(7, key)) == CancelRequest(7, key)
    assert str(key) not in repr(CancelRequest(7, key))


@pytest.mark.parametrize("key", [b"", b"k" * 257])
def test_a_cancel_key_outside_the_limits_is_refused(key: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_startup(packet(80877102, struct.pack(">i", 7) + key))
    with pytest.raises(ValueError, match="256"):
        startup.build_cancel_request(7, key)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 10_001, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_length_outside_the_limits_is_refused_at_once(length: int) -> None:
    data = struct.pack(">I", length)
    with pytest.raises(ProtocolError):
        read(data)


def test_the_limit_itself_passes_and_nothing_more_is_held() -> None:
    body = b"user\0" + b"u" * (10_000 - 8 - 5 - 2) + b"\0\0"
    (start,), _ = read(packet(196608, body), 100)
    assert isinstance(start, Startup)
    assert len(start.parameters["user"]) == 9985


@pytest.mark.parametrize("code", [2 << 16, 1 << 16, 4 << 16, 0, 1234 << 16 | 9999, 2**32 - 1])
def test_other_protocols_are_refused_by_name(code: int) -> None:
    with pytest.raises(ProtocolError, match="not supported") as caught:
        parse_startup(packet(code, b"user\0a\0\0"))
    assert caught.value.sqlstate == "0A000"


@pytest.mark.parametrize(
    "body", [b"", b"user", b"user\0", b"user\0a\0", b"user\0a\0\0x", b"user\0a\0user\0b\0\0"]
)
def test_a_malformed_list_of_parameters_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_startup(packet(196608, body))


@pytest.mark.parametrize("code", [80877103, 80877104])
def test_an_encryption_request_has_nothing_in_it(code: int) -> None:
    with pytest.raises(ProtocolError):
        parse_startup(packet(code, b"x"))


@pytest.mark.parametrize(
    ("minor", "options", "answer"),
    [
        (0, {}, None),
        (2, {}, None),
        (9999, {}, (196610, ())),
        (0, {"_pq_.x": "1"}, (196608, ("_pq_.x",))),
        (2, {"_pq_.x": "1"}, (196610, ("_pq_.x",))),
        (9999, {"_pq_.test_protocol_negotiation": ""}, (196610, ("_pq_.test_protocol_negotiation",))),
    ],
)
def test_a_newer_minor_version_is_negotiated_down(
    minor: int, options: dict[str, str], answer: tuple[int, tuple[str, ...]] | None
) -> None:
    start = parse_startup(startup.build_startup(Startup(3, minor, {"user": "a"}, options)))
    assert isinstance(start, Startup)
    said = startup.negotiate_protocol_version(start)
    assert (said and (said.version, said.options)) == answer
    assert start.agreed_minor == min(minor, 2)


@given(st.binary(max_size=80), st.integers(1, 80))
def test_hostile_bytes_give_a_value_or_a_protocol_error_however_cut(data: bytes, size: int) -> None:
    def outcome(size: int) -> object:
        try:
            return read(data, size)[0]
        except ProtocolError as error:
            return error.side

    if any(data.startswith(packet(code)) for code in (80877103, 80877104)):
        outcome(size)  # whether bytes stand behind such a request depends on when they come
    else:
        assert outcome(size) == outcome(len(data) or 1)
