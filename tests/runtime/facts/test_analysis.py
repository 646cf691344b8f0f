"""The pool of analysing processes: real analysis, and every way in which one can go wrong."""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from narrows.inspect import sql
from narrows.inspect.sql.analysis import SessionState, View
from narrows.model.reason import Reason
from narrows.model.snapshot import Column, Relation, RelationKind, Snapshot
from narrows.runtime.facts.analysis import AnalysisPool, PoolLimits

CHEW = "tests.runtime.facts.chewers:chew"
MIB = 1024 * 1024
STATE = SessionState()


def view_of(snapshot_id: str = "s1") -> View:
    column = Column("id", 1, 23, "integer")
    table = Relation(20000, "public", "t", RelationKind.TABLE, (column, Column("a", 2, 25, "text")))
    return View(
        Snapshot(
            snapshot_id, "shop", "shop", True, 150000, 0.0, {20000: table}, {("public", "t"): table},
            schemas=frozenset({"public", "pg_catalog"}),
        )
    )  # fmt: skip


def pool_of(**limits: Any) -> AnalysisPool:
    return AnalysisPool(PoolLimits(**{"timeout_s": 5, "memory_bytes": 1024 * MIB, **limits}), CHEW)


@pytest.fixture
async def pool() -> AsyncIterator[AnalysisPool]:
    pool = pool_of()
    yield pool
    await pool.close()


async def seen(pool: AnalysisPool, text: str = "look", view: View | None = None) -> dict[str, Any]:
    analysis = await pool.analyse(text, view or view_of(), STATE)
    assert analysis.refusal is None, analysis
    answer: dict[str, Any] = ast.literal_eval(analysis.text_redacted)
    return answer


async def reason_of(pool: AnalysisPool, text: str) -> Reason:
    analysis = await pool.analyse(text, view_of(), STATE)
    assert analysis.refusal
    assert analysis.parts == ()
    return analysis.refusal.reason


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False


async def test_a_long_statement_is_analysed_as_a_short_one_would_be() -> None:
    """The same function, elsewhere."""
    pool = AnalysisPool()
    text = "insert into t values " + ", ".join(f"({number}, 'v{number}')" for number in range(5000))
    try:
        answer = await pool.analyse(text, view_of(), STATE)
    finally:
        await pool.close()
    assert answer == sql.analyse(text, view_of(), STATE)
    assert answer.refusal is None


async def test_a_worker_is_started_when_needed_and_kept(pool: AnalysisPool) -> None:
    assert not pool._all
    first = await seen(pool)
    assert (await seen(pool))["pid"] == first["pid"] != os.getpid()
    assert first["threads"] == 1, "not a fork of ours"


async def test_a_large_parent_does_not_end_a_worker(pool: AnalysisPool) -> None:
    """The kernel counts the peak of a process from before its exec."""
    ballast = bytearray(300 * MIB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    first = await seen(pool)
    assert (await seen(pool))["pid"] == first["pid"]


async def test_a_worker_is_told_no_secret(pool: AnalysisPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_MASTER_KEY", "secret")
    environment = (await seen(pool))["environment"]
    assert set(environment) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH"}


async def test_views_are_remembered_and_forgotten(pool: AnalysisPool) -> None:
    """More views than are kept, in turn: each answer is about its own."""
    for _ in range(2):
        for number in range(7):
            assert (await seen(pool, view=view_of(f"s{number}")))["snapshot"] == f"s{number}"


@pytest.mark.parametrize("word", ["sleep", "spin"])
async def test_what_takes_too_long_is_killed_and_refused(word: str) -> None:
    pool = pool_of(timeout_s=0.3)
    pid = (await seen(pool))["pid"]
    assert await reason_of(pool, word) is Reason.TOO_COMPLEX
    assert not is_running(pid)
    assert (await seen(pool))["pid"] != pid, "the next statement has a worker"
    await pool.close()


async def test_what_takes_too_much_memory_is_refused() -> None:
    pool = pool_of(memory_bytes=512 * MIB)
    assert await reason_of(pool, "eat") is Reason.TOO_COMPLEX
    assert (await seen(pool))["pid"]
    await pool.close()


async def test_a_worker_that_grew_is_replaced() -> None:
    """Python keeps what it once had."""
    pool = pool_of(memory_bytes=1024 * MIB)
    first = (await seen(pool, "gorge"))["pid"]
    assert (await seen(pool))["pid"] != first
    assert not is_running(first)
    await pool.close()


async def test_a_crash_is_refused(pool: AnalysisPool) -> None:
    assert await reason_of(pool, "crash") is Reason.TOO_COMPLEX
    assert (await seen(pool))["pid"]


async def test_a_failure_is_refused_without_its_words(pool: AnalysisPool) -> None:
    analysis = await pool.analyse("raise", view_of(), STATE)
    assert analysis.refusal
    assert analysis.refusal.reason is Reason.INTERNAL
    assert "secret" not in analysis.refusal.message


async def test_an_answer_cannot_run_anything_here(pool: AnalysisPool) -> None:
    """The worker has read a stranger's text; what it says is data."""
    marker = Path("/tmp/narrows-smuggled")
    marker.unlink(missing_ok=True)
    assert await reason_of(pool, "smuggle") is Reason.INTERNAL
    assert not marker.exists()


async def test_a_refused_text_is_not_repeated(pool: AnalysisPool) -> None:
    """Nobody has looked for secrets in it."""
    analysis = await pool.analyse("crash password 'hunter2'", view_of(), STATE)
    assert "hunter2" not in analysis.text_redacted
    assert "24 bytes" in analysis.text_redacted


async def test_a_full_queue_says_so_at_once() -> None:
    pool = pool_of(timeout_s=1, queue=2)
    await seen(pool)
    waiting = [asyncio.create_task(reason_of(pool, "sleep")) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert await reason_of(pool, "look") is Reason.BUSY
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await seen(pool))["pid"], "cancelled ones have left the queue"
    await pool.close()


async def test_a_client_that_leaves_frees_its_worker() -> None:
    pool = pool_of(timeout_s=60)
    pid = (await seen(pool))["pid"]
    leaving = asyncio.create_task(pool.analyse("spin", view_of(), STATE))
    await asyncio.sleep(0.1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not is_running(pid)
    await pool.close()


async def test_close_ends_every_worker() -> None:
    pool = pool_of(workers=2)
    pids = {answer["pid"] for answer in await asyncio.gather(*(seen(pool) for _ in range(6)))}
    await pool.close()
    assert not any(is_running(pid) for pid in pids)
