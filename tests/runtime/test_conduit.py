"""A conduit's budget holds whatever its owner wants."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from narrows.runtime.conduit import BUDGET_BYTES, Conduit

SENT = 8 * 1024 * 1024


class Eager:
    """An owner that always wants more, and notes how much it got in each turn of the loop."""

    def __init__(self) -> None:
        self.turns: list[int] = [0]
        self.total = 0
        self.ended = asyncio.get_running_loop().create_future()

    def on_bytes(self, conduit: Conduit, data: bytes) -> None:
        self.turns[-1] += len(data)
        self.total += len(data)
        conduit.want(True)

    def on_end(self, conduit: Conduit, error: Exception | None) -> None:
        self.ended.set_result(None)

    def on_writable(self, conduit: Conduit, is_writable: bool) -> None:
        """It never writes."""


async def _count_turns(owner: Eager) -> None:
    while True:
        await asyncio.sleep(0)
        owner.turns.append(0)


async def _take_everything() -> Eager:
    loop = asyncio.get_running_loop()
    owner = Eager()
    server = await loop.create_server(lambda: Conduit(lambda c: c.give_to(owner)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    counting = loop.create_task(_count_turns(owner))
    writer.write(b"x" * SENT)
    writer.close()
    await asyncio.wait_for(owner.ended, 30)
    counting.cancel()
    server.close()
    return owner


@pytest.mark.parametrize("factory", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_no_more_than_the_budget_in_one_turn(factory: object) -> None:
    """Without it one bulk result starves everyone: uvloop reads a fast socket many times in a row."""
    with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
        owner = runner.run(_take_everything())
    assert owner.total == SENT
    assert max(owner.turns) <= 2 * BUDGET_BYTES
