"""Taking over a chain: lock it, look at what the last run left, cut what a crash tore.

Raises OSError and JournalUnavailable; either way nothing stays locked or open.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from narrows.journal import files, records, registry, tail
from narrows.journal.draft import Chain
from narrows.journal.errors import JournalLocked, JournalUnavailable
from narrows.journal.keys import Keys
from narrows.journal.records import Base
from narrows.journal.registry import CONTROL
from narrows.journal.segment import Segment


@dataclass(frozen=True, slots=True)
class Taken:
    """A chain that is ours to continue."""

    lock: files.Lock
    chain: Chain
    bases: dict[str, Base]
    segment: Segment | None
    """None where the chain has no segment yet."""
    last_at: float = 0.0
    is_sealed: bool = False
    """The last run ended between sealing its segment and beginning the next."""
    recovery: records.Recovery | None = None
    """What is to be said about the last run, if it did not close."""


def take(directory: Path, writer: str, keys: Keys, *, repair: bool) -> Taken:
    """Lock a writer's chain and make its end whole."""
    lock = _lock(directory, writer)
    try:
        return _look(lock, directory, writer, keys, repair=repair)
    except BaseException:
        lock.release()
        raise


def _lock(directory: Path, writer: str) -> files.Lock:
    files.make_directory(directory)
    home = directory / writer
    if writer == CONTROL:
        files.make_directory(home)
    elif not home.is_dir():
        raise JournalUnavailable(
            f"The writer {writer} is not enrolled in the journal at {directory}: "
            "the control process enrols a writer before it starts one."
        )
    held = files.lock(home)
    if isinstance(held, files.Lock):
        return held
    raise JournalLocked(
        f"The journal at {home} is being written by process {held or '(unknown)'}: stop that gateway first, "
        "or give this one another state directory."
    )


def _look(lock: files.Lock, directory: Path, writer: str, keys: Keys, *, repair: bool) -> Taken:
    end = tail.read_tail(directory, writer, keys.public)
    if end is None:
        base = registry.first_base(writer)
        return Taken(lock, Chain(base.seq, base.hash.encode(), 0), {writer: base}, None)
    if end.cut is not None and end.cut.lines and not repair:
        raise tail.damaged(directory, writer, end)
    kept = tail.cut_off(directory, writer, end)
    path = files.segment_path(directory, writer, end.segment)
    return Taken(
        lock=lock,
        chain=Chain(end.seq, end.hash, end.unsigned),
        bases=end.bases,
        segment=Segment.reopen(path, end.segment, end.size),
        last_at=end.at,
        is_sealed=end.ending == "seal",
        recovery=None if end.is_clean else tail.recovery(end, kept),
    )


def delete_retired(directory: Path, bases: registry.Bases) -> None:
    """What a crash kept from being deleted after the record that says so."""
    for writer, base in bases.items():
        for number in files.list_segments(directory, writer):
            if number < base.segment:
                files.segment_path(directory, writer, number).unlink(missing_ok=True)
