"""The one file that a writer appends to, and what it notices about it.

Laws: it holds whole lines only; a write that could not be finished is cut back, at the latest before the
next one; a file that somebody else changed, removed or made unreachable is not written.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from narrows.journal import files
from narrows.journal.errors import JournalUnavailable


class Segment:
    """An open segment and how long it must be."""

    def __init__(self, path: Path, number: int, fd: int, size: int) -> None:
        self.path = path
        self.number = number
        self.size = size
        self.fd = fd
        self._is_torn = False

    @classmethod
    def create(cls, path: Path, number: int, header: bytes) -> Segment:
        return cls(path, number, files.create(path, header), len(header))

    @classmethod
    def reopen(cls, path: Path, number: int, size: int) -> Segment:
        return cls(path, number, files.open_for_append(path), size)

    def append(self, content: bytes) -> None:
        """One write(2); raises OSError with the file as it was."""
        self._mend()
        about = os.fstat(self.fd)
        if about.st_size != self.size or not about.st_nlink:
            raise self._changed(about)
        try:
            files.write_whole(self.fd, content, self.size)
        except files.TornWrite:
            self._is_torn = True
            raise
        self.size += len(content)

    def check_name(self) -> None:
        """The path still leads to this file; raises OSError or JournalUnavailable."""
        ours, named = os.fstat(self.fd), self.path.stat()
        if (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino):
            raise self._changed(ours)

    def replace_fd(self, fd: int) -> None:
        os.close(self.fd)
        self.fd = fd

    def close(self) -> None:
        """Close; a torn line that cannot be cut now is cut by the next run."""
        with suppress(OSError):
            self._mend()
        os.close(self.fd)

    def _mend(self) -> None:
        if self._is_torn:
            os.ftruncate(self.fd, self.size)
            self._is_torn = False

    def _changed(self, about: os.stat_result) -> JournalUnavailable:
        if about.st_size == self.size:
            return JournalUnavailable(
                f"The journal segment {self.path} was removed or replaced while in use, so nothing runs. "
                "Put the file back; service then resumes by itself."
            )
        return JournalUnavailable(
            f"The journal segment {self.path} was changed by another program while in use: it has "
            f"{about.st_size} bytes and should have {self.size}, so nothing runs. "
            "Run `narrows journal verify`, keep a copy, and restart the gateway."
        )
