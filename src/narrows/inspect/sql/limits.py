"""How much one statement may be: over any of these it is refused, never forwarded unparsed."""

from __future__ import annotations

from dataclasses import dataclass

INLINE_BYTES = 4 * 1024
"""Longer texts are analysed in a worker process. A hostile text of this size takes about 20 ms; one of
16 KiB took 86 ms, which would hold up everybody else."""

INLINE_STATEMENTS = 100
"""More than so many semicolons go to a worker as well; most of them end a statement."""

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes of UTF-8, depth in nested nodes, the rest in counts."""

    text_bytes: int = MAX_BYTES
    depth: int = 200
    """Of nested nodes; analysis recurses, and Python's own limit must stay out of reach."""
    statements: int = 10_000
    sources: int = 256
    """FROM items of one query level: each name is looked for in all of them."""
    columns: int = 1664
    """Of one query level, PostgreSQL's own limit; `*` of `*` of `*` doubles each time."""
    recursions: int = 3
    """WITH RECURSIVE inside WITH RECURSIVE: each is walked twice."""
    operations: int = 2_000
    """Distinct ones, of all statements of one text together."""
    steps: int = 120_000_000
    """What `work` counts: about five seconds."""
    is_inline: bool = False
    """Where the steps run out, another process takes over with more of them."""


LIMITS = Limits()
INLINE_LIMITS = Limits(text_bytes=INLINE_BYTES, steps=100_000, is_inline=True)
