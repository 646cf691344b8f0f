"""Cancel keys: only what was minted opens, in the version it was minted for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.wire.postgres.cancel import KEY_BYTES, SESSIONS, WORKERS, CancelKeys

KEYS = CancelKeys(b"s" * 32)


@given(st.integers(0, WORKERS - 1), st.integers(0, SESSIONS - 1), st.sampled_from([0, 1, 2]))
def test_a_key_opens_to_what_it_was_minted_for(worker: int, number: int, minor: int) -> None:
    pid, key = KEYS.mint(worker, number, minor)
    assert 0 <= pid < 2**31
    assert len(key) == KEY_BYTES[minor]
    assert KEYS.open(pid, key) == (worker, number)
    assert KEYS.open(pid ^ 1, key) is None
    assert CancelKeys(b"t" * 32).open(pid, key) is None


@given(st.integers(-(2**31), 2**31 - 1), st.binary(max_size=40))
def test_what_was_not_minted_opens_nothing(pid: int, key: bytes) -> None:
    assert KEYS.open(pid, key) is None


def test_one_version_does_not_open_as_the_other() -> None:
    pid, long_key = KEYS.mint(1, 2, minor=2)
    assert KEYS.open(pid, long_key[:4]) is None


@pytest.mark.parametrize(("worker", "number"), [(WORKERS, 0), (-1, 0), (0, SESSIONS), (0, -1)])
def test_what_does_not_fit_is_not_minted(worker: int, number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        KEYS.mint(worker, number)


def test_a_short_secret_is_refused_and_none_shows() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CancelKeys(b"short")
    assert "ssss" not in repr(KEYS)
