"""How a journal is kept, and how it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Durability(StrEnum):
    WRITE = "write"
    """A record survives the process."""
    FSYNC = "fsync"
    """A record survives the machine."""


@dataclass(frozen=True, slots=True)
class Limits:
    segment_bytes: int = 64 << 20
    checkpoint_records: int = 1000
    checkpoint_s: float = 10.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Status:
    """For health checks and metrics."""

    is_available: bool
    message: str
    """Why not, and what to do; '' while all is well."""
    refused: int
    """Appends refused since the journal was opened."""
    writer: str
    segment: int
    seq: int
    hash: str
    unsigned: int
    """Lines that no signature vouches for yet."""
    unsynced_bytes: int
