"""What a worker is given to do in place of analysis, to see how its misbehaviour is taken."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from typing import Any

from narrows.inspect.sql.analysis import Analysis, SessionState, View


def chew(text: str, view: View, state: SessionState) -> Any:
    """Behave as the first word says; the answer's text tells what was seen."""
    word = text.split(maxsplit=1)[0]
    if word == "sleep":
        time.sleep(60)
    if word == "spin":
        while True:
            pass
    if word == "eat":
        eaten = [b"x" * 10_000_000 for _ in range(1000)]
        return len(eaten)
    if word == "gorge":
        bytes(bytearray(400_000_000))
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "raise":
        raise RuntimeError("a secret is in here")
    if word == "smuggle":
        return Smuggled()
    seen = {
        "environment": sorted(os.environ),
        "pid": os.getpid(),
        "snapshot": view.snapshot.id,
        "threads": threading.active_count(),
        "flags": fcntl.fcntl(0, fcntl.F_GETFL),
    }
    return Analysis((), repr(seen))


class Smuggled:
    """An answer that would run something where it is read."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/narrows-smuggled",)
