"""What the control writer does for the whole journal: enrols writers, witnesses them, retires old segments.

Laws: a writer's directory exists before the record that registers it, so that from then on a missing
directory is a deleted one; a segment is deleted only after the signed record that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from narrows.journal import errors, files, head, line, records, registry
from narrows.journal.draft import Chain, Draft
from narrows.journal.errors import JournalDamaged, JournalUnavailable
from narrows.journal.records import Base
from narrows.journal.writer import Journal


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment that will not change any more; fit to be copied away, and then retired."""

    writer: str
    segment: int
    path: Path
    bytes: int
    first_seq: int
    last_seq: int
    first_at: float
    last_at: float


class NotRetirable(Exception):
    """Only sealed segments of a registered writer can be retired; the message says what was asked."""


def enroll(control: Journal, writer: str, now: float) -> str:
    """Begin a writer's chain and register it; a process may then open it. Returns the record's id or ''."""
    if writer in control.bases:
        return ""
    if not files.WRITER.match(writer):
        raise ValueError(f"a writer's name is lower-case letters, digits and hyphens, not {writer!r}")
    try:
        _begin(control, writer, now)
    except OSError as fault:
        raise errors.unavailable(fault, control.directory) from fault
    return witness(control, writer)


def witness(control: Journal, writer: str) -> str:
    """Sign into the control chain how far another writer has come."""
    end = head.read_end(control.directory, writer)
    if end is None:
        raise JournalUnavailable(f"The writer {writer} has no journal under {control.directory}: restore it.")
    return control.append_signed(
        records.WriterRegistered(writer=writer, segment=end.segment, seq=end.seq, hash=end.hash)
    )


def sealed_segments(directory: Path) -> Iterator[SealedSegment]:
    """Every segment that has a successor, writer by writer, oldest first."""
    for writer in files.list_writers(directory):
        for segment in files.list_segments(directory, writer)[:-1]:
            yield _describe(directory, writer, segment)


def retire(control: Journal, writer: str, through: int, reason: str) -> str:
    """Delete a writer's segments up to and including `through`; returns the id of the record that says so."""
    base = control.bases.get(writer)
    existing = files.list_segments(control.directory, writer)
    if base is None or not existing or not base.segment <= through < existing[-1]:
        raise NotRetirable(
            f"Segment {through} of {writer} cannot be retired: kept are {_span(existing)}, and the last one is in use."
        )
    doomed = [number for number in existing if number <= through]
    last = _describe(control.directory, writer, through)
    new_base = _base_at(control.directory, writer, through + 1)
    if new_base.seq != last.last_seq:
        raise JournalDamaged(
            f"Segment {through} of {writer} does not end where the next begins: run `narrows journal verify`."
        )
    paths = [files.segment_path(control.directory, writer, number) for number in doomed]
    record = control.append_signed(
        records.SegmentsRetired(
            writer=writer,
            through=through,
            last_seq=new_base.seq,
            last_hash=new_base.hash,
            bytes=sum(path.stat().st_size for path in paths),
            reason=reason,
            writers={**control.bases, writer: new_base},
        )
    )
    with suppress(OSError):  # the next start deletes what is left
        for path in paths:
            path.unlink(missing_ok=True)
    return record


def _begin(control: Journal, writer: str, now: float) -> None:
    files.make_directory(control.directory / writer)
    if files.list_segments(control.directory, writer):
        return
    base = registry.first_base(writer)
    draft = Draft(Chain(0, base.hash.encode(), 0))
    draft.add(now, records.encode(control.header(writer, 1, base.hash)))
    files.write_new(files.segment_path(control.directory, writer, 1), draft.content())


def _describe(directory: Path, writer: str, segment: int) -> SealedSegment:
    path = files.segment_path(directory, writer, segment)
    first = line.parse(files.first_line(path, line.LINE_BYTES))
    lines = files.last_lines(path, line.LINE_BYTES)
    last = line.parse(lines[-1]) if lines else None
    if first is None or last is None:
        raise JournalDamaged(f"The journal segment {path} is damaged: run `narrows journal verify`.")
    return SealedSegment(writer, segment, path, path.stat().st_size, first.seq, last.seq, first.at, last.at)


def _base_at(directory: Path, writer: str, segment: int) -> Base:
    path = files.segment_path(directory, writer, segment)
    raw = files.first_line(path, line.LINE_BYTES)
    parsed = line.parse(raw)
    opened = records.decode(parsed.kind, raw) if parsed else None
    if parsed is None or not isinstance(opened, records.SegmentOpened):
        raise JournalDamaged(f"The journal segment {path} is damaged: run `narrows journal verify`.")
    return Base(segment, parsed.seq - 1, opened.previous)


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
