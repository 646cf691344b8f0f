"""The few threads in which the event loop has the store and the credential providers work.

Law: what waits is bounded; beyond that a caller is refused at once, for a queue that only grows helps nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from narrows.store.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Pool:
    """`await pool.run(function, *args)` from the loop; at most `waiting` calls in hand at once."""

    def __init__(self, threads: int = 4, waiting: int = 256) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="narrows-store")
        self._room = BoundedSemaphore(waiting)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, or its exception; StoreError where too much waits already.

        A cancelled caller stops waiting; a function that has begun runs to its end.
        """
        return await asyncio.wrap_future(self._submit(function, *args, **kwargs))

    def post(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Have it done some time, for what may be lost: a failure is logged, a full pool drops it."""
        try:
            self._submit(function, *args, **kwargs).add_done_callback(_log_failure)
        except StoreError as error:
            _log.warning("dropped: %s", error)

    def close(self) -> None:
        """Finish what has begun, drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._room.acquire(blocking=False):
            raise StoreError("Too many calls wait for the store", "Try again shortly.", is_transient=True)
        try:
            future = self._executor.submit(function, *args, **kwargs)
        except RuntimeError as error:
            self._room.release()
            raise StoreError("The store is closed", "The gateway is shutting down; connect again.") from error
        future.add_done_callback(lambda _: self._room.release())
        return future


def _log_failure(future: Future[object]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.warning("background work failed: %s", error)
