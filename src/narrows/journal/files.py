"""Where the journal's files are, and the few system calls it makes; raises OSError and nothing else.

    journal/<writer>/000001.jsonl    a segment; only the last one of a writer grows
    journal/<writer>/lock            held by the process that writes

Laws: files are 0600 and directories 0700; a new name is on the disk (its directory synced) before it is
used; a write is whole or it is cut back, and where it cannot be cut back nothing follows it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

WRITER = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_SEGMENT = re.compile(r"(\d{6,12})\.jsonl\Z")
_LOCK = "lock"
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


def segment_path(directory: Path, writer: str, segment: int) -> Path:
    return directory / writer / f"{segment:06d}.jsonl"


def list_writers(directory: Path) -> list[str]:
    """Names of the writers' directories, sorted; [] where the journal does not exist."""
    try:
        return sorted(path.name for path in directory.iterdir() if WRITER.match(path.name) and path.is_dir())
    except FileNotFoundError:
        return []


def list_segments(directory: Path, writer: str) -> list[int]:
    """Numbers of a writer's segments in order."""
    try:
        names = [path.name for path in (directory / writer).iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for found in map(_SEGMENT.match, names) if found)


def make_directory(path: Path) -> None:
    """The directory as 0700, its name on the disk."""
    if path.is_dir():
        if path.stat().st_mode & 0o077:
            with suppress(PermissionError):  # another's directory; the files in it are 0600 all the same
                path.chmod(0o700)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def create(path: Path, content: bytes) -> int:
    """A new file that holds this and is open for appending; under its name it is whole from the start."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    name = fresh
    try:
        write_whole(fd, content, 0)
        os.fsync(fd)
        name = fresh.rename(path)
        sync_directory(path.parent)
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            name.unlink()
        raise
    return fd


def write_new(path: Path, content: bytes) -> None:
    os.close(create(path, content))


def open_for_append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | _FLAGS)


def write_whole(fd: int, content: bytes, size: int) -> None:
    """Append all of it to a file of this size, or raise OSError with the file as it was (see `TornWrite`)."""
    written = 0
    try:
        written = os.write(fd, content)
        while written < len(content):
            done = os.write(fd, content[written:])
            if done == 0:
                raise OSError(errno.EIO, "write(2) took nothing")
            written += done
    except OSError as fault:
        if written:
            cut_back(fd, size, fault)
        raise


def cut_back(fd: int, size: int, fault: OSError) -> None:
    """Cut a torn write off again; raises TornWrite where even that fails."""
    try:
        os.ftruncate(fd, size)
    except OSError as second:
        raise TornWrite(second.errno, second.strerror) from fault


class TornWrite(OSError):
    """Part of a write stands at the end of the file and could not be cut off yet."""


_held: set[tuple[int, int]] = set()
"""Locks of this process; the kernel's keep out other processes only."""


class Lock:
    """Exclusive right to write one writer's chain, for as long as the process lives."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._key = _identity(fd)
        _held.add(self._key)

    def release(self) -> None:
        _held.discard(self._key)
        os.close(self._fd)


def lock(directory: Path) -> Lock | int:
    """The lock, or the id of the process that holds it (0 where that is not known).

    A record lock, not flock: a child forked by this process must not hold it after this one was killed.
    Closing any descriptor of the file would drop it, hence the look at `_held` first.
    """
    path = directory / _LOCK
    if path.exists() and _identity(path) in _held:
        return os.getpid()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        holder = os.pread(fd, 20, 0).strip()
        os.close(fd)
        if fault.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return int(holder) if holder.isdigit() else 0
    with suppress(OSError):  # the number only serves a message, and the disk may be full
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return Lock(fd)


def _identity(of: int | Path) -> tuple[int, int]:
    about = os.stat(of)  # noqa: PTH116 - of a descriptor too
    return about.st_dev, about.st_ino


def first_line(path: Path, limit: int) -> bytes:
    """The first line without its newline; b'' where there is no whole one."""
    with path.open("rb") as file:
        line = file.readline(limit)
    return line[:-1] if line.endswith(b"\n") else b""


def last_lines(path: Path, limit: int) -> list[bytes]:
    """At least one whole line from the end, the last one last; [] where there is none."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        for span in _spans(limit):
            start = max(0, end - span)
            file.seek(start)
            whole, newline, _ = file.read(end - start).rpartition(b"\n")
            lines = whole.split(b"\n") if newline else []
            if start == 0:
                return lines
            if len(lines) > 1:
                return lines[1:]
    return []


def _spans(limit: int) -> Iterator[int]:
    span = 1 << 16
    while span < limit:
        yield span
        span *= 8
    yield limit * 2
