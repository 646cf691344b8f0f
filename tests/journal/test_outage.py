"""The disk is full, the directory is closed, the file is gone: nothing passes, nothing is torn, all is told."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from narrows.journal import JournalUnavailable, Limits, files, read, records
from tests.journal.support import Place, fill, outcome, statement

is_root = os.geteuid() == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Place]:
    """A journal on a file system of 256 KiB."""
    if not is_root:
        pytest.skip("mounting needs root; the file size limit is tested instead")
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], capture_output=True
    )
    if done.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        yield Place(mount / "journal")
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_full_disk_refuses_and_service_resumes_when_there_is_space(full_disk: Place) -> None:
    journal = full_disk.open(limits=Limits())
    ballast = full_disk.directory.parent / "ballast"
    ballast.write_bytes(b"x" * (200 << 10))
    written = refused = 0
    while refused < 5:
        try:
            journal.append(statement("x" * 3000))
            written += 1
        except JournalUnavailable as fault:
            assert "the disk is full; free some space" in fault.message
            assert "service resumes by itself" in fault.message
            refused += 1
            assert full_disk.segment().read_bytes().endswith(b"\n"), "a torn line was left"
    status = journal.status()
    assert not status.is_available and "full" in status.message and status.refused == 5
    assert full_disk.verify().is_intact
    full_disk.clock.now += 30.0
    ballast.unlink()
    assert journal.append(statement("after"))
    assert journal.status().is_available
    journal.close()
    report = full_disk.verify()
    assert report.is_intact, report.describe()
    assert report.count("statement") == written + 1
    (outage,) = _outages(full_disk)
    assert outage.refused == 5
    assert outage.since == pytest.approx(full_disk.clock.now - 30.0)
    assert "full" in outage.message


def test_tick_alone_ends_an_outage(full_disk: Place) -> None:
    journal = full_disk.open(limits=Limits())
    ballast = full_disk.directory.parent / "ballast"
    ballast.write_bytes(b"x" * (240 << 10))
    with pytest.raises(JournalUnavailable):
        journal.append(statement("x" * 30000))
    ballast.unlink()
    assert journal.tick().is_available
    assert [outage.refused for outage in _outages(full_disk)] == [1]
    journal.close()
    assert full_disk.verify().is_intact


def test_a_disk_that_is_full_at_start_lets_the_gateway_wait_for_space(full_disk: Place) -> None:
    ballast = full_disk.directory.parent / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(JournalUnavailable):
        full_disk.open()
    journal = full_disk.open(must_open=False)
    with pytest.raises(JournalUnavailable, match="full"):
        journal.append(statement())
    ballast.unlink()
    journal.append(statement())
    journal.close()
    assert full_disk.verify().is_intact
    assert [outage.refused for outage in _outages(full_disk)] == [1]


def test_a_file_size_limit_tears_a_write_which_is_cut_back(place: Place) -> None:
    """RLIMIT_FSIZE makes write(2) short and then fail, as a full disk does, without root."""
    journal = place.open(limits=Limits())
    fill(journal, 3)
    size = place.segment().stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
        with pytest.raises(JournalUnavailable, match="file size limit"):
            journal.append(statement())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert place.segment().stat().st_size == size
    journal.append(statement())
    journal.close()
    assert place.verify().is_intact


def test_a_torn_line_that_cannot_be_cut_at_once_is_cut_before_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open(limits=Limits())
    fill(journal, 3)
    size = place.segment().stat().st_size
    with monkeypatch.context() as patched:
        _tear(patched, after=40)
        patched.setattr(os, "ftruncate", _fail(errno.EIO))
        with pytest.raises(JournalUnavailable, match="I/O error"):
            journal.append(statement())
        assert place.segment().stat().st_size == size + 40
        with pytest.raises(JournalUnavailable):
            journal.append(statement())
    journal.append(statement())
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert [outage.refused for outage in _outages(place)] == [2]


def test_a_torn_line_left_at_the_end_is_cut_by_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open(limits=Limits())
    fill(journal, 3)
    with monkeypatch.context() as patched:
        _tear(patched, after=40)
        patched.setattr(os, "ftruncate", _fail(errno.EIO))
        with pytest.raises(JournalUnavailable):
            journal.append(statement())
        journal.close()
    assert not place.verify().is_intact
    place.open().close()
    assert place.verify().is_intact
    (recovery,) = _recoveries(place)
    assert recovery.cut_bytes == 40


def test_a_rollover_that_fails_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = place.open()
    with monkeypatch.context() as patched:
        patched.setattr(files, "create", _fail(errno.ENOSPC))
        with pytest.raises(JournalUnavailable, match="full"):
            for _ in range(100):
                journal.append(statement("x" * 200))
        with pytest.raises(JournalUnavailable):
            journal.append(statement())
    assert files.list_segments(place.directory, "control") == [1]
    assert place.kinds()[-1] == "checkpoint"
    journal.append(statement())
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert report.segments == 2


def test_what_tick_writes_behind_a_seal_is_sealed_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    with monkeypatch.context() as patched:
        patched.setattr(files, "create", _fail(errno.ENOSPC))
        with pytest.raises(JournalUnavailable):
            for _ in range(100):
                journal.append(statement("x" * 200))
        journal.tick()
    journal.append(statement())
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert place.kinds()[-3:] == ["checkpoint", "outage", "checkpoint"]


def test_a_segment_whose_name_did_not_reach_the_disk_is_begun_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync_directory", _fail(errno.EIO))
        with pytest.raises(JournalUnavailable, match="I/O error"):
            for _ in range(100):
                journal.append(statement("x" * 200))
    assert not place.segment(2).exists()
    journal.append(statement())
    journal.close()
    report = place.verify()
    assert report.is_intact and report.segments == 2, report.describe()


def test_a_new_segment_is_on_the_disk_under_its_name_before_it_is_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    while journal.status().segment == 1:
        journal.append(statement("x" * 300))
    assert synced == ["000002.jsonl.new", "control"]
    journal.close()
    assert synced[2:] == ["000002.jsonl"]


def test_a_crash_between_sealing_and_the_next_segment_is_continued(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    with monkeypatch.context() as patched:
        patched.setattr(files, "create", _fail(errno.ENOSPC))
        with pytest.raises(JournalUnavailable):
            for _ in range(100):
                journal.append(statement("x" * 200))
        patched.setattr(journal, "_close_chain", lambda: None)
        journal.close()
    place.open().close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert report.segments == 2 and report.count("recovery") == 1


def test_a_removed_file_stops_everything_until_it_is_back(place: Place) -> None:
    journal = place.open()
    aside = place.directory.parent / "aside"
    place.segment().rename(aside)
    status = journal.tick()
    assert not status.is_available and "not there any more" in status.message
    with pytest.raises(JournalUnavailable, match="restore it"):
        journal.append(statement())
    place.segment().write_bytes(b"another file")
    with pytest.raises(JournalUnavailable, match="removed or replaced"):
        journal.append(statement())
    aside.rename(place.segment())
    journal.append(statement())
    assert journal.tick().is_available
    journal.close()
    assert place.verify().is_intact
    assert [outage.refused for outage in _outages(place)] == [2]


def test_an_unlinked_file_is_noticed_by_the_very_next_append(place: Place) -> None:
    journal = place.open()
    place.segment().unlink()
    with pytest.raises(JournalUnavailable, match="removed or replaced"):
        journal.append(statement())


def test_a_file_that_somebody_else_wrote_into_is_not_continued(place: Place) -> None:
    journal = place.open()
    with place.segment().open("ab") as file:
        file.write(b"evil\n")
    with pytest.raises(JournalUnavailable, match="changed by another program"):
        journal.append(statement())
    journal.close()


@pytest.mark.skipif(not is_root, reason="another user can only be taken on by root")
def test_without_permission_an_unprivileged_gateway_refuses_and_resumes(tmp_path: Path) -> None:
    """A real process that is not root: the directory closed at start, while running, and at a rollover."""
    tmp_path.chmod(0o711)
    for parent in tmp_path.parents:
        if parent.owner() == "root" and parent.name.startswith(("pytest", "popen")):
            parent.chmod(0o711)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    done = subprocess.run(
        [sys.executable, "-c", _UNPRIVILEGED, str(home)], capture_output=True, text=True, env=_environment()
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert all(
        "permission is denied; give the gateway's user access" in message for message in told["messages"]
    )
    assert len(told["messages"]) == 4
    place = Place(home / "journal")
    report = place.verify()
    assert report.is_intact, report.describe()
    assert [outage.refused for outage in _outages(place)] == [1, 1, 1]


_UNPRIVILEGED = """
import json, os, sys
from pathlib import Path
from tests.journal import support
from narrows.journal import JournalUnavailable
os.setgid(65534); os.setuid(65534)
home = Path(sys.argv[1]); messages = []
place = support.Place(home / "journal")
def refused(call):
    try:
        call()
    except JournalUnavailable as fault:
        messages.append(fault.message)
