"""The file format: every kind survives a round trip, and readers of today read the lines of tomorrow."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.journal import facts, keys, line, records
from narrows.journal.records import KIND_OF, Base, OperationEntry, StatementRecord, Unknown
from tests.journal.support import KEYS, statement

_SAMPLES: dict[str, dict[str, Any]] = {
    "sign_in": {"address": "10.0.0.1:5", "is_accepted": False, "reason": "TOKEN_EXPIRED"},
    "refused": {"address": "10.0.0.1:5", "reason": "TLS_REQUIRED", "message": "no TLS"},
    "session_opened": {
        "session": "s",
        "principal": "User/a",
        "connection": "c",
        "database": "d",
        "address": "x",
    },
    "session_closed": {"session": "s", "reason": "client", "rows": 3},
    "statement": {
        "session": "s",
        "principal": "User/a",
        "connection": "c",
        "database": "d",
        "text": "SELECT 'ü\n'",
        "effect": "deny",
        "operations": (
            OperationEntry(action="select", resource='Table::"c/public.t"', facts={"bounded": True}),
        ),
        "rungs": {"c/public.t.x": "none"},
        "alerts": (("p", "high"),),
    },
    "outcome": {"record": "control.1", "session": "s", "status": "done"},
    "own": {"connection": "c", "database": "d", "text": "SHOW role", "purpose": "facts"},
    "config_loaded": {"is_accepted": False, "faults": ("labels.yaml:3",)},
    "operated": {"principal": "User/a", "action": "view_values", "target": "control.1"},
    "alert": {
        "severity": "high",
        "message": "m",
        "rule": "filters_per_minute",
        "principal": "User/alice",
        "connection": "shop",
        "count": 601,
        "record": "control.1",
    },
    "segment": {
        "writer": "control",
        "segment": 1,
        "previous": "0",
        "checkpoint_records": 5,
        "writers": {"control": Base(1, 0, "h")},
    },
    "opened": {"writer": "control", "durability": "write"},
    "checkpoint": {"reason": "close"},
    "recovery": {"cause": "x", "last_seq": 4, "cut_bytes": 12},
    "writer": {"writer": "worker-1", "segment": 1, "seq": 1, "hash": "h"},
    "retired": {
        "writer": "w",
        "through": 2,
        "last_seq": 9,
        "last_hash": "h",
        "bytes": 5,
        "reason": "age",
        "writers": {"w": Base(3, 9, "h")},
    },
    "facts": {"of": "h", "request": msgspec.Raw(b'{"a":1}')},
    "outage": {"since": 1.5, "refused": 2, "message": "full", "unconfirmed": ("control.4",)},
    "clock": {"back_s": 3.5},
}


@pytest.mark.parametrize("kind", records.KINDS, ids=lambda kind: KIND_OF[kind])
def test_every_kind_survives_a_round_trip_through_a_line(kind: type[records.Record]) -> None:
    record = kind(**_SAMPLES[KIND_OF[kind]])
    body = line.build_body(5, 1763800000.25, records.encode(record))
    raw = line.build_line(line.digest(b"previous", body), body)
    parsed = line.parse(raw[:-1])
    assert parsed is not None
    assert (parsed.seq, parsed.at, parsed.kind) == (5, 1763800000.25, KIND_OF[kind])
    again = records.decode(parsed.kind, raw)
    assert records.encode(again) == records.encode(record)  # type: ignore[arg-type]
    assert isinstance(again, kind)
    assert again.version == 1


def test_newer_fields_are_skipped_and_newer_kinds_are_kept_as_they_are() -> None:
    newer = b'{"hash":"x","seq":1,"at":1.0,"kind":"outcome","version":2,"record":"r","session":"s","status":"done","cost":5}'
    known = records.decode("outcome", newer)
    assert isinstance(known, records.OutcomeRecord) and known.version == 2
    unknown = records.decode("vote", b'{"hash":"x","seq":1,"at":1.0,"kind":"vote","who":"bob"}')
    assert unknown == Unknown("vote", {"who": "bob"})
    reshaped = records.decode("outcome", b'{"kind":"outcome","status":7}')
    assert reshaped == Unknown("outcome", {"status": 7})
    assert records.decode("outcome", b'{"kind":') == Unknown("outcome", {})
    assert records.decode("outcome", b'{"kind":"\xff"}') == Unknown("outcome", {})
    assert records.decode("outcome", b'{"a":' + b"[" * 100_000) == Unknown("outcome", {})


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        statement().text = "other"  # type: ignore[misc]


def test_a_field_at_its_default_is_left_out() -> None:
    assert b"rungs" not in records.encode(statement())
    assert b"version" not in records.encode(statement())


@given(st.binary(max_size=300))
def test_no_bytes_make_the_line_parser_fail(raw: bytes) -> None:
    line.parse(raw)
    line.parse(b'{"hash":"' + b"a" * 64 + b'",' + raw)
    line.signing_key_id(raw)
    records.decode("statement", raw)


@given(st.text(max_size=50), st.integers(1, 10**9))
def test_a_signature_holds_for_one_place_and_one_content(text: str, seq: int) -> None:
    body = line.build_body(seq, 1.0, records.encode(statement(text)))
    signed = line.sign(body, b"a" * 64, KEYS.signing, KEYS.id)
    assert line.is_signed(signed, b"a" * 64, KEYS.public)
    assert not line.is_signed(signed, b"b" * 64, KEYS.public)
    assert not line.is_signed(signed, b"a" * 64, keys.generate().public)
    assert not line.is_signed(signed.replace(b'"seq":', b'"seq":1', 1), b"a" * 64, KEYS.public)
    assert not line.is_signed(body, b"a" * 64, KEYS.public)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("control.12", ("control", 12)),
        ("worker-1.3", ("worker-1", 3)),
        ("control", None),
        ("control.", None),
        ("control.x", None),
        ("control.²", None),
        ("", None),
    ],
)
def test_ids(text: str, wanted: tuple[str, int] | None) -> None:
    assert records.parse_id(text) == wanted
    if wanted:
        assert records.record_id(*wanted) == text


def test_the_book_of_facts_is_bounded_and_forgets_safely() -> None:
    book = facts.FactsBook(known=3, recent=2)
    requests: list[dict[str, object]] = [{"n": number} for number in range(5)]
    for request in requests:
        hash_, canonical = book.refer(request)
        assert canonical
        book.written(hash_)
    assert book.refer(requests[0])[1], "forgotten, so written again"
    assert book.refer(requests[4])[1] == b""
    assert book.refer({"n": 4})[1] == b"", "known by content, not only by identity"
    book.clear()
    assert book.refer(requests[4])[1], "a new segment needs its own"


def test_facts_that_were_not_written_are_not_known() -> None:
    book = facts.FactsBook()
    request: dict[str, object] = {"a": 1}
    assert book.refer(request)[1]
    assert book.refer(request)[1], "the write may have failed"


def test_a_statement_record_has_no_room_for_values_in_the_clear() -> None:
    assert "parameters" not in StatementRecord.__struct_fields__
