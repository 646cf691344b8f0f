"""How much one statement may be: over any of these it is refused, never forwarded unparsed."""

from __future__ import annotations

from dataclasses import dataclass

INLINE_BYTES = 16 * 1024
"""Longer texts are analysed in a worker process: parsing them would hold up everybody else."""

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes of UTF-8, depth in nested nodes, the rest in counts."""

    text_bytes: int = MAX_BYTES
    depth: int = 200
    """Of nested nodes; analysis recurses, and Python's own limit must stay out of reach."""
    statements: int = 10_000
    operations: int = 2_000
    """Distinct ones, of all statements of one text together."""


LIMITS = Limits()
