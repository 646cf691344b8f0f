"""kill -9 in mid-load: what was acknowledged is there, the rest is cut and said, and the chain goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from narrows.journal import read
from narrows.journal.records import Recovery, StatementRecord
from tests.journal.support import Place, fill

_LOAD = """
import asyncio, itertools, sys, os
from pathlib import Path
from narrows.journal import Durability, Limits
from tests.journal import support
place = support.Place(Path(sys.argv[1]))
durability = Durability(sys.argv[2])
journal = place.open(durability=durability, limits=Limits(segment_bytes=200_000, checkpoint_records=50))
out = os.fdopen(1, "wb", buffering=0)

async def load(worker):
    for number in itertools.count():
        text = f"SELECT {worker}, {number}, '" + "x" * (number % 700) + "'"
        id_ = await journal.append_durable(support.statement(text), facts={"n": number % 40})
        out.write(f"{id_} {worker} {number}\\n".encode())
        journal.append(support.outcome(id_))
        if number % 50 == 0:
            await asyncio.sleep(0)

async def main():
    await asyncio.gather(*(load(worker) for worker in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("durability", ["write", "fsync"])
def test_everything_acknowledged_survives_kill_9(place: Place, durability: str) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        acknowledged += _run_and_kill(place, durability, at_least=400)
    journal = place.open()
    fill(journal, 2)
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert report.count("recovery") == 3
    kept = {
        entry.id: entry.record.text
        for entry in read.read_chain(place.directory, "control")
        if isinstance(entry.record, StatementRecord)
    }
    assert len(acknowledged) >= 1200
    for acknowledgement in acknowledged:
        id_, worker, number = acknowledgement.split()
        assert kept[id_].startswith(f"SELECT {worker}, {number},")


def test_a_torn_tail_is_cut_and_the_recovery_record_says_how_much(place: Place) -> None:
    """A kill inside write(2) is rare, so the tear is made: every length of the last line."""
    _run_and_kill(place, "write", at_least=20)
    number = max(int(path.stem) for path in (place.directory / "control").glob("*.jsonl"))
    whole = place.segment(number).read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for kept in (1, 8, 70, len(last) // 2, len(last) - 1):
        place.segment(number).write_bytes(whole + last[:kept])
        assert not place.verify().is_intact
        journal = place.open()
        found = [
            e.record
            for e in read.read_segment(place.directory, "control", number)
            if isinstance(e.record, Recovery)
        ]
        assert found[-1].cut_bytes == kept
        assert len(found[-1].cut_sha256) == 64
        assert found[-1].signature
        journal.close()
        assert place.verify().is_intact


def _run_and_kill(place: Place, durability: str, at_least: int) -> list[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", _LOAD, str(place.directory), durability],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(at_least)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait()
    assert child.returncode == -signal.SIGKILL
    return [line.decode() for line in lines if line.endswith(b"\n")]
