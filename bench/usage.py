"""What a process and all its children use, from /proc: CPU time to the nanosecond, and memory.

Laws: every thread and every child counts; a thread that was not there before counts from zero; work that is put
off until the clients are gone is waited for, or it would be charged to whoever is measured next.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_RESET_PEAK = "5"
"""Written to clear_refs it makes the peak the present size: proc(5)."""

_LOOK_S = 0.25
_IDLE = 0.04
"""Of one CPU: less than that is housekeeping."""

Threads = Mapping[tuple[int, int], int]
"""(pid, thread) -> nanoseconds on a CPU."""


def parse_schedstat(text: str) -> int:
    """The nanoseconds on a CPU: the first of the three numbers."""
    return int(text.split(maxsplit=1)[0])


def parse_parent(stat: str) -> int:
    """The parent's pid from /proc/PID/stat; the name before it may hold spaces and brackets."""
    return int(stat.rpartition(")")[2].split()[1])


def parse_status(text: str, name: str) -> int:
    """A size in KiB from /proc/PID/status."""
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(f"no {name} in the status")


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """The process and all below it."""
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def pids(root: int) -> list[int]:
    """The process and all its descendants, now."""
    return tree(root, _parents())


def cpu(root: int) -> Threads:
    """CPU time of every thread of the process and its children."""
    return {(pid, int(task.name)): parse_schedstat(text) for pid in pids(root) for task, text in _tasks(pid)}


def cpu_seconds(before: Threads, after: Threads) -> float:
    """What was used in between."""
    return sum(spent - before.get(thread, 0) for thread, spent in after.items()) / 1e9


def wait_until_idle(root: int, limit_s: float = 30.0) -> bool:
    """Wait while the process works on after its clients are gone; False where it still does at the limit."""
    deadline = time.monotonic() + limit_s
    before = cpu(root)
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        after = cpu(root)
        if cpu_seconds(before, after) < _LOOK_S * _IDLE:
            return True
        before = after
    return False


def rss_kib(root: int) -> int:
    return _sum_of(root, "VmRSS")


def peak_kib(root: int) -> int:
    """The sum of each process's peak since `reset_peak`."""
    return _sum_of(root, "VmHWM")


def reset_peak(root: int) -> None:
    for pid in pids(root):
        (_PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)


def _sum_of(root: int, name: str) -> int:
    return sum(parse_status((_PROC / str(pid) / "status").read_text(), name) for pid in pids(root))


def _parents() -> dict[int, int]:
    found = {}
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            with suppress(OSError):  # it ended while we looked
                found[int(directory.name)] = parse_parent((directory / "stat").read_text())
    return found


def _tasks(pid: int) -> Iterable[tuple[Path, str]]:
    for task in (_PROC / str(pid) / "task").iterdir():
        with suppress(OSError):  # the thread ended while we looked
            yield task, (task / "schedstat").read_text()
