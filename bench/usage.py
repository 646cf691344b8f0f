"""What a process and all its children use: CPU time to the nanosecond, and memory.

Laws: every thread and every child counts, a thread that has ended too; work that is put off until the clients are
gone is waited for, or it would be charged to whoever is measured next.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_RESET_PEAK = "5"
"""Written to clear_refs it makes the peak the present size: proc(5)."""

_LOOK_S = 0.25
_IDLE = 0.04
"""Of one CPU: less than that is housekeeping."""

Spent = Mapping[int, int]
"""pid -> nanoseconds on a CPU."""


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


def cpu(root: int) -> Spent:
    """CPU time of the process and of each of its children."""
    found = {}
    for pid in pids(root):
        with suppress(OSError):  # it ended while we looked
            found[pid] = time.clock_gettime_ns(cpu_clock(pid))
    return found


def cpu_clock(pid: int) -> int:
    """The clock of all threads of a process, living and ended: clock_getcpuclockid(3) on Linux."""
    return ~pid << 3 | 2


def cpu_seconds(before: Spent, after: Spent) -> float:
    """What was used in between; a child that is new counts from zero."""
    return sum(spent - before.get(pid, 0) for pid, spent in after.items()) / 1e9


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
