"""Is the journal what was written? Needs the directory, the public key and, against cut tails, a head.

Laws: the control chain is read first, since it says which writers there are and where their chains begin;
it streams; it trusts nothing but the key. What it cannot say: lines after the last signature could be made
by whoever can write the file, and without a head a shorter journal looks like an earlier one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from narrows.journal import files, line
from narrows.journal import head as heads
from narrows.journal.records import Base
from narrows.journal.registry import CONTROL, first_base
from narrows.journal.report import Fault, FaultKind, Report, WriterReport
from narrows.journal.walk import Broken, Walk, Witness

_WAIT_S = 0.02

Witnesses = dict[int, Witness]


def verify(
    directory: Path,
    public_key: Ed25519PublicKey,
    head: bytes | None = None,
    *,
    wait: Callable[[], None] = lambda: time.sleep(_WAIT_S),
) -> Report:
    """Read every chain and report the first broken place of each; never raises for what is in the files.

    May run while the journal is written; a last line that is not whole is looked at again for 0.2 s.
    """
    faults: list[Fault] = []
    named = _read_head(head, public_key, faults)
    try:
        writers = files.list_writers(directory)
    except OSError as fault:
        return Report((*faults, _unreadable(fault, "")), (), (), head is not None)
    if CONTROL not in writers:
        kind = FaultKind.WRITER_MISSING if writers or named else FaultKind.EMPTY
        faults.append(Fault(kind, f"{directory / CONTROL}, the control chain, is not there", CONTROL))
        return Report(tuple(faults), (), (), head is not None)
    reports, notes = [], []
    control = Walk(directory, CONTROL, public_key, _from_head(named, CONTROL), None, wait)
    reports.append(_run(control, named, faults))
    _check_start(control, faults)
    is_list_whole = not any(fault.writer == CONTROL for fault in faults)
    for writer in _others(control.bases, writers, named):
        base = control.bases.get(writer)
        if writer not in writers:
            faults.append(_gone(writer, base))
            continue
        witnesses = {**_from_head(named, writer), **control.witnessed.get(writer, {})}
        walk = Walk(directory, writer, public_key, witnesses, base or first_base(writer), wait)
        if base is None and is_list_whole and _holds_records(directory, writer):
            faults.append(_unregistered(writer))
        elif base is None and is_list_whole:
            notes.append(
                f"{writer} was begun and not registered: a crash between the two; it holds no record"
            )
        reports.append(_run(walk, named, faults))
    notes += _notes(reports)
    return Report(tuple(faults), tuple(reports), tuple(notes), head is not None)


def _read_head(head: bytes | None, public: Ed25519PublicKey, faults: list[Fault]) -> heads.Head | None:
    if head is None:
        return None
    try:
        return heads.parse(head, public)
    except heads.HeadForged as fault:
        faults.append(Fault(FaultKind.HEAD_FORGED, str(fault)))
        return None


def _from_head(named: heads.Head | None, writer: str) -> Witnesses:
    end = named.writers.get(writer) if named else None
    return {end.seq: Witness(end.hash, "the exported head")} if end else {}


def _run(walk: Walk, named: heads.Head | None, faults: list[Fault]) -> WriterReport:
    end = named.writers.get(walk.writer) if named else None
    try:
        walk.run()
    except Broken as broken:
        faults.append(broken.fault)
    except OSError as fault:
        faults.append(_unreadable(fault, walk.writer))
    return walk.report(end.seq if end else 0)


def _check_start(control: Walk, faults: list[Fault]) -> None:
    """The control chain begins where it says that it begins."""
    claimed, started = control.bases.get(CONTROL), control.started_at
    if any(fault.writer == CONTROL for fault in faults) or claimed is None or started is None:
        return
    if started.segment > claimed.segment or (started.segment == claimed.segment and started != claimed):
        faults.append(
            Fault(
                FaultKind.SEGMENT_MISSING,
                f"segment {claimed.segment:06d} is missing: no signed record says that it was retired",
                CONTROL,
                claimed.segment,
            )
        )


def _others(bases: Mapping[str, Base], writers: list[str], named: heads.Head | None) -> list[str]:
    known = set(bases) | set(writers) | (set(named.writers) if named else set())
    return sorted(known - {CONTROL})


def _gone(writer: str, base: Base | None) -> Fault:
    who = "the control chain" if base is not None else "the exported head"
    return Fault(
        FaultKind.WRITER_MISSING, f"{who} names the writer {writer}, and its directory is not there", writer
    )


def _unreadable(fault: OSError, writer: str) -> Fault:
    where = fault.filename or "the journal"
    return Fault(FaultKind.UNREADABLE, f"{where} cannot be read: {fault.strerror}", writer)


def _unregistered(writer: str) -> Fault:
    return Fault(
        FaultKind.WRITER_UNREGISTERED,
        f"the control chain does not know the writer {writer}: its files were added, or the record was removed",
        writer,
    )


def _holds_records(directory: Path, writer: str) -> bool:
    """There is more than the first line of a first segment."""
    segments = files.list_segments(directory, writer)
    if segments != [1]:
        return bool(segments)
    with files.segment_path(directory, writer, 1).open("rb") as file:
        file.readline(line.LINE_BYTES)
        return bool(file.read(1))


def _notes(reports: list[WriterReport]) -> list[str]:
    notes = []
    for report in reports:
        for kind, words in _WORTH_SAYING.items():
            if number := report.kinds.get(kind, 0):
                notes.append(f"{report.writer}: {number} {words}")
    return notes


_WORTH_SAYING = {
    "recovery": "recovery record(s): a run did not close, or the disk failed",
    "outage": "outage record(s): the journal could not be written for a while",
    "clock": "time(s) the clock went backwards",
    "retired": "retirement(s): segments were deleted on purpose",
}
