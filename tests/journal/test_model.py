"""Whatever fails and in whatever order: what was acknowledged is there, in order, and the chain is whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from narrows.journal import Journal, JournalUnavailable, files, read, segment
from narrows.journal.records import Outage, StatementRecord
from narrows.model.statement import Parameter
from tests.journal.support import Place, outcome, statement


class FaultyOs:
    """The `os` module with a disk that can be told to fail."""

    def __init__(self) -> None:
        self.left: int | None = None
        """Bytes that write(2) still takes; None for a sound disk."""
        self.can_truncate = True

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        if self.left is None:
            return os.write(fd, data)
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = os.write(fd, data[: self.left])
        self.left -= taken
        return taken

    def ftruncate(self, fd: int, size: int) -> None:
        if not self.can_truncate:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(fd, size)


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.place = Place(self.home / "journal")
        self.disk = FaultyOs()
        for module in (files, segment):
            module.os = self.disk  # type: ignore[attr-defined]
        self.journal: Journal | None = self.place.open()
        self.acknowledged: list[tuple[str, str]] = []
        self.refused = 0
        self.number = 0

    def teardown(self) -> None:
        self.mend()
        if self.journal is None:
            self.reopen()
        assert self.journal is not None
        self.journal.append(outcome("control.1"))
        self.journal.close()
        for module in (files, segment):
            module.os = os  # type: ignore[attr-defined]
        self._check()
        told = [e.record for e in read.read_chain(self.place.directory, "control")]
        assert sum(record.refused for record in told if isinstance(record, Outage)) <= self.refused
        shutil.rmtree(self.home)

    @precondition(lambda self: self.journal is not None)
    @rule(size=st.integers(0, 1500), facts=st.integers(0, 5), has_values=st.booleans())
    def append(self, size: int, facts: int, has_values: bool) -> None:
        assert self.journal is not None
        self.number += 1
        text = f"SELECT {self.number} " + "x" * size
        parameters = (Parameter(b"v", False, 25),) if has_values else ()
        try:
            id_ = self.journal.append(statement(text), facts={"n": facts}, parameters=parameters)
        except JournalUnavailable:
            self.refused += 1
        else:
            self.acknowledged.append((id_, text))

    @precondition(lambda self: self.journal is not None)
    @rule(step=st.sampled_from([0.0, 1.0, 11.0, -5.0, -3600.0]))
    def tick(self, step: float) -> None:
        assert self.journal is not None
        self.place.clock.now += step
        self.journal.tick()

    @rule(left=st.integers(0, 800), can_truncate=st.booleans())
    def fail(self, left: int, can_truncate: bool) -> None:
        self.disk.left, self.disk.can_truncate = left, can_truncate

    @rule()
    def mend(self) -> None:
        self.disk.left, self.disk.can_truncate = None, True

    @precondition(lambda self: self.journal is not None)
    @rule()
    def close(self) -> None:
        assert self.journal is not None
        self.journal.close()
        self.journal = None

    @precondition(lambda self: self.journal is not None)
    @rule()
    def crash(self) -> None:
        """The process is gone: nothing is closed, nothing is cut back."""
        assert self.journal is not None
        if self.journal._segment is not None:
            os.close(self.journal._segment.fd)
        if self.journal._file_lock is not None:
            self.journal._file_lock.release()
        self.journal = None

    @precondition(lambda self: self.journal is None)
    @rule()
    def reopen(self) -> None:
        self.journal = self.place.open(must_open=False)

    @invariant()
    def a_sound_open_journal_is_whole(self) -> None:
        if self.journal is not None and self.journal.status().is_available and self.disk.left is None:
            self._check()

    def _check(self) -> None:
        report = self.place.verify()
        assert report.is_intact, report.describe()
        kept = [
            (e.id, e.record.text)
            for e in read.read_chain(self.place.directory, "control")
            if isinstance(e.record, StatementRecord)
        ]
        assert kept == self.acknowledged


JournalMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestJournal = JournalMachine.TestCase
