"""psql at a terminal: a pty of its own, so that Ctrl-C is a real SIGINT."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


@dataclass
class Terminal:
    """What was typed into it and what it showed."""

    descriptor: int
    process: subprocess.Popen[bytes]
    shown: str = ""
    _mark: int = field(default=0, repr=False)

    def type(self, text: str) -> None:
        self._mark = len(self.shown)
        os.write(self.descriptor, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C: the kernel sends SIGINT to the program in the foreground."""
        self.type("\x03")

    def until(self, pattern: str, limit_s: float = 15) -> str:
        """Wait until what was shown since the last typing matches; that part."""
        deadline = time.monotonic() + limit_s
        while not re.search(pattern, self.shown[self._mark :]):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} did not come; shown:\n{self.shown}"
            if select.select([self.descriptor], [], [], left)[0]:
                self.shown += _ESCAPES.sub("", os.read(self.descriptor, 65536).decode(errors="replace"))
        return self.shown[self._mark :]


@contextlib.contextmanager
def opened(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A program at a terminal of its own, ended with the `with`."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "dumb", "PAGER": "cat"},
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        os.close(master)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
