"""The process that analyses long statements: `python -m narrows.runtime.facts.analysis_worker MEMORY MODULE:NAME`.

It reads requests from its standard input and writes answers to its standard output, each a length and a pickle.
Laws: it holds no secret and opens nothing; memory and processor time are limited by the kernel; after it came near
its limit it says so and ends, for Python does not give memory back.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

LENGTH = struct.Struct(">Q")
Function = Callable[[str, Any, Any], Any]


def main() -> None:
    """Serve until the other end closes."""
    memory_bytes, name = int(sys.argv[1]), sys.argv[2]
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but answers may go out there
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(5)  # sessions come first
    module, _, function = name.partition(":")
    analyse: Function = getattr(importlib.import_module(module), function)
    views: dict[int, Any] = {}
    _send(answers, pickle.dumps(("ready", None, False)))
    while (request := _receive(requests)) is not None:
        kind, *rest = pickle.loads(request)  # noqa: S301 - from our own parent process
        if kind == "view":
            number, view = rest
            views[number] = view
        elif kind == "forget":
            views.pop(rest[0], None)
        else:
            number, text, state, limit_s = rest
            answer = _answer(analyse, text, views[number], state, limit_s)
            is_last = answer[0] != "done" or _peak_bytes() > memory_bytes // 4
            _send(answers, pickle.dumps((*answer, is_last), pickle.HIGHEST_PROTOCOL))
            if is_last:
                return


def _answer(analyse: Function, text: str, view: Any, state: Any, limit_s: float) -> tuple[str, Any]:
    """("done", analysis) or (what went wrong, the name of the exception)."""
    # The parent measures and kills by the clock; this holds even if the parent is gone.
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + limit_s) + 2)
    try:
        return "done", analyse(text, view, state)
    except MemoryError:
        return "too_complex", "MemoryError"
    except Exception as error:
        return "failed", type(error).__name__


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (allowed, hard))


def _peak_bytes() -> int:
    """Our own peak: what getrusage says begins with the parent's, which may be large."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _receive(source: IO[bytes]) -> bytes | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return source.read(LENGTH.unpack(head)[0])


def _send(sink: IO[bytes], data: bytes) -> None:
    sink.write(LENGTH.pack(len(data)) + data)
    sink.flush()


if __name__ == "__main__":
    main()
