"""Feeds the search index from the journal's files, in a thread of its own.

Laws: it only reads the journal, so that nothing that happens here can slow or fail an append; it resumes
where the index says that it stopped; memory is bounded by one batch; what it lags is a number. When the
journal is not the one that was indexed (a restored backup, a tail lost with the machine's power) the
index is emptied and filled again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from narrows.journal import files, line, read, records
from narrows.journal.records import OutcomeRecord
from narrows.store import Store, journal_index
from narrows.store.journal_index import TEXT_BYTES, IndexedOutcome, Position

BATCH_RECORDS = 500
BATCH_BYTES = 1 << 20
INTERVAL_S = 0.25
BACKOFF_S = 30.0

INDEXED = frozenset(
    {
        "statement",
        "own",
        "sign_in",
        "refused",
        "session_opened",
        "session_closed",
        "operated",
        "config_loaded",
        "alert",
    }
)


class Sink(Protocol):
    """Where the index is kept; each call is one transaction."""

    def position(self, writer: str) -> Position | None: ...

    def write(
        self,
        writer: str,
        entries: Sequence[journal_index.Entry],
        outcomes: Sequence[IndexedOutcome],
        reached: Position,
    ) -> None: ...

    def clear(self) -> None: ...


class StoreSink:
    """The index in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def position(self, writer: str) -> Position | None:
        with self._store.read() as connection:
            return journal_index.position(connection, writer)

    def write(
        self,
        writer: str,
        entries: Sequence[journal_index.Entry],
        outcomes: Sequence[IndexedOutcome],
        reached: Position,
    ) -> None:
        with self._store.write() as connection:
            journal_index.insert_many(connection, entries)
            journal_index.set_outcome_many(connection, outcomes)
            journal_index.set_position(connection, writer, reached)

    def clear(self) -> None:
        with self._store.write() as connection:
            journal_index.clear(connection)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far search is behind the journal."""

    bytes: int
    seconds: float
    """Age of the newest indexed record while there is something newer; 0 when there is not."""
    fault: str
    """Why indexing stands still; '' while it goes on."""


@dataclass(slots=True)
class _Reached:
    """Where one writer's indexing is."""

    position: Position
    """After the last record that ends a write: what comes behind it can still be cut back with its write."""
    seen: tuple[int, int]
    """(segment, offset) up to which lines were looked at."""
    at: float = 0.0


def _at(position: Position, at: float) -> _Reached:
    return _Reached(position, (position.segment, position.offset), at)


@dataclass(frozen=True, slots=True)
class _Batch:
    entries: list[journal_index.Entry]
    outcomes: list[IndexedOutcome]
    reached: _Reached


