"""Group commit: many records, one fsync, in a thread.

Laws: a waiter returns only after an fsync that began after its write; when an fsync fails every waiter
fails and nothing more is confirmed until what it may have lost was written again (after a failed fsync
the kernel drops its dirty pages: asking a second time would succeed and prove nothing).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from narrows.journal import files

UNSYNCED_BYTES = 64 << 20
"""What may wait in memory for the disk; beyond it nothing is appended."""

Sync = Callable[[int], None]
Failed = Callable[[OSError, list[str]], Exception]


class GroupCommit:
    """Confirms what was written to one chain; every method but `confirmed` is called under the lock."""

    def __init__(
        self, lock: threading.RLock, current: Callable[[], int], sync: Sync, on_failed: Failed
    ) -> None:
        self.fault: OSError | None = None
        self._lock = lock
        self._current = current
        self._sync = sync
        self._on_failed = on_failed
        self._pool = ThreadPoolExecutor(1, "narrows-journal-sync")
        self._written = 0
        self._synced = 0
        self._pending: deque[tuple[int, bytes]] = deque()
        self._waiters: list[tuple[int, str, asyncio.Future[None]]] = []
        self._is_running = False
        self._rewrite: Future[int] | None = None

    @property
    def unsynced(self) -> int:
        """Bytes written and not yet known to be on the disk."""
        return self._written - self._synced

    def wrote(self, content: bytes) -> None:
        self._written += len(content)
        self._pending.append((self._written, content))

    async def confirmed(self, record: str) -> None:
        """Wait until all that is written now is on the disk; raises what `on_failed` made of a failure."""
        with self._lock:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append((self._written, record, waiter))
            if self.fault is not None:
                self._fail(self.fault)
            elif not self._is_running:
                self.start()
        await waiter

    def start(self) -> None:
        """Begin an fsync, where none runs and something waits for one; needs the running loop."""
        if self._is_running or not self.unsynced or self.fault is not None:
            return
        self._is_running = True
        target = self._written
        fd = os.dup(self._current())
        done = asyncio.get_running_loop().run_in_executor(self._pool, _sync_copy, self._sync, fd)
        done.add_done_callback(partial(self._on_done, target))

    def sync_now(self) -> None:
        """Block until all is on the disk: before a segment is left behind, and at the end."""
        if self.fault is not None:
            raise self.fault
        try:
            self._sync(self._current())
        except OSError as fault:
            self._fail(fault)
            raise
        self._confirm(self._written)

    def rewrite(self, path: Path, size: int) -> int | None:
        """After a failure: a file descriptor once all unsynced bytes were written again, None until then.

        Each call begins an attempt, in the thread, or takes the result of the last one.
        """
        if self._rewrite is None:
            content = b"".join(content for _, content in self._pending)
            self._rewrite = self._pool.submit(_write_again, self._sync, path, size - len(content), content)
            return None
        if not self._rewrite.done():
            return None
        attempt, self._rewrite = self._rewrite, None
        if attempt.exception() is not None:
            return None
        self.fault = None
        self._confirm(self._written)
        return attempt.result()

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        if self._rewrite is not None and self._rewrite.exception() is None:
            os.close(self._rewrite.result())
            self._rewrite = None

    def _on_done(self, target: int, done: asyncio.Future[None]) -> None:
        with self._lock:
            self._is_running = False
            fault = OSError("the wait was cancelled") if done.cancelled() else done.exception()
            if fault is not None:
                self._fail(fault if isinstance(fault, OSError) else OSError(str(fault)))
                return
            self._confirm(target)
            if self._waiters:
                self.start()

    def _confirm(self, target: int) -> None:
        self._synced = max(self._synced, target)
        while self._pending and self._pending[0][0] <= self._synced:
            self._pending.popleft()
        ready = [waiter for waiter in self._waiters if waiter[0] <= self._synced]
        self._waiters = [waiter for waiter in self._waiters if waiter[0] > self._synced]
        for _, _, future in ready:
            _resolve(future, None)

    def _fail(self, fault: OSError) -> None:
        self.fault = fault
        waiters, self._waiters = self._waiters, []
        message = self._on_failed(fault, [record for _, record, _ in waiters])
        for _, _, future in waiters:
            _resolve(future, message)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _resolve(waiter: asyncio.Future[None], fault: Exception | None) -> None:
    """Answer a waiter, from whichever thread."""
    loop = waiter.get_loop()
    if running_loop() is loop:
        _settle(waiter, fault)
    elif not loop.is_closed():
        loop.call_soon_threadsafe(_settle, waiter, fault)


def _settle(waiter: asyncio.Future[None], fault: Exception | None) -> None:
    if waiter.done():
        return
    if fault is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(fault)


def _sync_copy(sync: Sync, fd: int) -> None:
    try:
        sync(fd)
    finally:
        os.close(fd)


def _write_again(sync: Sync, path: Path, size: int, content: bytes) -> int:
    fd = files.open_for_append(path)
    try:
        os.ftruncate(fd, size)
        files.write_whole(fd, content, size)
        sync(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd
