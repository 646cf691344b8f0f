"""The arithmetic of the bench."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.numbers import median_ratio, per_100k, percentile

_VALUES = st.lists(st.floats(0, 1e6), min_size=1)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([3.0, 1.0, 2.0], 50) == 2
    assert percentile([7.0], 99) == 7


@given(_VALUES, st.floats(0, 100))
def test_at_least_so_many_are_not_above_it(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_a_ratio_is_taken_within_its_round() -> None:
    """A slow round slows both sides, and then its ratio is right all the same."""
    assert median_ratio([2, 20, 3], [1, 10, 2]) == 2


def test_each_round_has_both_sides() -> None:
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1, 2], [1])


def test_per_100k() -> None:
    assert per_100k(1.5, 50_000) == 3
