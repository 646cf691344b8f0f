"""What the last run left behind: the end of a chain, read and checked before anything is added to it.

Laws: a crash tears only the end, so a file whose end is no whole line is cut back to its last whole line;
where whole lines follow a broken place it was no crash, and nothing is written without being asked to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from narrows.journal import files, line, records, registry
from narrows.journal.errors import JournalDamaged
from narrows.journal.keys import key_id


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes behind the last whole line that chains."""

    bytes: int
    sha256: str
    lines: int
    """Whole lines of ours among them: not from a crash."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a chain ends."""

    segment: int
    size: int
    """Of the segment, up to and including the last whole line."""
    seq: int
    hash: bytes
    at: float
    kind: str
    ending: str
    """The reason of a checkpoint that ends the chain, or ''."""
    unsigned: int
    """Lines after the last signed one."""
    opened: records.SegmentOpened
    bases: dict[str, records.Base]
    """In the control chain: every registered writer, and where its chain begins."""
    cut: Cut | None

    @property
    def is_clean(self) -> bool:
        """The last run closed the chain, or there was none yet."""
        return self.cut is None and (self.ending == "close" or self.seq == 1)


class _Scan:
    """One pass over a segment, up to the first place that does not chain."""

    def __init__(self, path: Path, public: Ed25519PublicKey) -> None:
        self.path = path
        self.public = public
        self.opened: records.SegmentOpened | None = None
        self.last: line.Parsed | None = None
        self.bases: dict[str, records.Base] = {}
        self.size = 0
        self.unsigned = 0

    def run(self) -> None:
        with self.path.open("rb") as file:
            while (raw := file.readline(line.LINE_BYTES)).endswith(b"\n") and self._take(raw[:-1]):
                self.size += len(raw)

    def _take(self, raw: bytes) -> bool:
        parsed = line.parse(raw)
        if parsed is None:
            return False
        if self.last is None:
            return self._take_first(parsed, raw)
        if parsed.seq != self.last.seq + 1 or line.digest(self.last.hash, parsed.body) != parsed.hash:
            return False
        self._count(parsed, self.last.hash)
        if parsed.kind in ("writer", "retired"):
            self.bases = registry.follow(self.bases, records.decode(parsed.kind, raw))
        return True

    def _take_first(self, parsed: line.Parsed, raw: bytes) -> bool:
        opened = records.decode(parsed.kind, raw)
        if not isinstance(opened, records.SegmentOpened):
            return False
        if line.digest(opened.previous.encode(), parsed.body) != parsed.hash:
            return False
        self.opened = opened
        self.bases = dict(opened.writers)
        self._count(parsed, opened.previous.encode())
        return True

    def _count(self, parsed: line.Parsed, previous: bytes) -> None:
        self.unsigned += 1
        if parsed.kind in records.SIGNED:
            self._check_signature(parsed, previous)
            self.unsigned = 0
        self.last = parsed

    def _check_signature(self, parsed: line.Parsed, previous: bytes) -> None:
        if line.is_signed(parsed.body, previous, self.public):
            return
        signer = line.signing_key_id(parsed.body)
        ours = key_id(self.public)
        if signer != ours:
            why = f"it is signed with key {signer}, and this gateway's key is {ours}: restore that key"
        else:
            why = "a signature in it is false: keep the files as evidence and move them away"
        raise JournalDamaged(f"The journal segment {self.path} cannot be continued: {why}.")


def read_tail(directory: Path, writer: str, public: Ed25519PublicKey) -> Tail | None:
    """The end of a writer's chain; None where it has no segment. Raises OSError and JournalDamaged."""
    segments = files.list_segments(directory, writer)
    if not segments:
        return None
    path = files.segment_path(directory, writer, segments[-1])
    scan = _Scan(path, public)
    scan.run()
    if scan.opened is None or scan.last is None:
        raise JournalDamaged(
            f"The journal segment {path} does not begin as a segment does: it was damaged or made by another "
            "program. Keep it as evidence and move the journal's directory away."
        )
    if scan.opened.writer != writer or f"{scan.opened.segment:06d}.jsonl" != path.name:
        raise JournalDamaged(
            f"The journal segment {path} says that it is segment {scan.opened.segment} of "
            f"{scan.opened.writer}: put the files back where they belong."
        )
    return _tail(scan, scan.opened, scan.last)


def _tail(scan: _Scan, opened: records.SegmentOpened, last: line.Parsed) -> Tail:
    record = records.decode(last.kind, b'{"hash":"",%b' % last.body)
    return Tail(
        segment=opened.segment,
        size=scan.size,
        seq=last.seq,
        hash=last.hash,
        at=last.at,
        kind=last.kind,
        ending=record.reason if isinstance(record, records.Checkpoint) else "",
        unsigned=scan.unsigned,
        opened=opened,
        bases=scan.bases,
        cut=_measure_cut(scan.path, scan.size),
    )


def _measure_cut(path: Path, size: int) -> Cut | None:
    if path.stat().st_size <= size:
        return None
    hashed, total, lines = sha256(), 0, 0
    with path.open("rb") as file:
        file.seek(size)
        while raw := file.readline(line.LINE_BYTES):
            hashed.update(raw)
            total += len(raw)
            lines += raw.endswith(b"\n") and line.parse(raw[:-1]) is not None
    return Cut(total, hashed.hexdigest(), lines)


def cut_off(directory: Path, writer: str, tail: Tail) -> str:
    """Cut what does not chain; of whole lines a copy is kept, whose name is returned."""
    if tail.cut is None:
        return ""
    path = files.segment_path(directory, writer, tail.segment)
    kept = ""
    if tail.cut.lines:
        kept = f"{path.name}.cut-after-{tail.seq}"
        with path.open("rb") as file:
            file.seek(tail.size)
            files.write_new(path.with_name(kept), file.read())
    fd = files.open_for_append(path)
    try:
        os.ftruncate(fd, tail.size)
        os.fsync(fd)
    finally:
        os.close(fd)
    return kept


def damaged(directory: Path, writer: str, tail: Tail) -> JournalDamaged:
    """For the operator: whole lines follow a broken place."""
    path = files.segment_path(directory, writer, tail.segment)
    lines = tail.cut.lines if tail.cut else 0
    return JournalDamaged(
        f"The journal segment {path} is broken after record {tail.seq} (byte {tail.size}), and {lines} whole "
        "lines follow: no crash does that. Run `narrows journal verify`, keep a copy, then open it with repair "
        "or start with an empty journal directory."
    )


def recovery(tail: Tail, kept_in: str) -> records.Recovery:
    """What the next run says about the end of the last one."""
    cut = tail.cut or Cut(0, "", 0)
    return records.Recovery(
        cause="the last run did not close the journal",
        last_seq=tail.seq,
        cut_bytes=cut.bytes,
        cut_sha256=cut.sha256,
        cut_lines=cut.lines,
        kept_in=kept_in,
    )
