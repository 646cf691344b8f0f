"""A changed journal is named: what was done to it, and where it first shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrows.journal import JournalDamaged, Limits, files, members
from narrows.journal import keys as journal_keys
from narrows.journal import line as codec
from narrows.journal.report import Fault, FaultKind, Report
from tests.journal.support import KEYS, Place, fill, outcome, statement


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A control chain and a worker's, several segments each, closed."""
    place = Place(tmp_path_factory.mktemp("written") / "journal")
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1")
    fill(control, 30)
    fill(worker, 30)
    members.witness(control, "worker-1")
    worker.close()
    control.close()
    return place


@pytest.fixture
def copy(written: Place, tmp_path: Path) -> Place:
    shutil.copytree(written.directory, tmp_path / "copy")
    return Place(tmp_path / "copy")


def test_an_untouched_journal_is_intact_and_says_up_to_where_it_vouches(written: Place) -> None:
    report = written.verify()
    assert report.is_intact, report.describe()
    assert report.segments == sum(
        len(files.list_segments(written.directory, w)) for w in ("control", "worker-1")
    )
    assert report.count("statement") == report.count("outcome") == 60
    assert [writer.unvouched for writer in report.writers] == [0, 0]
    assert all(writer.is_closed for writer in report.writers)
    assert report.records == sum(writer.last_seq for writer in report.writers)
    assert "No head was given" in "\n".join(report.describe())


