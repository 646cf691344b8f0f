"""Runs pgbench against a target and reads what it prints and logs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import numbers, usage
from bench.targets import SCALE, Target
from tests.servers import processes

_TRANSACTIONS = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)
_TPS = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)


class PgbenchError(Exception):
    """pgbench failed, or a transaction did; the message holds what it printed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What pgbench is asked to do."""

    mode: str
    clients: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One run; the CPU seconds are of what stands between, None where nothing does."""

    tps: float
    p50_ms: float
    p99_ms: float
    cpu_100k_s: float | None
    """Per 100,000 transactions, without connecting."""
    connect_cpu_ms: float | None
    """Per connection, its sign-in and its first transaction."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What pgbench says at its end."""

    transactions: int
    tps: float


def parse_output(text: str) -> Printed:
    """The lines that count; PgbenchError where they are missing or a transaction failed."""
    transactions, failed, tps = (pattern.search(text) for pattern in (_TRANSACTIONS, _FAILED, _TPS))
    if not transactions or not tps or not int(transactions[1]):
        raise PgbenchError(f"pgbench printed no figures: {text[-1000:]}")
    if failed and int(failed[1]):
        raise PgbenchError(f"transactions failed: {text[-1000:]}")
    return Printed(int(transactions[1]), float(tps[1]))


def parse_latencies(lines: Iterable[str]) -> list[float]:
    """Milliseconds from a per-transaction log, whose third field is in microseconds."""
    return [int(line.split(maxsplit=3)[2]) / 1000 for line in lines]


def run(program: str, target: Target, load: Load, *, is_alone: bool = True) -> Sample:
    """One run of the built-in select-only script; the CPU time means something only where it is alone.

    A run of one transaction for each client goes before it: what that costs is taken off, so that connecting is
    in neither the CPU time nor the tps.
    """
    directory = processes.scratch_directory("pgbench")
    command = [
        *(program, "--no-vacuum", "--select-only", "--scale", str(SCALE), "--protocol", load.mode),
        *("--client", str(load.clients), "--jobs", str(min(2, load.clients))),
    ]
    log = ("--log", "--log-prefix", str(directory / "log"))
    try:
        _, connecting_s = _timed([*command, "--transactions", "1"], target, is_alone)
        printed, spent_s = _timed([*command, "--time", str(load.seconds), *log], target, is_alone)
        latencies = _latencies(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    p50_ms, p99_ms = (numbers.percentile(latencies, percent) for percent in (50, 99))
    if not target.pid:
        return Sample(printed.tps, p50_ms, p99_ms, None, None)
    cpu = numbers.per_100k(spent_s - connecting_s, printed.transactions - load.clients)
    return Sample(printed.tps, p50_ms, p99_ms, cpu, connecting_s / load.clients * 1000)


def _timed(command: list[str], target: Target, is_alone: bool) -> tuple[Printed, float]:
    """What pgbench printed, and the CPU seconds that it cost what stands between, later ones too."""
    before = usage.cpu(target.pid) if target.pid else {}
    done = subprocess.run(command, env=target.environment(), capture_output=True, text=True)
    if target.pid and is_alone:
        usage.wait_until_idle(target.pid)
    spent_s = usage.cpu_seconds(before, usage.cpu(target.pid)) if target.pid else 0.0
    if done.returncode != 0:
        raise PgbenchError(f"pgbench at {target.name}: {done.stdout[-500:]}{done.stderr[-1000:]}")
    return parse_output(done.stdout), spent_s


def _latencies(directory: Path) -> list[float]:
    return parse_latencies(line for path in directory.iterdir() for line in path.read_text().splitlines())
