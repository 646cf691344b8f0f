"""What can go wrong with the journal, in words for the operator; callers are told only the reason's remedy."""

from __future__ import annotations

import errno
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; raise it or free some space",
    errno.EFBIG: "the file size limit of the process is reached; raise it (ulimit -f)",
    errno.EACCES: "permission is denied; give the gateway's user access",
    errno.EPERM: "permission is denied; give the gateway's user access",
    errno.EROFS: "the file system is mounted read-only; mount it writable",
    errno.ENOENT: "it is not there any more; restore it",
    errno.EIO: "the disk reports an I/O error; check it",
    errno.EMFILE: "the process has too many files open; raise the limit (ulimit -n)",
    errno.ENFILE: "the machine has too many files open; raise fs.file-max",
}


class JournalUnavailable(Exception):
    """The journal cannot be written, so nothing runs; the message says where, why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RecordTooLarge(JournalUnavailable):
    """A record is over the limit of one line; what it stands for does not run."""


class JournalLocked(JournalUnavailable):
    """Another process writes this chain; stop it first, two writers would break the chain."""


class JournalDamaged(JournalUnavailable):
    """A chain is broken where no crash breaks it; `narrows journal verify` says where.

    Keep the files as evidence: move them away and start with an empty directory, or open with `repair`.
    """


class ValuesUnreadable(Exception):
    """The bind values cannot be decrypted: another key, another record, or changed bytes."""


def unavailable(fault: OSError, path: Path) -> JournalUnavailable:
    """The operator's message for a failed system call."""
    why = _REMEDIES.get(fault.errno or 0, f"{fault.strerror or fault}; check the disk")
    return JournalUnavailable(
        f"The journal at {path} cannot be written: {why}. Nothing runs until then; service resumes by itself."
    )
