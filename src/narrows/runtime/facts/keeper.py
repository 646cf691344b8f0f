"""Keeps the snapshot of every database in use: read when first needed, again when told, compared on a beat.

Laws: who waits for a reading gets one that began after he asked; waiters share one reading, and its failure; what is
known to be outdated is not served; what could not be confirmed is served for `stale_limit_s` and no longer; no
connection stays open to a database that nobody retains, or nobody could drop it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.snapshot import Snapshot
from narrows.runtime.facts.query import Queries, QueryFailed
from narrows.runtime.facts.snapshot import ATTEMPTS, Known, Place, read_snapshot
from narrows.runtime.upstream import UpstreamUnavailable

log = structlog.get_logger(__name__)

LOCK_NOT_AVAILABLE = "55P03"

OpenQueries = Callable[[Place], Awaitable[Queries]]


class FactsUnavailable(Exception):
    """The schema of a target is not known; the message is safe for a caller."""

    def refusal(self) -> Refusal:
        """What the caller is told."""
        return Refusal(Reason.FACTS_UNAVAILABLE, str(self))


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    poll_s: float = 30.0
    """How often a schema is compared with what is known."""
    read_s: float = 60.0
    """One reading, from its first byte to its last."""
    stale_s: float = 300.0
    """How long a schema is served that could not be confirmed."""
    idle_s: float = 600.0
    """How long a database that nobody retains is still polled after its last use."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the facts about one database stand, for metrics and `doctor`."""

    place: Place
    snapshot_id: str | None
    age_s: float
    """Seconds since the schema was last confirmed; infinite where it never was."""
    is_outdated: bool
    failures: int
    """Readings that failed since the last one that did not."""
    read_s: float
    """What the last reading took."""


@dataclass
class _Entry:
    place: Place
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    known: Known | None = None
    queries: Queries | None = None
    confirmed_at: float = float("-inf")
    used_at: float = float("-inf")
    retained: int = 0
    changes: int = 0
    """Changes we know of, and how many of them the snapshot has seen."""
    changes_seen: int = 0
    is_moved: bool = False
    """The connection's configuration changed: what is open leads to the wrong place."""
    asked: int = 0
    """Tickets given out; a reading serves every ticket given out before it began."""
    serving: int = 0
    served: int = 0
    failure: FactsUnavailable | None = None
    failures: int = 0
    read_s: float = 0.0

    @property
    def is_outdated(self) -> bool:
        return self.changes != self.changes_seen