class Indexer:
    """Start it with the gateway, stop it before the store is closed."""

    def __init__(
        self,
        directory: Path,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.time,
        interval_s: float = INTERVAL_S,
        batch_records: int = BATCH_RECORDS,
    ) -> None:
        self._directory = directory
        self._sink = sink
        self._clock = clock
        self._interval_s = interval_s
        self._batch_records = batch_records
        self._reached: dict[str, _Reached] = {}
        self._has_refilled = False
        self._fault = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        assert self._thread is None, "an indexer starts once"
        self._thread = threading.Thread(target=self._run, name="narrows-journal-index", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand; what is left is indexed after the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self) -> int:
        """One batch of every writer; returns how many records were read. Raises what the sink raises."""
        total = 0
        for writer in files.list_writers(self._directory):
            batch = self._read_batch(writer, self._resume(writer))
            if batch.reached.position != self._reached[writer].position:
                self._sink.write(writer, batch.entries, batch.outcomes, batch.reached.position)
                total += len(batch.entries) + len(batch.outcomes) + 1
            self._reached[writer] = batch.reached
        self._fault = ""
        return total

    def lag(self) -> Lag:
        behind, oldest = 0, None
        for writer in files.list_writers(self._directory):
            reached = self._reached.get(writer)
            missing = self._bytes_behind(writer, reached)
            if missing and reached is not None:
                oldest = min(reached.at, oldest or reached.at)
            behind += missing
        seconds = max(0.0, self._clock() - oldest) if oldest else 0.0
        return Lag(behind, seconds, self._fault)

    def _run(self) -> None:
        pause = self._interval_s
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                has_more = self.run_once() >= self._batch_records
            except Exception as fault:  # the index may fail in any way; the journal goes on, the lag shows it
                self._fault = str(fault)
                pause = min(BACKOFF_S, max(pause, self._interval_s) * 2)
            else:
                # As long as it worked it rests: this thread and the event loop share one interpreter.
                pause = time.monotonic() - began if has_more else self._interval_s

    def _resume(self, writer: str) -> _Reached:
        if writer not in self._reached:
            position = self._sink.position(writer)
            if position is not None and not self._fits(writer, position):
                self._refill()
                position = None
            position = position or Position(1, 0, 0)
            self._reached[writer] = _at(position, self._clock())
        reached = self._reached[writer]
        segments = files.list_segments(self._directory, writer)
        if segments and reached.position.segment < segments[0]:
            reached = _at(Position(segments[0], 0, reached.position.seq), reached.at)
            self._reached[writer] = reached
        return reached

    def _fits(self, writer: str, position: Position) -> bool:
        """What stands at the position is what follows the record that was indexed last."""
        path = files.segment_path(self._directory, writer, position.segment)
        segments = files.list_segments(self._directory, writer)
        if not segments or position.segment < segments[0]:
            return True  # retired meanwhile
        if position.segment not in segments or path.stat().st_size < position.offset:
            return False
        with path.open("rb") as file:
            file.seek(max(0, position.offset - 1))
            before = file.read(1) if position.offset else b"\n"
            following = file.readline(line.LINE_BYTES)
        parsed = line.parse(following[:-1]) if following.endswith(b"\n") else None
        return before == b"\n" and (parsed is None or position.seq == 0 or parsed.seq == position.seq + 1)

    def _refill(self) -> None:
        if not self._has_refilled:
            self._has_refilled = True
            self._reached.clear()
            self._sink.clear()

    def _read_batch(self, writer: str, start: _Reached) -> _Batch:
        batch = _Batch([], [], _at(start.position, start.at))
        segments = files.list_segments(self._directory, writer)
        for segment in segments:
            if segment >= start.position.segment and not self._read_from(writer, segment, batch):
                break
        return batch

    def _read_from(self, writer: str, segment: int, batch: _Batch) -> bool:
        """Read a segment from where the batch stands; False when the batch is full."""
        reached = batch.reached
        begin = reached.position.offset if segment == reached.position.segment else 0
        end = begin

        def meter(size: int) -> None:
            nonlocal end
            end += size

        for entry in read.read_segment(self._directory, writer, segment, offset=begin, meter=meter):
            reached.seen = (segment, end)
            if entry.kind in records.INNER:
                continue
            _add(batch, entry)
            reached.position = Position(segment, end, entry.seq)
            reached.at = entry.at
            size = len(batch.entries) + len(batch.outcomes)
            if size >= self._batch_records or end - begin >= BATCH_BYTES:
                return False
        return True

    def _bytes_behind(self, writer: str, reached: _Reached | None) -> int:
        missing = 0
        for segment in files.list_segments(self._directory, writer):
            size = files.segment_path(self._directory, writer, segment).stat().st_size
            seen_segment, seen = reached.seen if reached is not None else (0, 0)
            if segment >= seen_segment:
                missing += max(0, size - seen if segment == seen_segment else size)
        return missing


def _add(batch: _Batch, entry: records.Entry) -> None:
    record = entry.record
    if isinstance(record, OutcomeRecord):
        error = record.sqlstate
        batch.outcomes.append(IndexedOutcome(record.record, record.status, record.rows, record.masked, error))
    elif entry.kind in INDEXED:
        batch.entries.append(index_entry(entry))


def index_entry(entry: records.Entry) -> journal_index.Entry:
    """What search knows of an entry."""

    def text_of(*names: str) -> str:
        return next((str(found) for name in names if (found := getattr(entry.record, name, ""))), "")

    return journal_index.Entry(
        id=entry.id,
        at=entry.at,
        seq=entry.seq,
        kind="control" if text_of("protocol") == "control" else entry.kind,
        session=text_of("session"),
        principal=text_of("principal"),
        groups=tuple(getattr(entry.record, "groups", ())),
        connection=text_of("connection"),
        database=text_of("database"),
        verdict=read.verdict_of(entry),
        reason=text_of("reason"),
        policies=tuple(getattr(entry.record, "policies", ())),
        tables=read.tables_of(entry),
        text=text_of("text", "message", "action")[:TEXT_BYTES],
    )
