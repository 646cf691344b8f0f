"""Whatever bytes either side sends: no exception, at most one Close, every settled statement ended once."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from narrows.relay.machine import Close, Side
from narrows.wire.postgres import frontend
from narrows.wire.postgres.message import encode
from tests.relay.raw import SYNC, bind, execute, parse, query, written
from tests.relay.talk import BOUND, PARSED, READY, Talk, complete, error, fields, foretelling, row, said

_CLIENT = written(
    [
        query("select ssn from customers"),
        parse("select ssn from customers", "s"),
        bind("p", "s", formats=(1,)),
        frontend.Describe("P", "p"),
        execute("p", 1),
        frontend.Close("S", "s"),
        SYNC,
        query("update notes set body = 'x' returning id"),
        parse("update notes set body = 'x' returning id", "u"),
        bind("", "u"),
        execute(),
        SYNC,
        query("copy notes from stdin"),
        frontend.CopyDone(),
    ]
)
_TARGET = said(
    fields("ssn"),
    row(b"123-45-6789"),
    complete("SELECT 1"),
    READY,
    PARSED,
    BOUND,
    fields("ssn"),
    error("22012"),
    READY,
    *foretelling(fields("one")),
    fields("one"),
    row(b"1"),
    complete("UPDATE 1"),
    READY,
    PARSED,
    BOUND,
    fields("one"),
    row(b"1"),
    complete("UPDATE 1"),
    READY,
)

client_kinds = st.sampled_from([bytes([kind]) for kind in b"QPBDECSHFdcfXp"])
target_kinds = st.sampled_from([bytes([kind]) for kind in b"123ACDEGHIKNRSTVWZcdnst"])


def _messages(kinds: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(kinds, st.binary(max_size=30)).map(lambda pair: encode(*pair))


def _mutated(data: bytes) -> st.SearchStrategy[bytes]:
    places = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    return st.lists(places, max_size=4).map(lambda changes: _changed(data, changes))


def _changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    made = bytearray(data)
    for at, value in changes:
        made[at] = value
    return bytes(made)


from_client = st.tuples(
    st.just(Side.CLIENT), st.one_of(_messages(client_kinds), _mutated(_CLIENT), st.binary(max_size=40))
)
from_target = st.tuples(
    st.just(Side.UPSTREAM), st.one_of(_messages(target_kinds), _mutated(_TARGET), st.binary(max_size=40))
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(from_client, from_target), max_size=12))
@example([(Side.CLIENT, _CLIENT), (Side.UPSTREAM, _TARGET)])
@example([(Side.UPSTREAM, _TARGET)])
def test_no_bytes_break_the_machine(pieces: list[tuple[Side, bytes]]) -> None:
    talk = Talk()
    for side, data in pieces:
        talk.feed(side, data)
        while talk.asks:
            talk.allow()
    assert sum(isinstance(command, Close) for command in talk.others) <= 1
    ended = [outcome.record for outcome in talk.outcomes]
    assert len(ended) == len(set(ended))
    talk.did(talk.session.closed(Side.UPSTREAM)).did(talk.session.closed(Side.CLIENT))
    ended = [outcome.record for outcome in talk.outcomes]
    assert sorted(ended) == sorted(f"r{number + 1}" for number in range(talk.records))