def test_lines_after_the_last_checkpoint_are_said_to_be_unsigned(place: Place) -> None:
    journal = place.open()
    journal.checkpoint()
    vouched = journal.status().seq
    fill(journal, 2)
    (writer,) = place.verify().writers
    assert writer.vouched_seq == vouched
    assert writer.unvouched == journal.status().seq - vouched
    journal.close()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_named(written: Place, tmp_path: Path, data: st.DataObject) -> None:
    """Promise: whichever byte changes to whatever, verify says so and points at its line or the one after."""
    place = _fresh_copy(written, tmp_path)
    writer = data.draw(st.sampled_from(["control", "worker-1"]))
    number = data.draw(st.sampled_from(files.list_segments(place.directory, writer)))
    content = bytearray(place.segment(number, writer).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    line = content[:at].count(b"\n") + 1
    content[at] = new
    place.segment(number, writer).write_bytes(content)
    fault = _broken(place.verify())
    assert (fault.writer, fault.segment) == (writer, number), fault
    assert fault.line in (line, line + 1), (fault, line)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_dropped_duplicated_and_swapped_lines_are_named_as_such(
    written: Place, tmp_path: Path, data: st.DataObject
) -> None:
    place = _fresh_copy(written, tmp_path)
    writer = data.draw(st.sampled_from(["control", "worker-1"]))
    number = data.draw(st.sampled_from(files.list_segments(place.directory, writer)[:-1]))
    lines = place.lines(number, writer)
    at = data.draw(st.integers(1, len(lines) - 2))
    how = data.draw(st.sampled_from(sorted(_LINE_DAMAGE)))
    kind = _LINE_DAMAGE[how](lines, at)
    place.put_lines(lines, number, writer)
    fault = _broken(place.verify())
    assert (fault.writer, fault.segment) == (writer, number), fault
    assert fault.kind is kind, fault
    assert fault.line == at + 1 + (how == "duplicate"), fault


_GENESIS = codec.genesis("control")


def _drop(lines: list[bytes], at: int) -> FaultKind:
    del lines[at]
    return FaultKind.DROPPED


def _duplicate(lines: list[bytes], at: int) -> FaultKind:
    lines.insert(at, lines[at])
    return FaultKind.DUPLICATED


def _swap(lines: list[bytes], at: int) -> FaultKind:
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return FaultKind.SWAPPED


_LINE_DAMAGE: dict[str, Callable[[list[bytes], int], FaultKind]] = {
    "drop": _drop,
    "duplicate": _duplicate,
    "swap": _swap,
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tail_cut_anywhere_is_named_against_a_head(
    written: Place, tmp_path: Path, data: st.DataObject
) -> None:
    place = _fresh_copy(written, tmp_path)
    head = _head_of(place)
    writer = data.draw(st.sampled_from(["control", "worker-1"]))
    number = files.list_segments(place.directory, writer)[-1]
    content = place.segment(number, writer).read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    place.segment(number, writer).write_bytes(content[:kept])
    fault = _broken(place.verify(head))
    assert fault.writer == writer
    assert fault.kind is FaultKind.TRUNCATED, fault


def test_a_tail_cut_at_a_line_is_only_named_against_a_head(copy: Place) -> None:
    head = _head_of(copy)
    number = files.list_segments(copy.directory, "control")[-1]
    copy.put_lines(copy.lines(number)[:-2], number)
    without = copy.verify()
    assert without.is_intact
    assert without.writers[0].vouched_seq < without.writers[0].last_seq
    fault = _broken(copy.verify(head))
    assert "the exported head names record" in fault.message


def test_a_tail_cut_behind_a_witness_is_named_without_a_head(copy: Place) -> None:
    """The control chain holds how far the worker had come."""
    number = files.list_segments(copy.directory, "worker-1")[-1]
    copy.put_lines(copy.lines(number, "worker-1")[:-5], number, "worker-1")
    assert _broken(copy.verify()).kind is FaultKind.TRUNCATED


def test_swapped_segments_are_named(copy: Place) -> None:
    one, two = copy.segment(1), copy.segment(2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    fault = _broken(copy.verify())
    assert fault.kind is FaultKind.SEGMENT_MISPLACED
    assert "segment 000002 of control" in fault.message


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("writer", ["control", "worker-1"])
def test_a_missing_segment_is_named(copy: Place, writer: str, number: int) -> None:
    copy.segment(number, writer).unlink()
    fault = _broken(copy.verify())
    assert fault.kind is FaultKind.SEGMENT_MISSING
    assert (fault.writer, fault.segment) == (writer, number)


def test_a_segment_of_another_writer_is_named(copy: Place) -> None:
    shutil.copy(copy.segment(2, "control"), copy.segment(2, "worker-1"))
    fault = _broken(copy.verify())
    assert (fault.kind, fault.writer) == (FaultKind.SEGMENT_MISPLACED, "worker-1")


def test_an_emptied_segment_and_a_cut_sealed_one_are_named(copy: Place) -> None:
    lines = copy.lines(1)
    copy.put_lines(lines[:-1], 1)
    assert "ends before its seal" in _broken(copy.verify()).message
    copy.put_lines([], 1)
    assert _broken(copy.verify()).kind is FaultKind.TRUNCATED


def test_a_deleted_writer_is_named_without_a_head(copy: Place) -> None:
    shutil.rmtree(copy.directory / "worker-1")
    fault = _broken(copy.verify())
    assert (fault.kind, fault.writer) == (FaultKind.WRITER_MISSING, "worker-1")


def test_a_deleted_control_chain_and_an_empty_directory_are_named(copy: Place, tmp_path: Path) -> None:
    shutil.rmtree(copy.directory / "control")
    assert _broken(copy.verify()).kind is FaultKind.WRITER_MISSING
    assert _broken(Place(tmp_path / "nothing").verify()).kind is FaultKind.EMPTY


@pytest.mark.parametrize("call", ["list_writers", "list_segments"])
def test_what_cannot_be_read_is_named(copy: Place, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def closed(*_: object) -> list[str]:
        raise PermissionError(13, "Permission denied", "journal/x")

    monkeypatch.setattr(files, call, closed)
    fault = _broken(copy.verify())
    assert fault.kind is FaultKind.UNREADABLE
    assert "journal/x cannot be read: Permission denied" in fault.message


def test_a_broken_control_chain_does_not_make_other_writers_strangers(copy: Place) -> None:
    copy.put_lines([*copy.lines(1)[:1], b"junk\n", *copy.lines(1)[2:]], 1)
    report = copy.verify()
    assert [fault.writer for fault in report.faults] == ["control"]
    assert {writer.writer for writer in report.writers} == {"control", "worker-1"}


def test_an_added_writer_is_named(copy: Place) -> None:
    shutil.copytree(copy.directory / "worker-1", copy.directory / "worker-2")
    fault = _broken(copy.verify())
    assert (fault.kind, fault.writer) == (FaultKind.WRITER_UNREGISTERED, "worker-2")


def test_a_writer_that_was_begun_and_not_registered_is_a_note(place: Place) -> None:
    control = place.open()
    members._begin(control, "worker-1", place.clock())
    report = place.verify()
    assert report.is_intact, report.describe()
    assert "not registered" in report.notes[0]
    assert members.enroll(control, "worker-1", place.clock())
    control.close()
    assert place.verify().notes == ()


def test_a_chain_made_anew_without_the_key_is_named(place: Place) -> None:
    """Whoever can write the files can recompute every hash, and not one signature."""
    journal = place.open()
    fill(journal, 5)
    journal.close()
    forged = Place(place.directory.with_name("forged"), keys=journal_keys.generate())
    fake = forged.open()
    fill(fake, 5)
    fake.close()
    shutil.rmtree(place.directory)
    forged.directory.rename(place.directory)
    fault = _broken(place.verify())
    assert fault.kind is FaultKind.BAD_SIGNATURE
    assert "it is signed with key" in fault.message


def test_a_signature_moved_to_other_content_is_false(place: Place) -> None:
    """A checkpoint whose hash was recomputed after a line before it changed."""
    journal = place.open()
    journal.append(statement("SELECT 'x'"))
    journal.checkpoint()
    journal.close()
    lines = _rehash([line.replace(b"SELECT 'x'", b"SELECT 'y'") for line in place.lines()])
    place.put_lines(lines)
    fault = _broken(place.verify())
    assert fault.kind is FaultKind.BAD_SIGNATURE
    assert "false" in fault.message


def test_a_line_with_a_hash_of_its_own_does_not_fit_the_next(place: Place) -> None:
    """Every hash covers the one before: to change a line is to change all that follow."""
    journal = place.open(limits=Limits())
    fill(journal, 5)
    lines = place.lines()
    before = codec.parse(lines[4].rstrip(b"\n"))
    changed = codec.parse(lines[5].replace(b"SELECT", b"DELETE").rstrip(b"\n"))
    assert before is not None and changed is not None and b"DELETE" in changed.body
    lines[5] = codec.build_line(codec.digest(before.hash, changed.body), changed.body)
    place.put_lines(lines)
    fault = _broken(place.verify())
    assert fault.kind is FaultKind.CHANGED
    assert fault.line == 7
    journal.close()


def test_facts_under_a_name_that_is_not_theirs_are_named(place: Place) -> None:
    """Even where every hash was recomputed and no signature stands behind it yet."""
    journal = place.open(limits=Limits())
    journal.append(statement(), facts={"group": "support"})
    place.put_lines(_rehash([line.replace(b"support", b"finance") for line in place.lines()]))
    fault = _broken(place.verify())
    assert "these facts are not the ones" in fault.message
    journal.close()


def test_a_list_of_writers_that_the_chain_does_not_bear_out_is_named(copy: Place) -> None:
    """A new segment's list is unsigned at first, so it is compared with what the chain said before."""
    journal = copy.open()
    while journal.status().unsigned != 2 or journal.status().segment == 1:
        journal.append(statement("x" * 300))
    number = journal.status().segment
    forged = [line.replace(b'"worker-1":[1,', b'"worker-1":[2,') for line in copy.lines(number)]
    assert forged != copy.lines(number)
    sealed = codec.parse(copy.lines(number - 1)[-1].rstrip(b"\n"))
    assert sealed is not None
    copy.put_lines(_rehash(forged, sealed.hash, sealed.seq), number)
    fault = _broken(copy.verify())
    assert "list of writers" in fault.message
    journal.close()


def test_removed_checkpoints_are_missed(place: Place) -> None:
    """The chain recomputed without its checkpoints is longer unsigned than its header allows."""
    journal = place.open(limits=Limits(checkpoint_records=20))
    fill(journal, 30)
    journal.close()
    place.put_lines(_rehash([line for line in place.lines() if b'"checkpoint"' not in line]))
    fault = _broken(place.verify())
    assert fault.kind is FaultKind.CHECKPOINT_MISSING


def test_a_rehashed_chain_that_differs_from_a_head_is_named(place: Place) -> None:
    """Unsigned lines can be made anew by whoever can write the file: the head knows better."""
    journal = place.open()
    journal.append(statement("SELECT 'x'"))
    head = journal.export_head()
    journal.append(outcome("control.3"))
    place.put_lines(_rehash([line.replace(b"SELECT 'x'", b"SELECT 'y'") for line in place.lines()]))
    assert place.verify().is_intact
    assert _broken(place.verify(head)).kind is FaultKind.DIFFERS


@pytest.mark.parametrize("field", ["at", "writers", "key", "format", "signature", "extra"])
def test_a_forged_head_is_named(place: Place, field: str) -> None:
    journal = place.open()
    head = json.loads(journal.export_head())
    changed: dict[str, object] = {
        "at": 1.0,
        "writers": {"control": [1, 1, "0" * 64]},
        "key": "0" * 16,
        "format": "other",
        "signature": "00" * 64,
        "extra": 1,
    }
    report = place.verify(json.dumps({**head, field: changed[field]}).encode())
    assert _broken(report).kind is FaultKind.HEAD_FORGED
    assert place.verify(b"not a head").first is not None
    assert place.verify(json.dumps(head).encode()).is_intact
    journal.close()


def test_a_head_names_every_writer_and_holds_when_the_journal_has_grown(place: Place) -> None:
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1")
    fill(worker, 3)
    head = control.export_head()
    assert set(json.loads(head)["writers"]) == {"control", "worker-1"}
    fill(worker, 20)
    fill(control, 20)
    report = place.verify(head)
    assert report.is_intact, report.describe()
    assert all(writer.head_seq > 0 for writer in report.writers)
    control.close()
    worker.close()


def test_verify_reads_a_journal_while_it_is_written(place: Place) -> None:
    """A line that becomes whole while verify waits is no fault."""
    journal = place.open()
    fill(journal, 3)
    whole = place.segment().read_bytes()
    journal.append(statement())
    grown = place.segment().read_bytes()
    place.segment().write_bytes(grown[: len(whole) + 10])
    from narrows.journal import verify

    report = verify.verify(
        place.directory, KEYS.public, wait=lambda: _ignore(place.segment().write_bytes(grown))
    )
    assert report.is_intact, report.describe()


def test_verify_streams(tmp_path: Path) -> None:
    """Promise: memory does not grow with the journal."""
    import tracemalloc

    place = Place(tmp_path / "journal")
    journal = place.open(limits=Limits(segment_bytes=1 << 20))
    for index in range(4000):
        journal.append(statement("x" * 1000 + str(index)))
    journal.close()
    tracemalloc.start()
    assert place.verify().is_intact
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_retired_segments_are_not_missed_and_more_than_those_are(place: Place) -> None:
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1")
    fill(control, 60)
    fill(worker, 60)
    head = control.export_head()
    sealed = list(members.sealed_segments(place.directory))
    assert [s.segment for s in sealed if s.writer == "control"] == files.list_segments(
        place.directory, "control"
    )[:-1]
    members.retire(control, "worker-1", 2, "older than the limit")
    members.retire(control, "control", 2, "older than the limit")
    report = place.verify()
    assert report.is_intact, report.describe()
    assert place.verify(head).is_intact
    assert "2 retirement(s)" in " ".join(report.notes)
    assert files.list_segments(place.directory, "worker-1")[0] == 3
    worker.close()
    control.close()
    again = place.open()
    assert again.bases["worker-1"].segment == 3
    again.close()
    assert place.verify().is_intact
    place.segment(3, "control").unlink()
    assert _broken(place.verify()).kind is FaultKind.SEGMENT_MISSING


def test_a_head_does_not_name_a_line_that_may_yet_be_cut_back(place: Place) -> None:
    """Another process may be in the middle of a write whose first line is whole already."""
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1", limits=Limits())
    fill(worker, 3)
    before = place.segment(1, "worker-1").read_bytes()
    worker.append(statement(), facts={"new": 1})
    whole = place.segment(1, "worker-1").read_bytes()
    place.segment(1, "worker-1").write_bytes(whole[: whole.index(b"\n", len(before)) + 10])
    head = control.export_head()
    place.segment(1, "worker-1").write_bytes(before)
    assert place.verify(head).is_intact
    control.close()


def test_a_damaged_boundary_is_not_retired(place: Place) -> None:
    control = place.open()
    fill(control, 60)
    place.put_lines(place.lines(2)[:-1], 2)
    with pytest.raises(JournalDamaged, match="does not end where the next begins"):
        members.retire(control, "control", 2, "")
    assert place.segment(1).exists()
    control.close()


def test_only_sealed_segments_can_be_retired(place: Place) -> None:
    control = place.open()
    fill(control, 30)
    last = files.list_segments(place.directory, "control")[-1]
    for through in (0, last, last + 1):
        with pytest.raises(members.NotRetirable):
            members.retire(control, "control", through, "")
    with pytest.raises(members.NotRetirable):
        members.retire(control, "nobody", 1, "")
    control.close()


def test_what_a_crash_left_of_a_retirement_is_deleted_at_the_next_start(place: Place) -> None:
    control = place.open()
    fill(control, 60)
    kept = place.segment(1).read_bytes()
    members.retire(control, "control", 2, "")
    place.segment(1).write_bytes(kept)
    control.close()
    place.open().close()
    assert files.list_segments(place.directory, "control")[0] == 3
    assert place.verify().is_intact


def _rehash(lines: list[bytes], previous: bytes = _GENESIS, seq: int = 0) -> list[bytes]:
    """The chain recomputed over changed lines, as somebody without the key would."""
    out = []
    for number, raw in enumerate(lines, seq + 1):
        parsed = codec.parse(raw.rstrip(b"\n"))
        assert parsed is not None
        body = b'"seq":%d,%b' % (number, parsed.body.split(b",", 1)[1])
        previous = codec.digest(previous, body)
        out.append(codec.build_line(previous, body))
    return out


def _fresh_copy(written: Place, tmp_path: Path) -> Place:
    target = tmp_path / "damaged"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(written.directory, target)
    return Place(target)


def _head_of(place: Place) -> bytes:
    from narrows.journal import head

    return head.export(place.directory, place.keys, place.clock(), {})


def _broken(report: Report) -> Fault:
    assert report.first is not None, report.describe()
    assert not report.is_intact
    assert "BROKEN" in report.describe()[0]
    return report.first


def _ignore(_: object) -> None:
    return None
