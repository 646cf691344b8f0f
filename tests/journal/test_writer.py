"""One writer's chain: what is written, when it is signed, and who may write."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest

from narrows.journal import (
    Journal,
    JournalDamaged,
    JournalLocked,
    JournalUnavailable,
    Limits,
    RecordTooLarge,
    files,
    line,
    members,
    read,
    records,
)
from narrows.model.statement import Parameter
from tests.journal.support import SMALL, Place, fill, outcome, statement


def test_a_record_stands_in_the_file_when_append_returns(place: Place) -> None:
    journal = place.open()
    id_ = journal.append(statement("SELECT 42"))
    assert id_ == "control.3"
    assert b"SELECT 42" in place.lines()[-1]
    assert place.lines()[-1].startswith(b'{"hash":"')
    journal.close()


def test_directories_and_files_are_closed_to_others(place: Place) -> None:
    journal = place.open()
    fill(journal, 40)
    members.enroll(journal, "worker-1", 0.0)
    journal.close()
    for path in place.directory.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700


def test_segments_roll_over_by_size_and_each_can_be_read_alone(place: Place) -> None:
    journal = place.open()
    facts = {"principal": "x" * 100}
    for _ in range(60):
        journal.append(statement(), facts=facts)
    journal.close()
    numbers = files.list_segments(place.directory, "control")
    assert len(numbers) > 3
    for number in numbers:
        kinds = place.kinds(number)
        assert kinds[0] == "segment"
        assert kinds.count("facts") == 1
        assert kinds[-1] == "checkpoint"
        assert place.segment(number).stat().st_size < SMALL.segment_bytes + 2048
    assert place.verify().is_intact


def test_facts_are_written_once_and_referred_to_by_their_hash(place: Place) -> None:
    journal = place.open(limits=Limits())
    one = journal.append(statement(), facts={"b": {1, 2}, "a": frozenset({"y", "x"})})
    journal.append(statement(), facts={"a": frozenset({"x", "y"}), "b": {2, 1}})
    journal.append(statement(), facts={"a": "other"})
    journal.close()
    assert place.kinds().count("facts") == 2
    shown = read.show(place.directory, one)
    assert shown is not None
    assert shown.facts == {"a": ["x", "y"], "b": [1, 2]}


def test_checkpoints_come_by_number_and_by_time_and_at_the_end(place: Place) -> None:
    journal = place.open(limits=Limits(checkpoint_records=20, checkpoint_s=10.0))
    for _ in range(100):
        journal.append(outcome("control.1"))
    assert 5 <= place.kinds().count("checkpoint") <= 8
    journal.checkpoint()
    before = place.kinds().count("checkpoint")
    journal.tick()
    journal.append(outcome("control.1"))
    place.clock.now += 9.0
    journal.tick()
    assert place.kinds().count("checkpoint") == before
    place.clock.now += 1.5
    journal.tick()
    assert place.kinds().count("checkpoint") == before + 1
    assert journal.status().unsigned == 0
    place.clock.now += 100.0
    journal.tick()
    assert place.kinds().count("checkpoint") == before + 1, "an idle journal does not grow"
    journal.close()
    assert b'"reason":"close"' in place.lines()[-1]
    assert place.verify().is_intact


def test_a_chain_continues_where_it_was_closed_without_a_recovery_record(place: Place) -> None:
    for start in range(3):
        journal = place.open()
        fill(journal, 3, start)
        journal.close()
    report = place.verify()
    assert report.is_intact
    assert report.count("recovery") == 0
    assert report.count("opened") == 3


def test_a_clock_that_steps_back_is_journalled_and_breaks_nothing(place: Place) -> None:
    journal = place.open()
    journal.append(statement())
    place.clock.now -= 3600.0
    journal.append(statement())
    journal.tick()
    place.clock.now -= 0.5
    journal.append(statement())
    journal.close()
    place.clock.now -= 7200.0
    place.open().close()
    report = place.verify()
    assert report.is_intact
    assert report.count("clock") == 2
    steps = [
        e.record
        for e in read.read_chain(place.directory, "control")
        if isinstance(e.record, records.ClockStepped)
    ]
    assert [round(step.back_s) for step in steps] == [3600, 7200]


def test_a_second_writer_in_this_process_is_turned_away(place: Place) -> None:
    journal = place.open()
    with pytest.raises(JournalLocked, match=rf"written by process {os.getpid()}"):
        place.open()
    with pytest.raises(JournalLocked):
        place.open(must_open=False)
    journal.append(statement())
    journal.close()
    place.open().close()
    assert place.verify().is_intact


def test_a_second_process_is_turned_away_and_not_by_a_forked_child(place: Place) -> None:
    """The lock belongs to the process: a child that outlives it does not keep it."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(place.directory)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdin is not None
    grandchild = int(child.stdout.readline())
    try:
        with pytest.raises(JournalLocked, match=rf"process {child.pid}: stop that gateway first"):
            place.open()
        child.kill()
        child.wait()
        os.kill(grandchild, 0)
        place.open().close()
    finally:
        os.kill(grandchild, 9)


