"""The pool: results and errors come back, what waits is bounded, a cancelled caller frees its place."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from narrows.store import Pool, StoreError


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_results_and_exceptions_come_back() -> None:
    pool = Pool(threads=1)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)
    pool.close()


async def test_work_is_done_off_the_loop() -> None:
    pool = Pool(threads=1)
    assert await pool.run(threading.get_ident) != threading.get_ident()
    pool.close()


async def test_too_much_at_once_is_refused_and_room_comes_back(gate: threading.Event) -> None:
    pool = Pool(threads=1, waiting=2)
    calls = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="Too many calls") as caught:
        await pool.run(gate.wait)
    assert caught.value.is_transient
    gate.set()
    assert await asyncio.gather(*calls) == [True, True]
    assert await pool.run(gate.wait)
    pool.close()


async def test_a_cancelled_caller_frees_its_place(gate: threading.Event) -> None:
    pool = Pool(threads=1, waiting=2)
    running, waiting = (asyncio.ensure_future(pool.run(gate.wait)) for _ in range(2))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    third = asyncio.ensure_future(pool.run(gate.wait))
    await asyncio.sleep(0)
    gate.set()
    assert await running
    assert await third
    pool.close()


async def test_posted_work_is_done_and_its_failure_logged(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(threads=1)
    done = threading.Event()
    pool.post(done.set)
    with caplog.at_level(logging.WARNING):
        pool.post(divmod, 1, 0)
        await pool.run(int)
    assert done.is_set()
    assert "background work failed" in caplog.text
    pool.close()


async def test_a_full_pool_drops_posted_work(gate: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(threads=1, waiting=1)
    call = asyncio.ensure_future(pool.run(gate.wait))
    await asyncio.sleep(0)
    pool.post(gate.set)
    assert "dropped" in caplog.text
    assert not gate.is_set()
    gate.set()
    assert await call
    pool.close()


async def test_a_closed_pool_says_so() -> None:
    pool = Pool(threads=1)
    pool.close()
    with pytest.raises(StoreError, match="closed"):
        await pool.run(int)
