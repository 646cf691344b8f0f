"""One writer's chain, read from its beginning to the first broken place; memory is bounded by one line.

Laws: every byte of every segment is either covered by a hash that is checked or is a newline whose place is
checked; a fault is named by what happened to the lines, as far as the lines around it tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from narrows.journal import files, line, records, registry
from narrows.journal.keys import key_id
from narrows.journal.records import Base
from narrows.journal.report import Fault, FaultKind, WriterReport

_LOOK_AHEAD = 64
_PATIENCE = 10
_KINDS = 64


class Broken(Exception):
    """The walk met a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody else's signed word that a chain had this hash at this record."""

    hash: str
    source: str


@dataclass
class Walk:
    """The state of reading one chain."""

    directory: Path
    writer: str
    public: Ed25519PublicKey
    witnesses: Mapping[int, Witness]
    base: Base | None
    """Where the chain begins; None for the control chain, which says so itself."""
    wait: Callable[[], None]
    """A pause before a growing file is looked at again."""
    bases: dict[str, Base] = field(default_factory=dict)
    """In the control chain: what it says of all writers."""
    witnessed: dict[str, dict[int, Witness]] = field(default_factory=dict)
    """In the control chain: what it says of other chains."""
    started_at: Base | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    seq: int = 0
    previous: bytes = b""
    unsigned: int = 0
    limit: int = 0
    vouched_seq: int = 0
    vouched_at: float = 0.0
    ending: str = ""
    _segment: int = 0
    _line: int = 0
    _offset: int = 0

    def run(self) -> None:
        """Read it all; raises Broken at the first fault."""
        numbers = self._numbers()
        for number in numbers:
            if number != self._segment + 1 and self._segment:
                self._fail(
                    FaultKind.SEGMENT_MISSING,
                    f"segment {self._segment + 1:06d} is missing",
                    segment=self._segment + 1,
                )
            self._read_segment(number, is_last=number == numbers[-1])
        self._check_reached()

    def report(self, head_seq: int) -> WriterReport:
        start = self.started_at.seq if self.started_at else 0
        return WriterReport(
            writer=self.writer,
            segments=self.segments,
            records=self.kinds.total(),
            first_seq=start + 1,
            last_seq=self.seq,
            vouched_seq=self.vouched_seq,
            vouched_at=self.vouched_at,
            head_seq=min(head_seq, self.seq),
            is_closed=self.ending == "close",
            kinds=dict(self.kinds),
        )

    # segments

    def _numbers(self) -> list[int]:
        numbers = files.list_segments(self.directory, self.writer)
        if self.base is not None:
            numbers = [number for number in numbers if number >= self.base.segment]
            first = self.base.segment
        else:
            first = numbers[0] if numbers else 1
        if not numbers or numbers[0] != first:
            self._fail(FaultKind.SEGMENT_MISSING, f"segment {first:06d} is missing", segment=first)
        return numbers

    def _read_segment(self, number: int, *, is_last: bool) -> None:
        self._segment, self._line, self._offset = number, 0, 0
        self.segments += 1
        try:
            with files.segment_path(self.directory, self.writer, number).open("rb") as file:
                while raw := file.readline(line.LINE_BYTES + 1):
                    whole = raw if raw.endswith(b"\n") else self._await_rest(file, raw, is_last=is_last)
                    if not whole:
                        break
                    self._line += 1
                    self._take(whole[:-1], file)
                    self._offset += len(whole)
        except OSError as fault:
            self._fail(FaultKind.UNREADABLE, f"it cannot be read: {fault.strerror}")
        if not self._line:
            self._fail(FaultKind.TRUNCATED, "the segment is empty", line_=1)
        if not is_last and self.ending != "seal":
            self._line += 1
            self._fail(FaultKind.TRUNCATED, "the segment ends before its seal: its last lines are missing")

    def _await_rest(self, file: BinaryIO, raw: bytes, *, is_last: bool) -> bytes:
        """The end of a file that may be in the middle of being written: look again before calling it cut."""
        attempts = _PATIENCE if is_last else 0
        while raw and not raw.endswith(b"\n"):
            if not attempts:
                self._line += 1
                self._fail(
                    FaultKind.TRUNCATED,
                    f"the segment ends in the middle of a line, after {len(raw)} bytes of it: a crash that was not "
                    "yet recovered from, or a cut",
                )
            attempts -= 1
            self.wait()
            file.seek(self._offset)
            raw = file.readline(line.LINE_BYTES + 1)
        return raw

    # lines

    def _take(self, raw: bytes, file: BinaryIO) -> None:
        parsed = line.parse(raw)
        if parsed is None:
            self._fail(FaultKind.CHANGED, "this is no journal line: its form was changed")
        if self._line == 1:
            self._open_segment(parsed, raw)
        if parsed.seq != self.seq + 1 or line.digest(self.previous, parsed.body) != parsed.hash:
            self._diagnose(parsed, file)
        self._check_content(parsed, raw)
        self.previous, self.seq = parsed.hash, parsed.seq
        is_counted = parsed.kind in self.kinds or len(self.kinds) < _KINDS
        self.kinds[parsed.kind if is_counted else "other"] += 1
        witness = self.witnesses.get(self.seq)
        if witness is not None and witness.hash.encode() != self.previous:
            self._fail(
                FaultKind.DIFFERS, f"the record is not the one that {witness.source} names", seq=self.seq
            )

    def _open_segment(self, parsed: line.Parsed, raw: bytes) -> None:
        opened = records.decode(parsed.kind, raw)
        if not isinstance(opened, records.SegmentOpened):
            if parsed.kind == "segment":
                self._fail(FaultKind.CHANGED, "the header of the segment cannot be read: it was changed")
            if self.started_at is None:
                self._fail(FaultKind.DROPPED, "the segment does not begin with its header")
            return
        is_whole = line.digest(opened.previous.encode(), parsed.body) == parsed.hash
        if is_whole and (opened.writer != self.writer or opened.segment != self._segment):
            self._fail(
                FaultKind.SEGMENT_MISPLACED,
                f"this file holds segment {opened.segment:06d} of {opened.writer}",
            )
        if self.started_at is None:
            self._start(parsed, opened)
        elif self.writer == registry.CONTROL and is_whole and dict(opened.writers) != self.bases:
            self._fail(FaultKind.CHANGED, "the segment's list of writers is not what the chain says")
        self.limit = opened.checkpoint_records

    def _start(self, parsed: line.Parsed, opened: records.SegmentOpened) -> None:
        first = registry.first_base(self.writer)
        start = self.base or (
            first if self._segment == 1 else Base(self._segment, parsed.seq - 1, opened.previous)
        )
        self.started_at = start
        self.seq, self.previous = start.seq, start.hash.encode()
        if self.writer == registry.CONTROL:
            self.bases = dict(opened.writers)

    def _check_content(self, parsed: line.Parsed, raw: bytes) -> None:
        self.unsigned += 1
        self.ending = ""
        if parsed.kind in records.SIGNED:
            self._check_signed(parsed, raw)
        elif parsed.kind == "facts":
            self._check_facts(parsed)
        if self.limit and self.unsigned > self.limit:
            self._fail(
                FaultKind.CHECKPOINT_MISSING,
                f"{self.unsigned} lines follow one another without a signature; at most {self.limit} may",
            )

    def _check_signed(self, parsed: line.Parsed, raw: bytes) -> None:
        if not line.is_signed(parsed.body, self.previous, self.public):
            self._fail(FaultKind.BAD_SIGNATURE, _signature_fault(parsed.body, self.public))
        record = records.decode(parsed.kind, raw)
        self.vouched_seq, self.vouched_at, self.unsigned = parsed.seq, parsed.at, 0
        self.ending = record.reason if isinstance(record, records.Checkpoint) else ""
        if self.writer == registry.CONTROL:
            self.bases = registry.follow(self.bases, record)
            if isinstance(record, records.WriterRegistered):
                witness = Witness(record.hash, f"the control chain (record {parsed.seq})")
                self.witnessed.setdefault(record.writer, {})[record.seq] = witness

    def _check_facts(self, parsed: line.Parsed) -> None:
        prefix = len(b',"of":"') + parsed.content_at
        name, request = (
            parsed.body[prefix : prefix + 64],
            parsed.body[prefix + 64 + len(b'","request":') : -1],
        )
        if sha256(request).hexdigest().encode() != name:
            self._fail(FaultKind.CHANGED, "these facts are not the ones that their name stands for")

    # faults

    def _diagnose(self, parsed: line.Parsed, file: BinaryIO) -> NoReturn:
        """What happened, told by the lines that follow."""
        expected = self.seq + 1
        following = [line.parse(raw.rstrip(b"\n")) for raw in islice(_lines(file), _LOOK_AHEAD)]
        after = following[0] if following else None
        computed = line.digest(self.previous, parsed.body)
        if after is not None and after.seq == expected + 1:
            if line.digest(parsed.hash, after.body) == after.hash:
                self._fail(FaultKind.CHANGED, f"the content of record {expected} was changed")
            if parsed.seq == expected and line.digest(computed, after.body) == after.hash:
                self._fail(FaultKind.CHANGED, f"the hash of record {expected} was changed")
        if parsed.seq == expected:
            self._fail(
                FaultKind.CHANGED,
                f"record {expected} does not follow from the lines before it: it was changed",
            )
        if parsed.seq < expected:
            self._fail(FaultKind.DUPLICATED, f"record {parsed.seq} stands here a second time")
        if any(found is not None and found.seq == expected for found in following):
            self._fail(
                FaultKind.SWAPPED,
                f"record {parsed.seq} stands where record {expected} belongs, which comes later",
            )
        missing = (
            f"record {expected} is"
            if parsed.seq == expected + 1
            else f"records {expected} to {parsed.seq - 1} are"
        )
        self._fail(FaultKind.DROPPED, f"{missing} missing")

    def _check_reached(self) -> None:
        """The chain came as far as others say that it had."""
        start = self.started_at.seq if self.started_at else 0
        for seq, witness in sorted(self.witnesses.items()):
            if seq > self.seq:
                self._line = 0
                self._fail(
                    FaultKind.TRUNCATED,
                    f"the chain ends at record {self.seq}, but {witness.source} names record {seq}: the tail was cut",
                )
            if seq == start and self.started_at and self.started_at.hash != witness.hash:
                self._fail(FaultKind.DIFFERS, f"record {seq} is not the one that {witness.source} names")

    def _fail(
        self,
        kind: FaultKind,
        message: str,
        *,
        segment: int | None = None,
        line_: int | None = None,
        seq: int | None = None,
    ) -> NoReturn:
        number = self._line if line_ is None else line_
        raise Broken(
            Fault(
                kind,
                message,
                self.writer,
                self._segment if segment is None else segment,
                0 if segment is not None else number,
                self._offset,
                self.seq + 1 if seq is None else seq,
            )
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while raw := file.readline(line.LINE_BYTES + 1):
        yield raw


def _signature_fault(body: bytes, public: Ed25519PublicKey) -> str:
    signer = line.signing_key_id(body)
    if signer is None:
        return "a line that must be signed is not"
    if signer != key_id(public):
        return f"it is signed with key {signer}, not with {key_id(public)}"
    return "the signature is false: the line was forged"
