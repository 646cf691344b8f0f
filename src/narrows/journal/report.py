"""What a verification found, in values and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class FaultKind(StrEnum):
    CHANGED = "changed"
    DROPPED = "dropped"
    SWAPPED = "swapped"
    DUPLICATED = "duplicated"
    TRUNCATED = "truncated"
    SEGMENT_MISSING = "segment missing"
    SEGMENT_MISPLACED = "segment misplaced"
    WRITER_MISSING = "writer missing"
    WRITER_UNREGISTERED = "writer unregistered"
    BAD_SIGNATURE = "bad signature"
    CHECKPOINT_MISSING = "checkpoint missing"
    DIFFERS = "differs from what was witnessed"
    HEAD_FORGED = "forged head"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first broken place of one chain."""

    kind: FaultKind
    message: str
    writer: str = ""
    segment: int = 0
    line: int = 0
    """From 1; 0 where the fault is not in a line."""
    offset: int = 0
    """Of the line's first byte in the segment."""
    seq: int = 0
    """The record that should stand there."""

    @property
    def place(self) -> str:
        """`control/000002.jsonl line 17 (byte 4711, record 1042)`."""
        if not self.writer:
            return "journal"
        if not self.segment:
            return self.writer
        place = f"{self.writer}/{self.segment:06d}.jsonl"
        return f"{place} line {self.line} (byte {self.offset}, record {self.seq})" if self.line else place

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.message}"


@dataclass(frozen=True, slots=True)
class WriterReport:
    """What holds for one chain, up to its fault if it has one."""

    writer: str
    segments: int
    records: int
    first_seq: int
    last_seq: int
    vouched_seq: int
    """The last signed line: nothing up to here was changed, dropped or added. 0 where nothing is signed."""
    vouched_at: float
    head_seq: int
    """How far an exported head vouches that nothing is missing; 0 without one."""
    is_closed: bool
    kinds: Mapping[str, int]

    @property
    def unvouched(self) -> int:
        """Lines after the last signature: chained, but whoever can write the file could have made them."""
        return self.last_seq - max(self.vouched_seq, self.head_seq)


@dataclass(frozen=True, slots=True)
class Report:
    faults: tuple[Fault, ...]
    """At most one per writer, the control chain's first."""
    writers: tuple[WriterReport, ...]
    notes: tuple[str, ...]
    has_head: bool

    @property
    def is_intact(self) -> bool:
        return not self.faults

    @property
    def first(self) -> Fault | None:
        """The first broken place."""
        return self.faults[0] if self.faults else None

    @property
    def records(self) -> int:
        return sum(writer.records for writer in self.writers)

    @property
    def segments(self) -> int:
        return sum(writer.segments for writer in self.writers)

    def count(self, kind: str) -> int:
        return sum(writer.kinds.get(kind, 0) for writer in self.writers)

    def describe(self) -> list[str]:
        """Lines for a person."""
        state = "is intact" if self.is_intact else "is BROKEN"
        lines = [
            f"The journal {state}: {_counted(self.records, 'record')} in {_counted(self.segments, 'segment')}."
        ]
        lines += [f"  {fault}" for fault in self.faults]
        lines += [f"  {_vouch(writer)}" for writer in self.writers]
        if not self.has_head:
            lines.append(
                "  No head was given: a tail cut at or after a checkpoint cannot be told from an earlier end."
            )
        return lines + [f"  note: {note}" for note in self.notes]


def _vouch(writer: WriterReport) -> str:
    if not writer.vouched_seq:
        words = f"{writer.writer}: no checkpoint yet, nothing is vouched for"
    else:
        at = datetime.fromtimestamp(writer.vouched_at, UTC).isoformat(timespec="seconds")
        words = f"{writer.writer}: vouched for up to the signature at record {writer.vouched_seq} ({at})"
    if writer.head_seq:
        words += f", and complete up to record {writer.head_seq} by the head"
    if writer.unvouched > 0:
        words += f"; {writer.unvouched} later lines are chained but not signed yet"
    return words + "."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
