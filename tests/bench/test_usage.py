"""CPU time and memory as /proc tells them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import usage


def test_a_name_may_look_like_anything() -> None:
    assert usage.parse_parent("42 (a) b (x 7 9) S 17 42 42 0 -1 4194560 0") == 17


def test_a_size_is_found_by_its_whole_name() -> None:
    text = "Name:\tpython\nVmHWM:\t  20480 kB\nVmRSS:\t  10240 kB\n"
    assert (usage.parse_status(text, "VmRSS"), usage.parse_status(text, "VmHWM")) == (10240, 20480)
    with pytest.raises(ValueError, match="VmSwap"):
        usage.parse_status(text, "VmSwap")


def test_a_tree_has_every_generation_and_no_stranger() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 2, 9: 8}
    assert sorted(usage.tree(2, parents)) == [2, 3, 4, 5]


def test_cpu_time_of_a_child_that_is_new_counts_whole() -> None:
    before = {1: 1_000_000_000, 2: 500}
    after = {1: 1_500_000_000, 3: 250_000_000}
    assert usage.cpu_seconds(before, after) == 0.75


def test_a_thread_of_ours_is_seen_working() -> None:
    before, over = usage.cpu(os.getpid()), threading.Event()
    thread = threading.Thread(target=_burn, args=(over,))
    thread.start()
    time.sleep(0.3)
    spent = usage.cpu_seconds(before, usage.cpu(os.getpid()))
    over.set()
    thread.join()
    assert spent > 0.02
    assert usage.cpu_seconds(before, usage.cpu(os.getpid())) >= spent  # it has ended and counts all the same


def test_a_child_counts_with_its_parent() -> None:
    with _child() as pid:
        assert pid in usage.pids(os.getpid())
        assert usage.rss_kib(os.getpid()) > usage.rss_kib(pid) > 0
        assert pid in usage.cpu(os.getpid())


def test_the_peak_can_be_begun_anew() -> None:
    with _child("x = bytes(b'x' * 80_000_000); del x") as pid:
        assert usage.peak_kib(pid) > 70_000
        usage.reset_peak(pid)
        assert usage.peak_kib(pid) < 70_000


def test_work_that_was_put_off_is_waited_for() -> None:
    work = (
        "import threading; threading.Thread(target=lambda: [sum(range(1000)) for _ in range(60000)]).start()"
    )
    with _child(work) as pid:
        before = usage.cpu(pid)
        assert usage.wait_until_idle(pid)
        assert usage.cpu_seconds(before, usage.cpu(pid)) > 0.05


def test_waiting_has_an_end() -> None:
    with _child(
        "import threading; threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start()"
    ) as pid:
        assert not usage.wait_until_idle(pid, limit_s=0.6)


def _burn(over: threading.Event) -> None:
    while not over.is_set():
        sum(range(1000))


@contextmanager
def _child(code: str = "pass") -> Iterator[int]:
    program = f"{code}\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate("\n")
