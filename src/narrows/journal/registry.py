"""Which writers belong to the journal and where their chains begin, as the control chain says.

Laws: only the control writer's chain speaks of this; every segment of it begins with the whole list, so
that older ones can be retired; a writer, once registered, never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.journal import line
from narrows.journal.records import Base, Record, SegmentsRetired, Unknown, WriterRegistered

CONTROL = "control"

Bases = Mapping[str, Base]


def first_base(writer: str) -> Base:
    """Where a chain of which nothing was retired begins."""
    return Base(1, 0, line.genesis(writer).decode())


def follow(bases: Bases, record: Record | Unknown) -> dict[str, Base]:
    """The list after a record of the control chain."""
    if isinstance(record, WriterRegistered):
        return {record.writer: first_base(record.writer), **bases}
    if isinstance(record, SegmentsRetired):
        return {**bases, **record.writers}
    return dict(bases)
