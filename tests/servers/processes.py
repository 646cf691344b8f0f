"""Processes for tests: free ports, directories that another user can enter, an end by recorded pid.

Law: nothing outlives the tests. A server is told by the kernel when the thread that started it is gone, so start
servers from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.fetch import is_open_to_all

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_PORTS = range(24000, 31000)
"""Below the range from which the kernel takes ports for outgoing connections."""


class ServerError(Exception):
    """A server for tests did not start; the message holds the end of what it printed."""


def free_port() -> int:
    """A port on which nothing listens now; whoever starts a server must be ready to try another."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError("no free port")


def scratch_directory(prefix: str) -> Path:
    """A new directory, open for all to enter, under a path that is so too."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if is_open_to_all(parent):
            directory = Path(tempfile.mkdtemp(prefix=f"narrows-{prefix}-", dir=parent))
            directory.chmod(0o755)
            return directory
    raise ServerError("no temporary directory that every user may enter")


def unprivileged_user() -> str | None:
    """The user to run servers as: `postgres` or `nobody` for root, None (ourselves) otherwise."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServerError("no unprivileged user to run servers as")


def give(path: Path, user: str | None) -> None:
    """Make `user` the owner; nothing to do where servers run as ourselves."""
    if user is not None:
        shutil.chown(path, user)


def run(command: Sequence[str], user: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run to its end and return what it printed; ServerError with its errors where it failed."""
    result = subprocess.run(
        command,
        user=user,
        group=_group(user),
        extra_groups=[] if user else None,
        env=dict(environment) if environment is not None else None,
        cwd="/",
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise ServerError(f"{command[0]} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _end_with_parent(stop_signal: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, stop_signal)

    return prepare


@dataclass
class Running:
    """A started process; `stop` ends exactly this one."""

    process: subprocess.Popen[bytes] = field(repr=False)
    output: Path
    stop_signal: int = signal.SIGTERM

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def tail(self) -> str:
        return self.output.read_text(errors="replace")[-2000:]

    def wait_until(self, is_ready: Callable[[], bool], what: str, limit_s: float = 30) -> None:
        """Poll until ready; ServerError where the process ends or time runs out first."""
        deadline = time.monotonic() + limit_s
        while not is_ready():
            if self.has_ended:
                raise ServerError(f"{what} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{what} was not ready within {limit_s} s:\n{self.tail()}")
            time.sleep(0.01)

    def stop(self, limit_s: float = 10) -> None:
        """Ask, wait, then insist."""
        if self.has_ended:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(
    command: Sequence[str],
    output: Path,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Running:
    """Start a server with its output in a file."""
    with output.open("ab") as sink:
        process = subprocess.Popen(
            command,
            user=user,
            group=_group(user),
            extra_groups=[] if user else None,
            env=dict(environment) if environment is not None else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(stop_signal),
        )
    return Running(process, output, stop_signal)


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
