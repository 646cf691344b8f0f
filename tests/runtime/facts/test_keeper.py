"""The keeper's promises, against a stub whose schema the test changes, and against a real target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from narrows.model.reason import Reason
from narrows.model.secret import Secret
from narrows.model.snapshot import Snapshot
from narrows.model.target import Target, TlsMode
from narrows.runtime.facts import catalog
from narrows.runtime.facts.keeper import FactsUnavailable, Limits, SnapshotKeeper
from narrows.runtime.facts.query import Queries, open_queries
from narrows.runtime.facts.snapshot import Place
from narrows.runtime.upstream import Deadlines
from tests.runtime.facts.conftest import Announced, target_of
from tests.servers import adversity, stub
from tests.servers.postgres import Database

HOME = Place("shop", "shop")
LIMITS = Limits(poll_s=3600, read_s=2, stale_s=300, idle_s=600)


@dataclass
class World:
    """A keeper, the stub it reads, the proxy between them, and the clock."""

    server: stub.Stub
    way: adversity.Proxy
    now: float = 1000.0
    seen: list[Snapshot] = field(default_factory=list)
    schemas: list[str] = field(default_factory=lambda: ["public"])
    keeper: SnapshotKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = SnapshotKeeper(self.open, self.seen.append, LIMITS, lambda: self.now, lambda: self.now)
        usual = self.server.answer
        self.server.answer = lambda text: b"".join(self._answer(part, usual) for part in text.split(";\n"))

    def _answer(self, text: str, usual: Callable[[str], bytes]) -> bytes:
        number = str(len(self.schemas))
        if text == catalog.sql("digest"):
            return stub.result([("0", number, "0", "0", "0", "0")])
        if text.startswith("select nspname"):
            return stub.result([(name,) for name in self.schemas])
        return usual(text)

    async def open(self, place: Place) -> Queries:
        target = Target("shop", "127.0.0.1", self.way.port, place.database, "app", TlsMode.DISABLE)
        return await open_queries(target, Secret("x"), Announced(), Deadlines(1, 1))

    @property
    def readings(self) -> int:
        """Texts that read sections, without those that only compared."""
        return sum("current_setting" in text or "select nspname" in text for text in self.server.texts)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_so():
                await asyncio.sleep(0.005)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with stub.started() as server, adversity.proxy("127.0.0.1", server.port) as way:
        world = World(server, way)
        yield world
        world.keeper.close()


async def test_the_first_need_reads_once_for_all(world: World) -> None:
    assert world.keeper.current(HOME) is None
    found = await asyncio.gather(*(world.keeper.get(HOME) for _ in range(50)))
    assert len({id(snapshot) for snapshot in found}) == 1
    assert (world.readings, len(world.server.startups)) == (1, 1)
    assert world.keeper.current(HOME) is found[0]
    assert world.seen == [found[0]]


async def test_databases_are_kept_apart(world: World) -> None:
    one, other = await asyncio.gather(world.keeper.get(HOME), world.keeper.get(Place("shop", "b", False)))
    assert (one.database, other.database, other.is_home) == ("shop", "b", False)


async def test_a_change_is_read_before_the_answer(world: World) -> None:
    before = await world.keeper.get(HOME)
    world.schemas.append("fresh")
    after = await world.keeper.changed(HOME)
    assert "fresh" in after.schemas
    assert world.seen == [before, after]
    assert await world.keeper.get(HOME) is after


async def test_a_change_during_a_reading_asks_for_another(world: World) -> None:
    """The reading under way may have begun before the change."""
    await world.keeper.get(HOME)
    world.way.to_client.stall()
    first = asyncio.create_task(world.keeper.changed(HOME))
    compared = len(world.server.texts)
    await world.until(lambda: len(world.server.texts) > compared)
    world.schemas.append("fresh")  # after the first reading was answered, before it arrived
    second = asyncio.create_task(world.keeper.changed(HOME))
    await asyncio.sleep(0.02)
    assert world.keeper.current(HOME) is None, "what is known to be outdated is not served"
    world.way.to_client.resume()
    assert "fresh" not in (await first).schemas
    assert "fresh" in (await second).schemas


async def test_many_changes_share_readings(world: World) -> None:
    """A migration in thirty sessions does not read thirty times."""
    await world.keeper.get(HOME)
    world.schemas.append("fresh")
    before = len(world.server.texts)
    await asyncio.gather(*(world.keeper.changed(HOME) for _ in range(30)))
    assert len(world.server.texts) - before <= 4


async def test_a_cancelled_waiter_does_not_harm_the_others(world: World) -> None:
    world.way.to_client.stall()
    first = asyncio.create_task(world.keeper.get(HOME))
    await world.until(lambda: world.way.connections == 1)
    others = [asyncio.create_task(world.keeper.get(HOME)) for _ in range(3)]
    await asyncio.sleep(0.01)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    world.way.to_client.resume()
    assert len({id(snapshot) for snapshot in await asyncio.gather(*others)}) == 1


async def test_a_poll_finds_what_changed_around_us(world: World) -> None:
    world.keeper.retain(HOME)
    before = await world.keeper.get(HOME)
    await world.keeper.poll()
    assert world.seen == [before]
    world.schemas.append("fresh")
    await world.keeper.poll()
    assert len(world.seen) == 2
    assert "fresh" in world.seen[-1].schemas
    assert len(world.server.startups) == 1, "over the connection that is kept"


async def test_a_target_that_went_away_is_served_from_memory_for_so_long(world: World) -> None:
    known = await world.keeper.get(HOME)
    world.way.target_port = 1  # nothing listens there
    world.way.cut()
    await world.keeper.poll()
    [status] = world.keeper.statuses()
    assert status.failures == 1
    world.now += LIMITS.stale_s
    assert await world.keeper.get(HOME) is known
    world.now += 1
    assert world.keeper.current(HOME) is None
    with pytest.raises(FactsUnavailable) as caught:
        await world.keeper.get(HOME)
    assert caught.value.refusal().reason is Reason.FACTS_UNAVAILABLE
    assert "shop/shop" in str(caught.value)
    world.way.target_port = world.server.port
    assert (await world.keeper.get(HOME)).id == known.id
    [status] = world.keeper.statuses()
    assert (status.failures, status.age_s) == (0, 0)


async def test_after_a_change_that_cannot_be_read_nothing_is_served(world: World) -> None:
    """The old snapshot is known to be wrong."""
    await world.keeper.get(HOME)
    world.way.target_port = 1
    world.way.cut()
    with pytest.raises(FactsUnavailable):
        await world.keeper.changed(HOME)
    assert world.keeper.current(HOME) is None
    with pytest.raises(FactsUnavailable):
        await world.keeper.get(HOME)
    world.way.target_port = world.server.port
    await world.keeper.get(HOME)


async def test_waiters_share_a_failure(world: World) -> None:
    """A hundred sessions do not knock a hundred times at a dead target, each after the other's time limit."""
    world.way.to_client.stall()
    async with asyncio.timeout(4):
        found = await asyncio.gather(*(world.keeper.get(HOME) for _ in range(100)), return_exceptions=True)
    assert all(isinstance(each, FactsUnavailable) for each in found)
    assert world.way.connections <= 2
    world.way.to_client.resume()


