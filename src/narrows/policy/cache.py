"""A bounded memory of what was computed; the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `limit` values; a value that is gone is computed again."""

    __slots__ = ("_values", "hits", "limit", "misses")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.hits = 0
        self.misses = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        try:
            self._values.move_to_end(key)
            self.hits += 1
            return self._values[key]
        except KeyError:
            self.misses += 1
            return None

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        while len(self._values) > self.limit:
            self._values.popitem(last=False)
