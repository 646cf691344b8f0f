"""How many questions about labelled values one principal may ask on one connection in a minute.

A bucket for each (principal, connection), over all its sessions: as many values as the connection allows, filled anew
a minute after it was first drawn from. Laws: no clock inside, `now` is passed in; what exceeds the bucket takes nothing
from it; a number of values that is not known is greater than any; buckets are forgotten once they would be full.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

from narrows.gate.ports import Excess
from narrows.model.action import Action
from narrows.model.alert import Alert
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.statement import Operation, Statement

RULE = "filters_per_minute"
SEVERITY = "medium"
WINDOW_S = 60.0

COUNTED = frozenset({"constant", "match", "range", "pattern", "other"})
"""Kinds of filter that tell of values by asking; the others tell what a masked output tells, or ask no value."""
LISTED = frozenset({"constant", "pattern"})
"""Those that compare with values that are listed; each of the others is one question."""


def values_asked(statement: Statement) -> int | None:
    """With how many values the statement compares labelled columns; None where that is not known."""
    if not statement.compares_anew:
        return 0
    total = 0
    for operation in statement.operations:
        if operation.action is Action.FILTER and operation.facts.get("kind", "other") in COUNTED:
            asked = _asked(operation)
            if asked is None:
                return None
            total += asked
    return total


def _asked(operation: Operation) -> int | None:
    values = operation.facts.get("values", -1)
    if isinstance(values, int) and values >= 0:
        return values
    return None if operation.facts.get("kind") in LISTED else 1


@dataclass(slots=True)
class _Bucket:
    until: float
    """When it is filled anew."""
    used: int = 0
    has_alerted: bool = False


class FilterLimit:
    """The buckets of one process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        """In the order in which they are filled anew."""

    def __len__(self) -> int:
        return len(self._buckets)

    def take(
        self, principal: str, connection: str, asked: int | None, most: int, now: float
    ) -> Excess | None:
        """Draw so many values of the `most` that a minute has; where they are not there, why not."""
        if asked == 0 or most == 0:
            return None
        bucket = self._bucket((principal, connection), now)
        if asked is not None and bucket.used + asked <= most:
            bucket.used += asked
            return None
        is_first, bucket.has_alerted = not bucket.has_alerted, True
        refusal = Refusal(Reason.FILTER_LIMIT, _message(asked, bucket, most, now), RULE)
        return Excess(refusal, _alert(principal, connection, asked, bucket, most) if is_first else None)

    def _bucket(self, key: tuple[str, str], now: float) -> _Bucket:
        while self._buckets and (oldest := next(iter(self._buckets.items())))[1].until <= now:
            del self._buckets[oldest[0]]
        if key not in self._buckets:
            self._buckets[key] = _Bucket(now + WINDOW_S)
        return self._buckets[key]


def _message(asked: int | None, bucket: _Bucket, most: int, now: float) -> str:
    if asked is None:
        return f"nobody knows with how many values this compares labelled columns; {most} are allowed in a minute"
    if asked > most:
        return f"this compares labelled columns with {asked} values; {most} are allowed in a minute"
    wait_s = ceil(bucket.until - now)
    return (
        f"this compares labelled columns with {asked} more; {bucket.used} of the {most} values that are allowed"
        f" in a minute were asked already; try again in {wait_s} s"
    )


def _alert(principal: str, connection: str, asked: int | None, bucket: _Bucket, most: int) -> Alert:
    message = f"{principal} asks {connection} for more than {most} labelled values in a minute"
    return Alert(SEVERITY, RULE, message, bucket.used + (asked or 0))