async def test_a_connection_that_died_of_age_is_replaced_without_a_word(world: World) -> None:
    await world.keeper.get(HOME)
    world.way.cut()
    await world.keeper.changed(HOME)
    assert len(world.server.startups) == 2


async def test_what_nobody_uses_is_let_go(world: World) -> None:
    await world.keeper.get(HOME)
    await world.keeper.get(other := Place("shop", "b", False))
    world.keeper.retain(other)
    world.now += LIMITS.idle_s + 1
    await world.keeper.poll()
    assert [status.place for status in world.keeper.statuses()] == [other]
    await world.until(lambda: world.server.open == 1)
    world.keeper.release(other)
    world.now += LIMITS.idle_s + 1
    await world.keeper.poll()
    assert world.keeper.statuses() == []


async def test_no_connection_stays_where_no_session_is(world: World) -> None:
    """What is known stays, and is compared on the beat over a connection that is closed again."""
    world.keeper.retain(HOME)
    await world.keeper.get(HOME)
    await world.keeper.poll()
    assert world.server.open == 1
    world.keeper.release(HOME)
    await world.until(lambda: world.server.open == 0)
    assert world.keeper.current(HOME) is not None
    world.schemas.append("fresh")
    await world.keeper.poll()
    assert len(world.seen) == 2
    await world.until(lambda: world.server.open == 0)


async def test_a_changed_configuration_reads_over_a_new_connection(world: World) -> None:
    await world.keeper.get(HOME)
    world.keeper.forget(HOME)
    assert world.keeper.current(HOME) is None
    await world.keeper.get(HOME)
    assert len(world.server.startups) == 2


async def test_run_polls_and_closes_at_the_end(world: World) -> None:
    world.keeper.limits = Limits(poll_s=0.01, read_s=2)
    await world.keeper.get(HOME)
    running = asyncio.create_task(world.keeper.run())
    world.schemas.append("fresh")
    await world.until(lambda: len(world.seen) == 2)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await world.until(lambda: world.server.open == 0)


@asynccontextmanager
async def kept(database: Database) -> AsyncIterator[SnapshotKeeper]:
    async def connect(place: Place) -> Queries:
        app = database.app
        return await open_queries(target_of(database, app), Secret(app.password), Announced())

    keeper = SnapshotKeeper(connect, lambda _: None, LIMITS)
    try:
        yield keeper
    finally:
        keeper.close()


async def test_a_role_whose_settings_changed_is_seen_by_a_new_session(shop: Database) -> None:
    async with kept(shop) as keeper:
        assert (await keeper.get(HOME)).default_search_path == ("$user", "public")
        shop.query(f'alter role {shop.app.user} in database "{shop.name}" set search_path = other')
        assert (await keeper.changed(HOME)).default_search_path == ("other",)


async def test_a_migration_of_fifty_statements_stays_cheap(shop: Database) -> None:
    """Each is read before the next; what did not change is not."""
    async with kept(shop) as keeper:
        await keeper.get(HOME)
        started = asyncio.get_running_loop().time()
        for number in range(50):
            shop.query(f"create table migrated_{number} (a int)")
            snapshot = await keeper.changed(HOME)
            assert ("public", f"migrated_{number}") in snapshot.by_name
        assert asyncio.get_running_loop().time() - started < 15