home.chmod(0o500)
refused(place.open)
journal = place.open(must_open=False)
refused(lambda: journal.append(support.statement()))
home.chmod(0o700)
journal.append(support.statement())
place.directory.chmod(0)
assert not journal.tick().is_available
refused(lambda: journal.append(support.statement()))
place.directory.chmod(0o700)
journal.append(support.statement())
(place.directory / "control").chmod(0o500)
while len(messages) < 4:
    refused(lambda: journal.append(support.statement("x" * 500)))
(place.directory / "control").chmod(0o700)
journal.append(support.statement())
journal.close()
print(json.dumps({"messages": messages}))
"""


def test_the_count_of_what_was_refused_survives_repeated_failure(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.open()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _fail(errno.EDQUOT))
        for _ in range(7):
            with pytest.raises(JournalUnavailable, match="quota"):
                journal.append(statement())
            journal.tick()
    journal.append(outcome("control.1"))
    assert [outage.refused for outage in _outages(place)] == [7]
    journal.close()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _tear(patched: pytest.MonkeyPatch, after: int) -> None:
    """write(2) takes so many bytes and then fails."""
    real = os.write
    taken: list[int] = []

    def write(fd: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        taken.append(real(fd, data[:after]))
        return taken[0]

    patched.setattr(os, "write", write)


def _fail(number: int) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def _outages(place: Place) -> list[records.Outage]:
    return [
        e.record for e in read.read_chain(place.directory, "control") if isinstance(e.record, records.Outage)
    ]


def _recoveries(place: Place) -> list[records.Recovery]:
    return [
        e.record
        for e in read.read_chain(place.directory, "control")
        if isinstance(e.record, records.Recovery)
    ]
