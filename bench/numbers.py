"""The arithmetic of the figures: medians, percentiles, ratios within a round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

__all__ = ["median", "median_ratio", "per_100k", "percentile"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `percent` of all do not exceed."""
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios round by round: what both had to bear in a round cancels out."""
    return median(a / b for a, b in zip(over, under, strict=True))


def per_100k(seconds: float, transactions: int) -> float:
    """Seconds per 100,000 transactions."""
    return seconds * 100_000 / transactions
