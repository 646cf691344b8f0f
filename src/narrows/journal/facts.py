"""The requests that policy saw, written once per segment and referred to by hash.

Laws: the hash is SHA-256 of the canonical JSON (members and sets sorted); a segment can be read alone,
so what it refers to stands in it; what is remembered is bounded, and what was forgotten is written again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeVar

import msgspec

KNOWN = 10_000
RECENT = 512

_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=str)
_NONE = b""
K = TypeVar("K")
V = TypeVar("V")


class FactsBook:
    """What the current segment already holds."""

    def __init__(self, known: int = KNOWN, recent: int = RECENT) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._known_limit = known
        self._recent: OrderedDict[int, tuple[Mapping[str, object], bytes]] = OrderedDict()
        self._recent_limit = recent

    def refer(self, request: Mapping[str, object]) -> tuple[bytes, bytes]:
        """(hash, canonical JSON still to be written); the second is empty where the segment has it.

        The same mapping object is taken to be unchanged: verdicts are frozen, and cached ones come again.
        """
        seen = self._recent.get(id(request))
        if seen is not None and seen[1] in self._known:
            return seen[1], _NONE
        canonical = canonical_json(request)
        hash_ = sha256(canonical).hexdigest().encode()
        _remember(self._recent, id(request), (request, hash_), self._recent_limit)
        return hash_, _NONE if hash_ in self._known else canonical

    def written(self, hash_: bytes) -> None:
        """The segment holds it from now on."""
        _remember(self._known, hash_, None, self._known_limit)

    def clear(self) -> None:
        """A new segment begins."""
        self._known.clear()


def canonical_json(request: Mapping[str, object]) -> bytes:
    """One text per value, whatever the order of its members."""
    try:
        return _encoder.encode(request)
    except UnicodeEncodeError:
        return _encoder.encode(_escaped(request))


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_escaped(item) for item in value]
    return value


def build_facts(hash_: bytes, canonical: bytes) -> bytes:
    """The JSON object of a `facts` record."""
    return b'{"kind":"facts","of":"%b","request":%b}' % (hash_, canonical)


def _remember(memory: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > limit:
        memory.popitem(last=False)