class SnapshotKeeper:
    """The snapshots of one gateway.

    `open_queries` signs in to a database with our own statements journalled. `on_change` is called with every
    snapshot that differs from the one before it.
    """

    def __init__(
        self,
        open_queries: OpenQueries,
        on_change: Callable[[Snapshot], None],
        limits: Limits = Limits(),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._open = open_queries
        self._on_change = on_change
        self._clock = clock
        self._now = monotonic
        self._entries: dict[Place, _Entry] = {}

    def current(self, place: Place) -> Snapshot | None:
        """The snapshot, where it may be used without waiting."""
        entry = self._entry(place)
        entry.used_at = self._now()
        return entry.known.snapshot if entry.known and self._is_fresh(entry) else None

    async def get(self, place: Place) -> Snapshot:
        """The snapshot, read first where it must be; raises FactsUnavailable."""
        if (snapshot := self.current(place)) is not None:
            return snapshot
        entry = self._entry(place)
        # A reading that is under way will do, unless a change asks for another.
        is_shared = entry.lock.locked() and not entry.is_outdated
        return await self._read_again(entry, entry.serving if is_shared else self._ticket(entry))

    async def changed(self, place: Place) -> Snapshot:
        """The snapshot after something through us changed the schema; raises FactsUnavailable."""
        entry = self._entry(place)
        entry.used_at = self._now()
        entry.changes += 1
        return await self._read_again(entry, self._ticket(entry))

    def outdate(self, connection: str, database: str) -> None:
        """A database changed: whoever keeps its schema, for whichever role, reads it before the next use."""
        for place, entry in self._entries.items():
            if (place.connection, place.database) == (connection, database):
                entry.changes += 1

    def retain(self, place: Place) -> None:
        """A session needs the facts about this database to stay current until `release`."""
        self._entry(place).retained += 1

    def release(self, place: Place) -> None:
        entry = self._entry(place)
        entry.retained -= 1
        entry.used_at = self._now()
        self._let_go(entry)

    def forget(self, place: Place) -> None:
        """The connection's configuration changed: read anew, over a new connection, when next needed."""
        if entry := self._entries.get(place):
            entry.changes += 1
            entry.is_moved = True

    def places(self) -> list[Place]:
        """Every database that is kept."""
        return list(self._entries)

    def statuses(self) -> list[Status]:
        """How everything that is kept stands now."""
        return [self._status(entry) for entry in self._entries.values()]

    async def run(self) -> None:
        """Poll until cancelled; then close what is open."""
        try:
            while True:
                await asyncio.sleep(self.limits.poll_s)
                await self.poll()
        finally:
            self.close()

    async def poll(self) -> None:
        """One beat of `run`; a failure is counted, and the old snapshot serves until it is stale."""
        self._drop_idle()
        async with asyncio.TaskGroup() as group:
            for entry in list(self._entries.values()):
                if not entry.lock.locked():
                    group.create_task(self._compare(entry))

    def close(self) -> None:
        for entry in self._entries.values():
            self._disconnect(entry)

    # -- inside

    def _entry(self, place: Place) -> _Entry:
        return self._entries.setdefault(place, _Entry(place))

    def _is_fresh(self, entry: _Entry) -> bool:
        return not entry.is_outdated and self._now() - entry.confirmed_at <= self.limits.stale_s

    def _ticket(self, entry: _Entry) -> int:
        entry.asked += 1
        return entry.asked

    async def _read_again(self, entry: _Entry, ticket: int) -> Snapshot:
        async with entry.lock:
            if entry.served < ticket:
                await self._serve(entry)
        if entry.failure is not None:
            raise FactsUnavailable(*entry.failure.args) from entry.failure
        assert entry.known is not None
        return entry.known.snapshot

    async def _compare(self, entry: _Entry) -> None:
        async with entry.lock:
            await self._serve(entry)
        self._let_go(entry)

    def _let_go(self, entry: _Entry) -> None:
        """Close the connection where no session needs it; a reading under way is closed on the next beat."""
        if not entry.retained and not entry.lock.locked():
            self._disconnect(entry)

    async def _serve(self, entry: _Entry) -> None:
        """One reading for every ticket given out so far; cancelled, it serves none."""
        entry.serving, changes, started = entry.asked, entry.changes, self._now()
        try:
            known = await self._read(entry)
        except Exception as error:
            self._on_failure(entry, error)
        else:
            entry.changes_seen = changes
            self._on_success(entry, known, started)
        entry.served = entry.serving

    def _on_success(self, entry: _Entry, known: Known, started: float) -> None:
        before, entry.known = entry.known, known
        entry.confirmed_at = started
        entry.read_s = self._now() - started
        entry.failure, entry.failures = None, 0
        if before is None or before.snapshot.id != known.snapshot.id:
            self._on_change(known.snapshot)

    def _on_failure(self, entry: _Entry, error: Exception) -> None:
        place = entry.place
        self._disconnect(entry)
        entry.failures += 1
        log.warning("schema_not_read", connection=place.connection, database=place.database, error=str(error))
        why = error.failed.fault.message if isinstance(error, UpstreamUnavailable) else "reading it failed"
        entry.failure = FactsUnavailable(
            f"the schema of {place.connection}/{place.database} is not known: {why}"
        )

    async def _read(self, entry: _Entry) -> Known:
        known = entry.known
        if entry.is_moved:
            self._disconnect(entry)
            entry.known, known, entry.is_moved = None, None, False
        if entry.queries is not None:
            try:
                found = await self._read_over(entry.queries, entry.place, known)
            except (QueryFailed, TimeoutError):
                self._disconnect(entry)  # it may have died of age; a fresh one decides
            else:
                if known is None or known.numbers[0] == found.numbers[0]:
                    return found
                # Settings of roles changed: only a new session shows what they are now.
                self._disconnect(entry)
                known = None
        for _ in range(ATTEMPTS - 1):
            entry.queries = await self._open(entry.place)
            try:
                return await self._read_over(entry.queries, entry.place, known)
            except QueryFailed as error:
                if error.sqlstate != LOCK_NOT_AVAILABLE:
                    raise
                self._disconnect(entry)
        entry.queries = await self._open(entry.place)
        return await self._read_over(entry.queries, entry.place, known)

    async def _read_over(self, queries: Queries, place: Place, known: Known | None) -> Known:
        return await read_snapshot(queries, place, self._clock, self.limits.read_s, known)

    def _disconnect(self, entry: _Entry) -> None:
        if entry.queries is not None:
            entry.queries.close()
            entry.queries = None

    def _drop_idle(self) -> None:
        """Stop keeping what nobody needs."""
        for place, entry in list(self._entries.items()):
            is_idle = not entry.retained and self._now() - entry.used_at > self.limits.idle_s
            if is_idle and not entry.lock.locked():
                self._disconnect(entry)
                del self._entries[place]

    def _status(self, entry: _Entry) -> Status:
        return Status(
            place=entry.place,
            snapshot_id=entry.known.snapshot.id if entry.known else None,
            age_s=self._now() - entry.confirmed_at,
            is_outdated=entry.is_outdated,
            failures=entry.failures,
            read_s=entry.read_s,
        )
