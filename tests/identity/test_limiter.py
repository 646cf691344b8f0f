"""The limit on failures: a burst, then a steady drip; per source; bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.identity.limiter import FailureLimiter, FailureLimits, source_key

LIMITS = FailureLimits(failures=3, window_s=30.0, sources=4)


def test_a_burst_is_allowed_and_then_one_per_ten_seconds() -> None:
    limiter = FailureLimiter(LIMITS)
    for _ in range(3):
        assert limiter.wait_s("192.0.2.1", 100.0) == 0.0
        limiter.failed("192.0.2.1", 100.0)
    assert limiter.wait_s("192.0.2.1", 100.0) == 10.0
    assert limiter.wait_s("192.0.2.1", 106.0) == pytest.approx(4.0)
    assert limiter.wait_s("192.0.2.1", 110.0) == 0.0
    limiter.failed("192.0.2.1", 110.0)
    assert limiter.wait_s("192.0.2.1", 110.0) == 10.0


def test_all_is_forgotten_after_the_window() -> None:
    limiter = FailureLimiter(LIMITS)
    for _ in range(50):
        limiter.failed("192.0.2.1", 100.0)
    assert limiter.wait_s("192.0.2.1", 130.0) == 0.0
    for _ in range(3):
        assert limiter.wait_s("192.0.2.1", 130.0) == 0.0
        limiter.failed("192.0.2.1", 130.0)


def test_one_source_does_not_hold_up_another() -> None:
    limiter = FailureLimiter(LIMITS)
    for _ in range(3):
        limiter.failed("192.0.2.1", 100.0)
    assert limiter.wait_s("192.0.2.2", 100.0) == 0.0


def test_memory_is_bounded_and_the_oldest_failure_is_forgotten_first() -> None:
    limiter = FailureLimiter(LIMITS)
    for _ in range(3):
        limiter.failed("192.0.2.1", 100.0)
    for last in range(2, 1000):
        limiter.failed(f"192.0.2.{last}", 100.0)
    assert len(limiter) == 4
    assert limiter.wait_s("192.0.2.1", 100.0) == 0.0


def test_a_clock_that_goes_back_forgives_nothing_and_adds_nothing() -> None:
    limiter = FailureLimiter(LIMITS)
    for _ in range(3):
        limiter.failed("192.0.2.1", 100.0)
    assert limiter.wait_s("192.0.2.1", 50.0) == 10.0


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1%eth0", "2001:db8:1:2::/64"),
        ("unix", "unix"),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_what_counts_as_one_source(source: str, key: str) -> None:
    assert source_key(source) == key


@given(st.lists(st.floats(0.0, 100.0), max_size=50).map(sorted), st.floats(100.0, 200.0))
def test_nobody_waits_longer_than_one_drip(failures: list[float], now: float) -> None:
    limiter = FailureLimiter(LIMITS)
    for at in failures:
        limiter.failed("192.0.2.1", at)
    assert 0.0 <= limiter.wait_s("192.0.2.1", now) <= 10.0
