"""The journal as a process holds it: one chain, open for appending.

Laws: `append` returns only when the record stands in the file (and, with durability `fsync`,
`append_durable` only when it is on the disk); what could not be written is refused, counted, and the
count is journalled when writing works again; a chain has one writer at a time; nothing here needs a
thread of its own: the owner calls `tick` about once a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from narrows.journal import errors, files, head, opening, records, registry
from narrows.journal.commit import UNSYNCED_BYTES, GroupCommit, running_loop
from narrows.journal.draft import Chain, Draft
from narrows.journal.errors import JournalDamaged, JournalLocked, JournalUnavailable, RecordTooLarge
from narrows.journal.facts import FactsBook, build_facts
from narrows.journal.keys import Keys
from narrows.journal.outage import Outages
from narrows.journal.records import Record, StatementRecord
from narrows.journal.registry import CONTROL
from narrows.journal.segment import Segment
from narrows.journal.settings import DEFAULT_LIMITS, Durability, Limits, Status
from narrows.journal.values import Sealer
from narrows.model.statement import Parameter

CLOCK_SLACK_S = 1.0
"""A clock that steps back by more is journalled."""
_PRELUDE_LINES = 6
"""Most lines of one write: those before a record, and the record."""


class Journal:
    """One writer's chain. Appending is safe from any thread; `append_durable` belongs to the event loop."""

    def __init__(
        self,
        directory: Path,
        keys: Keys,
        writer: str,
        durability: Durability,
        clock: Callable[[], float],
        limits: Limits,
        program: str,
        sync: Callable[[int], None],
    ) -> None:
        if not files.WRITER.match(writer):
            raise ValueError(f"a writer's name is lower-case letters, digits and hyphens, not {writer!r}")
        self.directory = directory
        self.keys = keys
        self.writer = writer
        self.bases: dict[str, records.Base] = {}
        """In the control writer: every registered writer, and where its chain begins."""
        self._durability = durability
        self._clock = clock
        self._limits = limits
        self._program = program
        self._lock = threading.RLock()
        self._commits = (
            GroupCommit(self._lock, self._current_fd, sync, self._on_sync_failed)
            if durability is Durability.FSYNC
            else None
        )
        self._facts = FactsBook()
        self._sealer = Sealer(keys.values)
        self._chain = Chain(0, b"", 0)
        self._segment: Segment | None = None
        self._file_lock: files.Lock | None = None
        self._outages = Outages(clock)
        self._is_sealed = False
        self._is_closed = False
        self._last_at = 0.0
        self._signed_at = 0.0

    @classmethod
    def open(
        cls,
        directory: Path,
        keys: Keys,
        *,
        writer: str = CONTROL,
        durability: Durability = Durability.WRITE,
        clock: Callable[[], float] = time.time,
        limits: Limits = DEFAULT_LIMITS,
        must_open: bool = True,
        repair: bool = False,
        program: str = "",
        sync: Callable[[int], None] = os.fsync,
    ) -> Journal:
        """Continue a chain, or begin the control chain in an empty directory.

        Raises JournalUnavailable (JournalLocked, JournalDamaged); with `must_open=False` only for another
        writer or damage, and appends are refused until the directory can be written. `repair` cuts what
        follows a broken place, keeps a copy and says so in a signed record.
        """
        journal = cls(directory, keys, writer, durability, clock, limits, program, sync)
        try:
            journal._open_now(repair)
        except (JournalLocked, JournalDamaged):
            journal._give_up()
            raise
        except OSError as fault:
            journal._outages.begin(errors.unavailable(fault, directory))
        except JournalUnavailable as fault:
            journal._outages.begin(fault)
        if journal._outages.fault is not None and must_open:
            journal._give_up()
            raise journal._outages.fault
        return journal

    def append(
        self,
        record: Record,
        *,
        facts: Mapping[str, object] | None = None,
        parameters: Sequence[Parameter] = (),
    ) -> str:
        """Write a record and return its id; raises JournalUnavailable, and then the chain is as before.

        `facts` (the request that policy saw) and `parameters` (sealed here) belong to a StatementRecord.
        """
        with self._lock:
            try:
                return self._append(record, facts, parameters)
            except RecordTooLarge:
                raise
            except OSError as fault:
                raise self._refuse(errors.unavailable(fault, self.directory)) from fault
            except JournalUnavailable as fault:
                raise self._refuse(fault) from fault.__cause__

    async def append_durable(
        self,
        record: Record,
        *,
        facts: Mapping[str, object] | None = None,
        parameters: Sequence[Parameter] = (),
    ) -> str:
        """Like `append`, and return once the record survives what the durability promises."""
        id_ = self.append(record, facts=facts, parameters=parameters)
        if self._commits is not None:
            await self._commits.confirmed(id_)
        return id_

    def append_signed(self, record: Record) -> str:
        """Write a record of a kind that bears a signature: it vouches for all before it."""
        with self._lock:
            try:
                now = self._clock()
                segment = self._ready(now)
                draft = self._draft(now)
                draft.add_signed(now, records.encode(record), self.keys)
                self._write(segment, draft, now)
            except OSError as fault:
                raise self._refuse(errors.unavailable(fault, self.directory)) from fault
            except JournalUnavailable as fault:
                raise self._refuse(fault) from fault.__cause__
            self.bases = registry.follow(self.bases, record)
            return records.record_id(self.writer, self._chain.seq)

    def tick(self, now: float | None = None) -> Status:
        """To be called about once a second: checkpoints, notices a lost file, resumes after an outage."""
        with self._lock:
            now = self._clock() if now is None else now
            try:
                self._keep(now)
            except OSError as fault:
                self._outages.begin(errors.unavailable(fault, self.directory))
            except JournalUnavailable as fault:
                self._outages.begin(fault)
            return self.status()

    def checkpoint(self) -> str:
        """Sign what stands here."""
        return self.append_signed(records.Checkpoint(reason="request"))

    def export_head(self) -> bytes:
        """How far every writer has come, as signed JSON to be kept where this machine cannot reach it."""
        with self._lock:
            segment = self._segment.number if self._segment else 0
            own = {self.writer: records.Base(segment, self._chain.seq, self._chain.hash.decode())}
            return head.export(self.directory, self.keys, self._clock(), own if segment else {})

    def status(self) -> Status:
        with self._lock:
            fault = self._outages.fault
            message = fault.message if fault else ""
            return Status(
                is_available=not message and not self._is_closed,
                message=message or ("The journal is closed." if self._is_closed else ""),
                refused=self._outages.refused,
                writer=self.writer,
                segment=self._segment.number if self._segment else 0,
                seq=self._chain.seq,
                hash=self._chain.hash.decode(),
                unsigned=self._chain.unsigned,
                unsynced_bytes=self._commits.unsynced if self._commits else 0,
            )

    def close(self) -> None:
        """Sign the end, sync, and let go; a journal that cannot be written is closed as it stands."""
        with self._lock:
            if self._is_closed:
                return
            try:
                self._close_chain()
            except (OSError, JournalUnavailable):
                pass  # the next run finds no closing checkpoint and writes a recovery record
            finally:
                self._is_closed = True
                self._give_up()

    def header(self, writer: str, number: int, previous: str) -> records.SegmentOpened:
        """The first record of a segment, of this writer or of one that is being enrolled."""
        return records.SegmentOpened(
            writer=writer,
            segment=number,
            previous=previous,
            checkpoint_records=self._limits.checkpoint_records,
            writers=self.bases if writer == CONTROL else {},
        )

    # appending

    def _append(
        self, record: Record, facts: Mapping[str, object] | None, parameters: Sequence[Parameter]
    ) -> str:
        now = self._clock()
        segment = self._ready(now)
        draft = self._draft(now)
        hash_ = b""
        if facts:
            hash_, canonical = self._facts.refer(facts)
            if canonical:
                draft.add(now, build_facts(hash_, canonical))
        id_ = f"{self.writer}.{draft.chain.seq + 1}"
        encoded = records.encode(record)
        if hash_ or parameters:
            assert isinstance(record, StatementRecord)
            values = self._sealer.seal(parameters, id_) if parameters else b""
            encoded = records.complete(encoded, hash_, values)
        draft.add(now, encoded)
        self._write(segment, draft, now)
        if hash_:
            self._facts.written(hash_)
        return id_

    def _ready(self, now: float) -> Segment:
        """The segment that takes the next line; raises where there is none."""
        if self._is_closed:
            raise JournalUnavailable("The journal is closed: the gateway is shutting down.")
        if self._segment is None:
            self._open_now()
        if self._outages.fault is not None:
            self._recheck(now)
        if self._commits is not None and self._commits.unsynced > UNSYNCED_BYTES:
            raise JournalUnavailable(
                "The journal's disk does not keep up with syncing; nothing runs until it does."
            )
        if self._segment is None or self._segment.size >= self._limits.segment_bytes:
            self._roll(now)
        assert self._segment is not None
        return self._segment

    def _draft(self, now: float) -> Draft:
        """A draft that begins with what the journal has to say about itself."""
        draft = Draft(self._chain)
        self._note_clock(draft, now)
        if self._outages.fault is not None:
            draft.add(now, records.encode(self._outages.record()))
            draft.ends_outage = True
        if self._chain.unsigned > self._limits.checkpoint_records - _PRELUDE_LINES:
            self._sign(draft, now, "interval")
        return draft

    def _note_clock(self, draft: Draft, now: float) -> None:
        if now < self._last_at - CLOCK_SLACK_S:
            draft.add(now, records.encode(records.ClockStepped(back_s=round(self._last_at - now, 6))))

    def _sign(self, draft: Draft, now: float, reason: str) -> None:
        draft.add_signed(now, records.encode(records.Checkpoint(reason=reason)), self.keys)

    def _write(self, segment: Segment, draft: Draft, now: float) -> None:
        content = draft.content()
        segment.append(content)
        if self._commits is not None:
            self._commits.wrote(content)
        if draft.is_signed or not self._chain.unsigned:
            self._signed_at = now
        self._chain = draft.chain
        self._last_at = now
        self._is_sealed = False
        if draft.ends_outage:
            self._outages.end()

    def _roll(self, now: float) -> None:
        """Seal this segment and begin the next; each half is done once, whatever fails between them."""
        old = self._segment
        assert old is not None
        if not self._is_sealed:
            draft = Draft(self._chain)
            self._sign(draft, now, "seal")
            self._write(old, draft, now)
            self._is_sealed = True
        if self._commits is not None:
            self._commits.sync_now()
        self._segment = self._begin(old.number + 1, now)
        self._is_sealed = False
        os.close(old.fd)

    def _begin(self, number: int, now: float) -> Segment:
        draft = Draft(self._chain)
        draft.add(now, records.encode(self.header(self.writer, number, self._chain.hash.decode())))
        path = files.segment_path(self.directory, self.writer, number)
        segment = Segment.create(path, number, draft.content())
        self._chain = draft.chain
        self._facts.clear()
        return segment

    # opening, keeping, closing

    def _open_now(self, repair: bool = False) -> None:
        taken = opening.take(self.directory, self.writer, self.keys, repair=repair)
        self._chain, self.bases = taken.chain, taken.bases
        self._segment, self._is_sealed, self._last_at = taken.segment, taken.is_sealed, taken.last_at
        try:
            self._write_opening(taken.recovery, self._clock())
        except BaseException:
            if self._segment is not None:
                self._segment.close()
                self._segment = None
            taken.lock.release()
            raise
        self._file_lock = taken.lock
        with suppress(OSError):  # what stays is deleted at the next start
            opening.delete_retired(self.directory, self.bases)

    def _write_opening(self, recovery: records.Recovery | None, now: float) -> None:
        if self._segment is None:
            self._segment = self._begin(1, now)
        elif self._is_sealed:
            self._roll(now)
        draft = Draft(self._chain)
        if recovery is not None:
            draft.add_signed(now, records.encode(recovery), self.keys)
        self._note_clock(draft, now)
        opened = records.Opened(
            writer=self.writer, durability=self._durability.value, program=self._program, pid=os.getpid()
        )
        draft.add(now, records.encode(opened))
        self._write(self._segment, draft, now)
        self._signed_at = now

    def _keep(self, now: float) -> None:
        if self._is_closed:
            return
        if self._segment is None:
            self._open_now()
        assert self._segment is not None
        self._segment.check_name()
        if self._outages.fault is not None:
            self._recheck(now)
        is_due = now - self._signed_at >= self._limits.checkpoint_s or now < self._signed_at - CLOCK_SLACK_S
        draft = self._draft(now)
        if draft.chain.unsigned and is_due and not draft.is_signed:
            self._sign(draft, now, "interval")
        if draft.chain.seq > self._chain.seq:
            self._write(self._segment, draft, now)
        if self._commits is not None:
            self._sync_rest(self._commits)

    def _sync_rest(self, commits: GroupCommit) -> None:
        """What nobody waited for gets to the disk too."""
        if running_loop() is not None:
            commits.start()
        elif commits.unsynced:
            commits.sync_now()

    def _recheck(self, now: float) -> None:
        """After a fault: the file is there and, where a sync had failed, written again; or raises."""
        assert self._segment is not None
        if self._commits is not None and self._commits.fault is not None:
            self._write_again(self._commits, self._segment, now)
        self._segment.check_name()

    def _write_again(self, commits: GroupCommit, segment: Segment, now: float) -> None:
        rewritten, cause = commits.unsynced, commits.fault
        fd = commits.rewrite(segment.path, segment.size)
        if fd is None:
            raise self._outages.fault or errors.unavailable(OSError(str(cause)), self.directory)
        segment.replace_fd(fd)
        recovery = records.Recovery(
            cause=f"fsync failed: {cause}", last_seq=self._chain.seq, rewritten_bytes=rewritten
        )
        draft = Draft(self._chain)
        draft.add_signed(now, records.encode(recovery), self.keys)
        self._write(segment, draft, now)

    def _close_chain(self) -> None:
        if self._segment is None:
            return
        if self._commits is not None and self._commits.fault is not None:
            raise self._commits.fault
        now = self._clock()
        draft = self._draft(now)
        self._sign(draft, now, "close")
        self._write(self._segment, draft, now)
        if self._commits is not None:
            self._commits.sync_now()
        else:
            os.fsync(self._segment.fd)

    def _give_up(self) -> None:
        if self._commits is not None:
            self._commits.close()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        if self._file_lock is not None:
            self._file_lock.release()
            self._file_lock = None

    # faults

    def _current_fd(self) -> int:
        assert self._segment is not None
        return self._segment.fd

    def _refuse(self, fault: JournalUnavailable) -> JournalUnavailable:
        return fault if self._is_closed else self._outages.refuse(fault)

    def _on_sync_failed(self, fault: OSError, waiting: list[str]) -> Exception:
        return self._outages.refuse(errors.unavailable(fault, self.directory), len(waiting), waiting)
