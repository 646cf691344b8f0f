"""Durability `fsync`: nobody is told before the disk has it, and after a failed sync nothing passes."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable

import pytest

from narrows.journal import Durability, Journal, JournalUnavailable, Limits, commit, read, records
from tests.journal.support import SMALL, Place, outcome, statement

LARGE = Limits()


class Disk:
    """An fsync that counts, can be held up and can fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.fault: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.before_sync: Callable[[], None] = lambda: None

    def sync(self, fd: int) -> None:
        self.calls += 1
        self.before_sync()
        self.gate.wait(10)
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))
        os.fsync(fd)


@pytest.fixture
def disk() -> Disk:
    return Disk()


def _open(place: Place, disk: Disk, limits: Limits = LARGE) -> Journal:
    return Journal.open(
        place.directory,
        place.keys,
        durability=Durability.FSYNC,
        clock=place.clock,
        limits=limits,
        sync=disk.sync,
    )


async def test_nobody_is_told_before_the_sync_that_began_after_the_write(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    disk.gate.clear()
    first = asyncio.create_task(journal.append_durable(statement("one")))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(journal.append_durable(statement("two")))
    await asyncio.sleep(0.02)
    assert not first.done() and not second.done()
    assert b"two" in place.lines()[-1], "written at once, confirmed later"
    calls = disk.calls
    disk.gate.set()
    await asyncio.gather(first, second)
    assert disk.calls == calls + 1, "the second record was written after the first sync began"
    assert journal.status().unsynced_bytes == 0
    journal.close()


async def test_many_waiters_share_a_sync(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    ids = await asyncio.gather(*(journal.append_durable(statement(str(n))) for n in range(500)))
    assert len(set(ids)) == 500
    assert disk.calls <= 3
    journal.close()
    assert place.verify().is_intact


async def test_with_durability_write_nothing_is_synced_before_the_end(place: Place) -> None:
    disk = Disk()
    journal = Journal.open(place.directory, place.keys, clock=place.clock, sync=disk.sync)
    await journal.append_durable(statement())
    assert disk.calls == 0
    journal.close()


async def test_a_failed_sync_refuses_every_waiter_and_all_that_follows(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    disk.fault = errno.EIO
    waiters = [asyncio.create_task(journal.append_durable(statement(str(n)))) for n in range(3)]
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(isinstance(result, JournalUnavailable) and "I/O error" in result.message for result in results)
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            journal.append(statement())
        with pytest.raises(JournalUnavailable):
            await journal.append_durable(statement())
    assert not journal.tick().is_available
    disk.fault = None
    await _until(lambda: journal.tick().is_available)
    await journal.append_durable(statement("after"))
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    kept = [e.record for e in read.read_chain(place.directory, "control")]
    (recovery,) = [record for record in kept if isinstance(record, records.Recovery)]
    assert "fsync failed" in recovery.cause and recovery.rewritten_bytes > 0
    (outage,) = [record for record in kept if isinstance(record, records.Outage)]
    assert outage.refused == 3 + 4
    assert set(outage.unconfirmed) == {"control.3", "control.4", "control.5"}


async def test_what_the_kernel_dropped_is_written_again_before_anything_is_confirmed(
    place: Place, disk: Disk
) -> None:
    """After a failed fsync the pages may be gone though they are called clean: here the file really loses them."""
    journal = _open(place, disk)
    await journal.append_durable(statement("safe"))
    size = place.segment().stat().st_size

    def lose() -> None:
        content = place.segment().read_bytes()
        with place.segment().open("r+b") as file:
            file.seek(size)
            file.write(b"\0" * (len(content) - size))
        disk.before_sync = lambda: None

    disk.fault, disk.before_sync = errno.EIO, lose
    with pytest.raises(JournalUnavailable):
        await journal.append_durable(statement("lost"))
    assert b"lost" not in place.segment().read_bytes()
    disk.fault = None
    await _until(lambda: journal.tick().is_available)
    journal.close()
    assert b"lost" in place.segment().read_bytes()
    assert place.verify().is_intact


async def test_a_disk_that_keeps_failing_keeps_refusing(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    disk.fault = errno.EIO
    with pytest.raises(JournalUnavailable):
        await journal.append_durable(statement())
    for _ in range(20):
        assert not journal.tick().is_available
        await asyncio.sleep(0.002)
    journal.close()
    assert not journal.status().is_available
    place.open().close()
    report = place.verify()
    assert report.is_intact and report.count("recovery") == 1


async def test_a_slow_disk_bounds_what_waits(
    place: Place, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrows.journal.writer.UNSYNCED_BYTES", 10_000)
    journal = _open(place, disk)
    disk.gate.clear()
    waiter = asyncio.create_task(journal.append_durable(statement()))
    await asyncio.sleep(0)
    with pytest.raises(JournalUnavailable, match="does not keep up"):
        for _ in range(100):
            journal.append(statement("x" * 500))
    disk.gate.set()
    await waiter
    await _until(lambda: journal.tick().unsynced_bytes == 0)
    journal.append(statement())
    journal.close()
    assert place.verify().is_intact


async def test_rollovers_and_waiters(place: Place, disk: Disk) -> None:
    """A segment is on the disk before it is left; waiters of it are told."""
    journal = _open(place, disk, SMALL)
    ids = await asyncio.gather(*(journal.append_durable(statement(str(n))) for n in range(200)))
    assert len(ids) == 200
    journal.close()
    report = place.verify()
    assert report.is_intact and report.segments > 10


async def test_a_sync_that_fails_at_a_rollover_leaves_a_whole_chain(place: Place, disk: Disk) -> None:
    """The segment was sealed, and gets a recovery record and another seal."""
    journal = _open(place, disk, SMALL)
    while journal.status().segment == 1:
        try:
            journal.append(statement("x" * 400))
        except JournalUnavailable:
            break
        disk.fault = errno.EIO
    assert journal.status().segment == 1
    disk.fault = None
    await _until(lambda: journal.tick().is_available)
    await asyncio.gather(*(journal.append_durable(statement("x" * 400)) for _ in range(20)))
    journal.close()
    report = place.verify()
    assert report.is_intact, report.describe()
    assert report.segments > 2 and report.count("recovery") == 1


async def test_a_waiter_that_goes_away_harms_nobody(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    disk.gate.clear()
    gone = asyncio.create_task(journal.append_durable(statement()))
    await asyncio.sleep(0.01)
    stays = asyncio.create_task(journal.append_durable(statement()))
    await asyncio.sleep(0)
    gone.cancel()
    disk.gate.set()
    assert await stays
    journal.close()


def test_without_a_loop_tick_and_close_sync_by_themselves(place: Place, disk: Disk) -> None:
    journal = _open(place, disk)
    journal.append(outcome("control.1"))
    assert journal.status().unsynced_bytes > 0
    assert journal.tick().unsynced_bytes == 0
    journal.append(outcome("control.1"))
    journal.close()
    assert disk.calls >= 2


async def test_an_append_from_another_thread_may_roll_over_under_waiters(place: Place, disk: Disk) -> None:
    journal = _open(place, disk, SMALL)
    disk.gate.clear()
    waiter = asyncio.create_task(journal.append_durable(statement()))
    await asyncio.sleep(0.01)
    disk.gate.set()
    await asyncio.to_thread(lambda: [journal.append(statement("x" * 300)) for _ in range(50)])
    await asyncio.wait_for(waiter, 5)
    journal.close()
    assert place.verify().is_intact


def test_the_running_loop_is_none_outside_one() -> None:
    assert commit.running_loop() is None


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.002)
