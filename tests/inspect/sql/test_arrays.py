"""How many values an array holds: as PostgreSQL reads it, and whatever the bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from narrows.inspect.sql import arrays
from narrows.model.statement import Parameter

TEXTS = [
    (b"{}", 0),
    (b" { } ", 0),
    (b"{a}", 1),
    (b"{a,b,c}", 3),
    (b'{"a,b",c}', 2),
    (b'{"a\\"b,c",d}', 2),
    (b"{a\\,b,c}", 2),
    (b"{NULL,NULL}", 2),
    (b"{{a,b},{c,d}}", 4),
    (b"[0:2]={a,b,c}", 3),
    (b" [1:1] [1:2] = {{a,b}}", 2),
    (b"{(1,1),(0,0);(2,2),(1,1)}", 8),  # boxes: more than there are, never fewer
    (b"abc", 1),
    (b"", 1),
    (b"a,b,c", 1),  # no array, so the target refuses it or takes it for one value
    (b'{"never closed, a, b', 3),
    (b" " * 5000 + b"{a,b}", 2),
    (b"{" + b"a," * 15_000 + b"a}", 15_001),
    (b"{" + b"a," * 30_000 + b"a}", arrays.UNKNOWN),
    (b"{" + b"a" * arrays.MOST_BYTES + b"}", arrays.UNKNOWN),
]


@pytest.mark.parametrize(("value", "expected"), TEXTS, ids=range(len(TEXTS)))
def test_the_text_of_an_array(value: bytes, expected: int) -> None:
    assert arrays.of_text(value) == expected


def binary(*sizes: int, flags: int = 0) -> bytes:
    header = struct.pack("!iII", len(sizes), flags, 25)
    return header + b"".join(struct.pack("!iI", size, 1) for size in sizes)


BINARIES = [
    (binary(), 0),
    (binary(3), 3),
    (binary(3, flags=1), 3),
    (binary(2, 4), 8),
    (binary(2**31 - 1), 2**31 - 1),
    # no array: the target refuses it, or it is the element of one
    (b"", 1),
    (b"hello world, hello", 1),
    (binary(-1), 1),
    (binary(3, flags=2), 1),
    (struct.pack("!iII", 7, 0, 25) + b"\0" * 56, 1),
    (binary(3)[:-1], 1),
]


@pytest.mark.parametrize(("value", "expected"), BINARIES, ids=range(len(BINARIES)))
def test_the_header_of_a_binary_array(value: bytes, expected: int) -> None:
    assert arrays.of_binary(value) == expected


def test_a_parameter_is_read_in_its_own_format() -> None:
    assert arrays.of_parameter(Parameter(None, False, 0)) == 0
    assert arrays.of_parameter(Parameter(b"{a,b}", False, 1009)) == 2
    assert arrays.of_parameter(Parameter(binary(5), True, 1009)) == 5
    assert arrays.of_parameter(Parameter(b"1 2 3", False, 22)) == arrays.UNKNOWN


@example([""])
@example(["a", None, "null", '"', "\\", ","])
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_what_a_driver_writes_is_counted_exactly(items: list[str | None]) -> None:
    assert arrays.of_text(quoted(items).encode()) == len(items)


def quoted(items: list[str | None]) -> str:
    """As drivers write an array: every string in quotes."""
    written = (
        "NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for item in items
    )
    return "{" + ",".join(written) + "}"


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"{" + tail))
def test_hostile_bytes_never_raise(value: bytes) -> None:
    for is_binary in (False, True):
        assert arrays.of_parameter(Parameter(value, is_binary, 0)) >= arrays.UNKNOWN
