"""What each operation shows of a value, and that it never shows more."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.core import ColumnMask, MaskOp
from narrows.core.plan import PASS
from narrows.core.pure.masks import change, field_change

FILLS = ["*", "x", "•", "é", "🙂"]
texts = st.text(max_size=90)


def apply(mask: ColumnMask, value: bytes) -> bytes | None:
    """The value as the field of a row shows it."""
    field = field_change(mask)
    if field is None:
        return value
    field = field if isinstance(field, bytes) else field(value)
    size = int.from_bytes(field[:4], "big", signed=True)
    assert size == -1 or size == len(field) - 4
    return None if size == -1 else field[4:]


def keep(count: int, fill: str = "*") -> ColumnMask:
    return ColumnMask(MaskOp.KEEP_LAST, keep=count, fill=fill.encode())


@pytest.mark.parametrize(
    ("value", "count", "shown"),
    [
        ("123-45-6789", 4, "*******6789"),
        ("12345678", 4, "********"),
        ("123456789", 4, "*****6789"),
        ("", 4, ""),
        ("abc", 0, "***"),
        ("Zoë Müller", 3, "*******ler"),
        ("Žižková", 2, "*****vá"),
        ("🙂🙂🙂🙂🙂", 1, "****🙂"),
    ],
)
def test_keep_last_shows_the_last_characters_of_long_values_only(value: str, count: int, shown: str) -> None:
    assert apply(keep(count), value.encode()) == shown.encode()


@given(texts, st.integers(0, 100), st.sampled_from(FILLS))
def test_keep_last_shows_at_most_keep_and_at_most_half(value: str, count: int, fill: str) -> None:
    got = apply(keep(count, fill), value.encode())
    assert got is not None
    text = got.decode()
    assert len(text) == len(value)
    kept = count if len(value) > 2 * count else 0
    assert text == fill * (len(value) - kept) + value[len(value) - kept :]
    assert kept <= len(value) / 2


@given(st.binary(max_size=90), st.integers(0, 10))
def test_what_is_not_utf8_is_filled_byte_for_byte(value: bytes, count: int) -> None:
    got = apply(keep(count), value)
    try:
        value.decode()
    except UnicodeDecodeError:
        assert got == b"*" * len(value)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=100), st.integers(1, 64))
def test_a_hash_is_hmac_sha256_in_hex(value: bytes, key: bytes, length: int) -> None:
    expected = hmac.new(key, value, hashlib.sha256).hexdigest()[:length].encode()
    assert apply(ColumnMask(MaskOp.HASH, key=key, length=length), value) == expected


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_constant_and_null_do_not_depend_on_the_value(one: bytes, two: bytes) -> None:
    constant = ColumnMask(MaskOp.CONSTANT, text=b"***")
    assert apply(constant, one) == apply(constant, two) == b"***"
    assert apply(ColumnMask(MaskOp.NULL), one) is None
    assert apply(PASS, one) == one


@given(texts, st.integers(0, 100), st.sampled_from(FILLS))
def test_a_row_and_a_copy_show_the_same(value: str, count: int, fill: str) -> None:
    function = change(keep(count, fill))
    assert callable(function)
    assert function(value.encode()) == apply(keep(count, fill), value.encode())


@pytest.mark.parametrize(
    "arguments",
    [
        {"keep": -1},
        {"fill": b""},
        {"fill": b"-----"},
        {"length": 0},
        {"length": 65},
        {"op": MaskOp.HASH},
        {"text": b"x" * 70_000},
    ],
)
def test_a_mask_that_cannot_be_applied_cannot_be_made(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ColumnMask(**arguments)  # type: ignore[arg-type]


def test_a_key_does_not_show() -> None:
    assert "topsecret" not in repr(ColumnMask(MaskOp.HASH, key=b"topsecret"))


def test_cover_stands_in_place_of_null_too() -> None:
    """Where an expression is NULL follows from the values in it: `nullif(substr(ssn, 1, 1), '0')`."""
    from narrows.core import ColumnMask, CopyPlan, MaskOp, PgBackend, Plan
    from narrows.wire.postgres import backend

    cover = ColumnMask(MaskOp.COVER, text=b"***")
    masked = PgBackend()
    masked.set_plan(Plan((ColumnMask(), cover)))
    masked.receive(
        backend.build(backend.DataRow((b"1", None))) + backend.build(backend.DataRow((None, b"x")))
    )
    rows = masked.next()
    expected = backend.build(backend.DataRow((b"1", b"***"))) + backend.build(backend.DataRow((None, b"***")))
    assert rows is not None
    assert (rows.data, rows.masked) == (expected, 2)  # type: ignore[union-attr]
    assert CopyPlan((cover,)).columns == (cover,)
