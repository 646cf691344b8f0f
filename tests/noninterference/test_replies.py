"""What counts as a difference between two replies, and what does not."""

from __future__ import annotations

import struct

from tests.leaks.client import Message
from tests.noninterference.replies import Tally, told

NAMES = ("twin_0_a", "twin_0_b")
NEWEST = 20000


def row(*cells: bytes) -> Message:
    return "D", struct.pack(">h", len(cells)) + b"".join(struct.pack(">i", len(c)) + c for c in cells)


def described(table: int, type_: int = 25) -> Message:
    return "T", struct.pack(">h", 1) + b"c\0" + struct.pack(">IhIhih", table, 1, type_, -1, -1, 0)


def is_told(one: list[Message], other: list[Message]) -> bool:
    return told([one], [other], NAMES, NEWEST) is not None


def test_a_value_a_row_and_an_error_tell() -> None:
    assert is_told([row(b"x")], [row(b"y")])
    assert is_told([row(b"x")], [row(b"x"), row(b"x")])
    assert is_told([("E", b"C22000\0\0")], [("E", b"C54000\0\0")])
    assert not is_told([row(b"x")], [row(b"x")])


def test_oids_of_temporary_objects_tell_nothing_and_others_do() -> None:
    assert not is_told([described(20001), described(20009)], [described(30001), described(30009)])
    assert not is_told([described(0, 20001)], [described(0, 30001)])
    assert is_told([described(20001), described(20001)], [described(30001), described(30002)])
    assert is_told([described(16400)], [described(16500)])


def test_the_names_of_the_twins_and_of_temporary_schemas_tell_nothing() -> None:
    assert not is_told([("E", b"Mno twin_0_a here\0\0")], [("E", b"Mno twin_0_b here\0\0")])
    assert not is_told([row(b"on pg_temp_3.t")], [row(b"on pg_temp_11.t")])


def test_what_does_not_repeat_tells_nothing() -> None:
    again = iter([[[row(b"3")]]])
    assert told([[row(b"1")]], [[row(b"2")]], NAMES, NEWEST, lambda: next(again)) is None


def test_the_tally_counts_what_was_answered() -> None:
    tally = Tally()
    tally.add([row(b"***"), ("C", b"SELECT 1\0")])
    tally.add([row(b"x"), ("C", b"SELECT 1\0")])
    tally.add([row(b"***"), ("E", b"SERROR\0CNW001\0\0")])
    tally.add([("E", b"SERROR\0C22000\0\0")])
    tally.add([("C", b"BEGIN\0")])
    assert tally == Tally(statements=5, answered=2, masked=1, refused=1, failed=1)