_HOLD = """
import os, sys, time
from pathlib import Path
from narrows.journal import Journal
from tests.journal.support import KEYS
from narrows.journal import files
files.make_directory(Path(sys.argv[1])); files.make_directory(Path(sys.argv[1]) / "control")
held = files.lock(Path(sys.argv[1]) / "control")
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


def test_a_writer_must_be_enrolled(place: Place) -> None:
    control = place.open()
    with pytest.raises(JournalUnavailable, match="worker-1 is not enrolled"):
        place.open(writer="worker-1")
    with pytest.raises(ValueError, match="name"):
        members.enroll(control, "../evil", 0.0)
    assert members.enroll(control, "worker-1", place.clock())
    assert members.enroll(control, "worker-1", place.clock()) == ""
    worker = place.open(writer="worker-1")
    fill(worker, 40)
    worker.close()
    control.close()
    again = place.open()
    assert set(again.bases) == {"control", "worker-1"}
    again.close()
    assert place.verify().is_intact


def test_the_list_of_writers_survives_rollovers(place: Place) -> None:
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    fill(control, 60)
    control.close()
    again = place.open()
    assert set(again.bases) == {"control", "worker-1"}
    fill(again, 60)
    again.close()
    assert place.verify().is_intact


def test_another_signing_key_does_not_continue_a_chain(place: Place) -> None:
    from narrows.journal import keys

    place.open().close()
    other = Place(place.directory, keys=keys.generate())
    with pytest.raises(JournalDamaged, match="restore that key"):
        other.open()
    place.open().close()


def test_text_that_is_no_unicode_is_kept_escaped(place: Place) -> None:
    journal = place.open()
    id_ = journal.append(statement("SELECT '\udcff'", message="\udc80"), facts={"text": "\udcfe"})
    journal.close()
    shown = read.show(place.directory, id_)
    assert shown is not None and isinstance(shown.entry.record, records.StatementRecord)
    assert shown.entry.record.text == "SELECT '\\udcff'"
    assert shown.entry.record.is_escaped
    assert shown.facts == {"text": "\\udcfe"}


def test_a_record_over_the_line_limit_is_refused_and_the_chain_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    monkeypatch.setattr(line, "LINE_BYTES", 4096)
    with pytest.raises(RecordTooLarge):
        journal.append(statement("x" * 5000))
    journal.append(statement())
    assert journal.status().is_available
    journal.close()
    assert place.verify().is_intact


def test_facts_and_values_belong_to_statements(place: Place) -> None:
    journal = place.open()
    with pytest.raises(AssertionError):
        journal.append(outcome("control.1"), parameters=(Parameter(b"x", False, 25),))
    journal.close()


def test_a_closed_journal_refuses(place: Place) -> None:
    journal = place.open()
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.append(statement())
    assert not journal.status().is_available
    assert not journal.tick().is_available
    assert place.verify().is_intact


def test_threads_may_append_together(place: Place) -> None:
    journal = place.open()
    workers = [threading.Thread(target=fill, args=(journal, 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    journal.close()
    report = place.verify()
    assert report.is_intact
    assert report.count("statement") == 200


def test_a_header_that_is_no_header_is_not_continued(place: Place) -> None:
    place.open().close()
    place.segment().write_bytes(b"something else\n")
    with pytest.raises(JournalDamaged, match="does not begin as a segment does"):
        place.open()


def test_a_segment_of_another_number_is_not_continued(place: Place) -> None:
    place.open().close()
    place.segment().rename(place.segment(7))
    with pytest.raises(JournalDamaged, match="put the files back"):
        place.open()


@pytest.mark.parametrize("torn", [b"\0" * 5000, b"\n", b'{"hash":"', b"x\ny\n", b"\xff" * 70000])
def test_whatever_a_crash_leaves_behind_the_last_line_is_cut(place: Place, torn: bytes) -> None:
    """After a loss of power the tail may be zeros, or anything; whole lines of ours it is not."""
    journal = place.open()
    journal.append(statement())
    journal.close()
    with place.segment().open("ab") as file:
        file.write(torn)
    assert not place.verify().is_intact
    place.open().close()
    assert place.verify().is_intact
    found = [e.record for e in read.read_chain(place.directory, "control")]
    (recovery,) = [record for record in found if isinstance(record, records.Recovery)]
    assert (recovery.cut_bytes, recovery.cut_lines) == (len(torn), 0)


def test_damage_before_whole_lines_needs_a_repair_which_says_so(place: Place) -> None:
    journal = place.open(limits=Limits())
    fill(journal, 10)
    journal.close()
    lines = place.lines()
    lines[5] = lines[5].replace(b"SELECT", b"select", 1)
    place.put_lines(lines)
    with pytest.raises(JournalDamaged, match="no crash does that"):
        place.open()
    with pytest.raises(JournalDamaged):
        place.open(must_open=False)
    repaired = place.open(repair=True)
    repaired.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    (recovery,) = [
        e.record
        for e in read.read_chain(place.directory, "control")
        if isinstance(e.record, records.Recovery)
    ]
    assert recovery.cut_lines == len(lines) - 5
    kept = place.segment().with_name(recovery.kept_in)
    assert kept.read_bytes() == b"".join(lines[5:])


def test_a_name_that_is_none_is_refused(place: Place) -> None:
    with pytest.raises(ValueError, match="name"):
        Journal.open(place.directory, place.keys, writer="A/b")
