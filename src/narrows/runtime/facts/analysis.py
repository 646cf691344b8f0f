"""Analyses long statements in processes of their own, so that an expensive one holds up nobody else.

Laws: a process is started when first needed, by exec and never by fork; it is killed when a statement takes too
long, dies when it takes too much memory, and either way the statement is refused as too complex; at most
`queue` statements wait, the next is refused as busy. What comes back is read as plain values of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import itertools
import os
import pickle
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from narrows.inspect.sql.analysis import Analysis, SessionState, View
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.runtime.facts.analysis_worker import LENGTH

log = structlog.get_logger(__name__)

VIEWS_KEPT = 4
"""Views that a worker remembers; one of ten thousand tables is 6 MB to send."""
START_S = 20.0
"""What a worker may take to import what it needs; it says when it is ready."""
THREAD_BYTES = 64 * 1024
"""From this size on, pickling is done away from the loop."""

_ANALYSE = "narrows.inspect.sql:analyse"
_PLAIN = frozenset(
    {("builtins", "frozenset"), ("builtins", "set"), ("builtins", "dict"), ("builtins", "complex")}
)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much analysis may take."""

    workers: int = 1
    timeout_s: float = 15.0
    memory_bytes: int = 2 * 1024**3
    """Of one worker's address space."""
    queue: int = 16
    """Statements that wait for a worker."""


@dataclass(eq=False)
class _Worker:
    process: asyncio.subprocess.Process = field(repr=False)
    views: OrderedDict[tuple[object, ...], int] = field(default_factory=OrderedDict)


class AnalysisPool:
    """A few worker processes behind one call.

    `function` is what they run, as `module:name`.
    """

    def __init__(self, limits: PoolLimits = PoolLimits(), function: str = _ANALYSE) -> None:
        self.limits = limits
        self._function = function
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._free = asyncio.Semaphore(limits.workers)
        self._waiting = 0
        self._numbers = itertools.count(1)

    async def analyse(self, text: str, view: View, state: SessionState) -> Analysis:
        """The analysis of a text; what goes wrong is a refusal in it."""
        if self._free.locked() and self._waiting >= self.limits.queue:
            return refused(text, Refusal(Reason.BUSY, "too many long statements wait for analysis"))
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._run(text, view, state)
        finally:
            self._free.release()

    async def close(self) -> None:
        """End every worker."""
        for worker in list(self._all):
            await self._end(worker)

    # -- inside

    async def _run(self, text: str, view: View, state: SessionState) -> Analysis:
        try:
            async with self._worker() as worker:
                async with asyncio.timeout(self.limits.timeout_s):
                    return await self._ask(worker, text, view, state)
        except TimeoutError:
            return refused(text, Refusal(Reason.TOO_COMPLEX, "analysing the statement took too long"))
        except (EOFError, ConnectionError, asyncio.IncompleteReadError):
            # Killed by the kernel, or crashed in the parser: both for want of memory.
            return refused(text, Refusal(Reason.TOO_COMPLEX, "analysing the statement took too much memory"))
        except Exception as error:
            log.exception("analysis_failed")
            return refused(text, Refusal(Reason.INTERNAL, f"analysis failed: {type(error).__name__}"))

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        """A worker for one statement; it is killed where that does not end well."""
        worker = self._take_idle() or await self._start()
        try:
            yield worker
        except BaseException:
            await self._end(worker)
            raise
        if worker in self._all:
            self._idle.append(worker)

    def _take_idle(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            self._all.discard(worker)
        return None

    async def _start(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "narrows.runtime.facts.analysis_worker"),
            *(str(self.limits.memory_bytes), self._function),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            cwd="/",
        )
        worker = _Worker(process)
        self._all.add(worker)
        try:
            async with asyncio.timeout(START_S):
                await _receive(worker)
        except TimeoutError:
            await self._end(worker)
            raise RuntimeError("a worker did not start in time") from None
        except BaseException:
            await self._end(worker)
            raise
        return worker

    async def _ask(self, worker: _Worker, text: str, view: View, state: SessionState) -> Analysis:
        number = await self._show(worker, view)
        request = ("analyse", number, text, state, self.limits.timeout_s)
        await _send(worker, await _dump(request, len(text) + _letters(state)))
        kind, answer, is_last = await _receive(worker)
        if is_last:
            await self._end(worker)
        if kind == "done":
            assert isinstance(answer, Analysis)
            return answer
        if kind == "too_complex":
            return refused(text, Refusal(Reason.TOO_COMPLEX, "analysing the statement took too much memory"))
        return refused(text, Refusal(Reason.INTERNAL, f"analysis failed: {answer}"))

    async def _show(self, worker: _Worker, view: View) -> int:
        """The number under which the worker knows a view; sent where it does not."""
        if view.key in worker.views:
            worker.views.move_to_end(view.key)
            return worker.views[view.key]
        if len(worker.views) >= VIEWS_KEPT:
            _, forgotten = worker.views.popitem(last=False)
            await _send(worker, pickle.dumps(("forget", forgotten)))
        number = next(self._numbers)
        await _send(worker, await _dump(("view", number, view), THREAD_BYTES))
        worker.views[view.key] = number
        return number

    async def _end(self, worker: _Worker) -> None:
        if worker not in self._all:
            return
        self._all.discard(worker)
        if worker.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        # To the end even if the caller is being cancelled: nothing of ours is left behind.
        await asyncio.shield(worker.process.wait())


def refused(text: str, refusal: Refusal) -> Analysis:
    """An analysis that did not happen. The text may hold secrets that nobody has found, so its digest stands in."""
    data = text.encode("utf-8", "surrogateescape")
    return Analysis(
        (), f"-- {len(data)} bytes, not analysed; sha256 {hashlib.sha256(data).hexdigest()}", refusal
    )


def _environment() -> dict[str, str]:
    """What Python needs, and nothing of ours: the environment may hold secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def _send(worker: _Worker, data: bytes) -> None:
    assert worker.process.stdin
    worker.process.stdin.write(LENGTH.pack(len(data)))
    worker.process.stdin.write(data)
    await worker.process.stdin.drain()


async def _receive(worker: _Worker) -> tuple[str, object, bool]:
    source = worker.process.stdout
    assert source
    size = LENGTH.unpack(await source.readexactly(LENGTH.size))[0]
    data = await source.readexactly(size)
    kind, answer, is_last = await asyncio.to_thread(_load, data) if size >= THREAD_BYTES else _load(data)
    return kind, answer, is_last


async def _dump(value: object, size: int) -> bytes:
    if size < THREAD_BYTES:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return await asyncio.to_thread(pickle.dumps, value, pickle.HIGHEST_PROTOCOL)


def _letters(state: SessionState) -> int:
    """How much text a session's state holds; an EXECUTE of nine letters may need sixteen million."""
    return sum(len(each.text) for named in (state.prepared, state.cursors) for each in named.values())


class _Answers(pickle.Unpickler):
    """Reads our own values only: the worker has chewed on what a stranger wrote."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith(("narrows.model.", "narrows.inspect.")) and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in an analysis")


def _load(data: bytes) -> Any:
    return _Answers(io.BytesIO(data)).load()
