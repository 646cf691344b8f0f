"""A limit on failed sign-ins per source: against floods, since guessing 256 bits is no danger.

Laws: no clock inside, `now` is passed in; memory is bounded, the source that failed longest ago is
forgotten first; an IPv6 network of 64 bits is one source, for one host owns all of it.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """How many failures in a burst, and how long until all of them are forgotten."""

    failures: int = 20
    window_s: float = 60.0
    sources: int = 4096


class FailureLimiter:
    """A bucket per source: each failure fills it, time drains it, full means wait."""

    def __init__(self, limits: FailureLimits = FailureLimits()) -> None:
        self._limits = limits
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, source: str, now: float) -> float:
        """Seconds until this source may fail again; 0.0 where it may now."""
        over = self._level(source_key(source), now) - (self._limits.failures - 1)
        return max(0.0, over) * self._limits.window_s / self._limits.failures

    def failed(self, source: str, now: float) -> None:
        """One more failure of this source."""
        key = source_key(source)
        level = min(self._level(key, now) + 1, float(self._limits.failures))
        self._levels[key] = (level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._limits.sources:
            self._levels.popitem(last=False)

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: str, now: float) -> float:
        level, then = self._levels.get(key, (0.0, now))
        drained = max(0.0, now - then) * self._limits.failures / self._limits.window_s
        return max(0.0, level - drained)


def source_key(source: str) -> str:
    """The address, or its network of 64 bits for IPv6; anything else stands for itself."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)
