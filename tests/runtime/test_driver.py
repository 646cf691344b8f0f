"""The driver settles so many statements of one session, and then the others have their turn."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from narrows.model.principal import Principal, PrincipalKind
from narrows.model.session import Client, Session
from narrows.model.statement import Protocol, Statement
from narrows.model.verdict import Effect, Settled, Verdict, mint
from narrows.relay.machine import Ask, Cancel, Close, Command, Hold, Send, Side
from narrows.runtime.conduit import Conduit
from narrows.runtime.driver import ASKS_PER_TURN, RelayMachine, SessionDriver

SESSION = Session(
    "s1",
    Principal(PrincipalKind.USER, "alice"),
    "shop",
    "shop",
    Protocol.POSTGRES,
    Client("127.0.0.1", True),
    0.0,
    "token",
    "t1",
    1e12,
)
STATEMENT = Statement(Protocol.POSTGRES, "select", "select 1", ())


class FakeConduit:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def give_to(self, owner: object) -> None:
        """The test plays the owner's part."""

    def want(self, is_wanted: bool) -> None:
        """Flow is not looked at here."""

    def close(self) -> None:
        self.written.append(b"closed")

    def abort(self) -> None:
        """Closed already."""


class Pipeline:
    """A machine with so many statements waiting, each asked once the one before is settled."""

    wants_client_input = True
    is_idle = False

    def __init__(self, count: int) -> None:
        self.left = count
        self.next = 0

    def _ask(self) -> list[Command]:
        if self.next == self.left:
            return []
        self.next += 1
        return [Ask(Hold(self.next), STATEMENT)]

    def receive(self, side: Side, data: bytes) -> list[Command]:
        return self._ask()

    def resume(self, hold: Hold, settled: Settled) -> list[Command]:
        return [Send(Side.UPSTREAM, b"%d " % hold.number), *self._ask()]

    def closed(self, side: Side) -> list[Command]:
        return [Cancel(), Close("gone")]


class Services:
    def __init__(self) -> None:
        self.turn = 0
        self.settled: list[int] = []
        self.cancelled = 0
        self.reasons: list[str] = []

    async def settle(self, statement: Statement) -> Settled:
        self.settled.append(self.turn)
        return mint("w.1", Verdict(Effect.ALLOW), None)

    async def cancel_upstream(self) -> None:
        self.cancelled += 1

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


def _driver(count: int) -> tuple[SessionDriver, Services, FakeConduit, FakeConduit]:
    services, client, upstream = Services(), FakeConduit(), FakeConduit()
    loop = asyncio.get_running_loop()
    driver = SessionDriver(
        SESSION,
        cast(RelayMachine, Pipeline(count)),
        cast(Conduit, client),
        cast(Conduit, upstream),
        cast(Any, services),
        lambda work: loop.create_task(cast(Any, work)),
    )
    return driver, services, client, upstream


async def test_a_long_pipeline_is_settled_a_few_at_a_time_and_in_order() -> None:
    driver, services, client, upstream = _driver(1000)
    driver.on_bytes(cast(Conduit, client), b"x")
    while len(services.settled) < 1000:
        services.turn += 1
        await asyncio.sleep(0)
    most = max(services.settled.count(turn) for turn in range(services.turn + 1))
    assert most <= ASKS_PER_TURN
    assert b"".join(upstream.written) == b"".join(b"%d " % n for n in range(1, 1001))
    assert driver.statements == 1000


async def test_what_waits_its_turn_does_not_run_for_a_client_that_is_gone() -> None:
    driver, services, client, upstream = _driver(1000)
    driver.on_bytes(cast(Conduit, client), b"x")
    driver.on_end(cast(Conduit, client), None)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(services.settled) == ASKS_PER_TURN
    assert services.cancelled == 1
    assert services.reasons
    assert upstream.written[-1] == b"closed"
