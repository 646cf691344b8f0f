"""Cancel keys: only what was minted fits, for the process and the session it was minted for, in its version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.wire.postgres.cancel import KEY_BYTES, SESSIONS, WORKERS, CancelKeys

KEYS = CancelKeys(b"s" * 32)
PIDS = st.integers(1, 2**31 - 2)


@given(PIDS, st.integers(0, WORKERS - 2), st.integers(0, SESSIONS - 2), st.sampled_from([0, 1, 2]))
def test_a_key_fits_what_it_was_minted_for(pid: int, worker: int, number: int, minor: int) -> None:
    key = KEYS.mint(pid, worker, number, minor)
    assert len(key) == KEY_BYTES[minor]
    assert KEYS.fits(key, pid, worker, number)
    assert not KEYS.fits(key, pid + 1, worker, number)
    assert not KEYS.fits(key, pid, worker + 1, number)
    assert not KEYS.fits(key, pid, worker, number + 1)
    assert not CancelKeys(b"t" * 32).fits(key, pid, worker, number)


@given(st.integers(-(2**31), 2**31 - 1), st.binary(max_size=40))
def test_what_was_not_minted_fits_nothing(pid: int, key: bytes) -> None:
    assert not KEYS.fits(key, pid, 0, 1)


def test_one_version_does_not_fit_as_the_other() -> None:
    long_key = KEYS.mint(7, 1, 2, minor=2)
    assert not KEYS.fits(long_key[:4], 7, 1, 2)


@pytest.mark.parametrize(("worker", "number"), [(WORKERS, 0), (-1, 0), (0, SESSIONS), (0, -1)])
def test_what_does_not_fit_is_not_minted(worker: int, number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        KEYS.mint(1, worker, number)


def test_a_short_secret_is_refused_and_none_shows() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CancelKeys(b"short")
    assert "ssss" not in repr(KEYS)
