"""Where and with what a run was made: without it a figure says little."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path

from bench import pgbouncer
from narrows import core
from tests.servers import postgres, processes
from tests.servers.fetch import PROJECT


def describe() -> list[tuple[str, str]]:
    """(what, value), in the order in which they are shown."""
    return [
        ("when", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("machine", f"{os.cpu_count()} x {_cpu()}, {_memory_gib():.0f} GiB"),
        ("system", f"{_distribution()}, Linux {platform.release()}"),
        ("narrows", _narrows()),
        ("python", f"{platform.python_version()}, uvloop {importlib.metadata.version('uvloop')}"),
        ("beside it", f"{_postgres()}, {pgbouncer.version(pgbouncer.program())} (session mode)"),
        ("switched on", "policy, masking, journal (durability `write`)"),
        ("not there yet", "recording, so none of these figures pays for it"),
        ("load before", load()),
    ]


def load() -> str:
    """The load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def is_pure() -> bool:
    """Whether the per-row work is done in Python."""
    return core.PgBackend.__module__.startswith("narrows.core.pure")


def cpu_model(cpuinfo: str) -> str:
    """The first `model name` of /proc/cpuinfo."""
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cpu() -> str:
    return cpu_model(Path("/proc/cpuinfo").read_text())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _distribution() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")


def _narrows() -> str:
    """The version, the revision where there is one, and which core does the rows."""
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    revision = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    kind = "pure Python core" if is_pure() else "compiled core"
    return ", ".join(part for part in (importlib.metadata.version("narrows"), revision, kind) if part)


def _postgres() -> str:
    return processes.run([postgres.programs(15).path("postgres"), "--version"]).strip()
