"""Drives one session's machine: carries bytes to it, carries out its commands, asks the gate.

Laws: commands run in the order given, in a loop and never recursively; a statement that cannot be settled is
refused, whatever failed; nothing runs for a client that is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

import structlog

from narrows.gate.ports import CannotRecord
from narrows.model.label import Labels
from narrows.model.outcome import Outcome
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Session
from narrows.model.statement import Statement
from narrows.model.verdict import Settled
from narrows.relay.machine import (
    Analyse,
    Ask,
    Cancel,
    Close,
    Command,
    Finished,
    Hold,
    Machine,
    Own,
    SchemaChanged,
    Send,
    Side,
    Withdraw,
)
from narrows.runtime.conduit import LINGER_S, Conduit

ASKS_PER_TURN = 32
"""Statements of one session that are settled before the others have their turn, however small they are."""

log = structlog.get_logger(__name__)


class RelayMachine(Machine, Protocol):
    """What a session's machine offers beyond bytes in, commands out."""

    @property
    def wants_client_input(self) -> bool: ...

    def analysed(self, hold: Hold, analysis: object) -> list[Command]: ...

    def schema_changing(self) -> None: ...

    def schema_read(self, view: object) -> list[Command]: ...

    def update_view(self, view: object, labels: Labels | None = None) -> None: ...

    @property
    def is_idle(self) -> bool: ...

    @property
    def is_waiting_in_block(self) -> bool: ...

    def cancel(self) -> list[Command]: ...

    def drain(self) -> list[Command]: ...

    def end(self, refusal: Refusal) -> list[Command]: ...


class Services(Protocol):
    """What the driver has done for its session; what cannot be done is refused, never skipped."""

    async def settle(self, statement: Statement) -> Settled: ...

    async def analyse(self, machine: RelayMachine, text: str) -> object: ...

    async def schema_changed(self) -> object | None:
        """The view after a new reading of the schema; None where it cannot be read."""

    async def own(self, text: str, purpose: str) -> None:
        """Journals a statement of ours; raises `CannotRecord`."""

    def finished(self, outcome: Outcome) -> None: ...

    async def cancel_upstream(self) -> None: ...

    def closed(self, reason: str) -> None: ...


class SessionDriver:
    """One client, one upstream, one machine."""

    def __init__(
        self,
        session: Session,
        machine: RelayMachine,
        client: Conduit,
        upstream: Conduit,
        services: Services,
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        self.session = session
        self.machine = machine
        self.statements = 0
        self._loop = asyncio.get_running_loop()
        self.used_at = self._loop.time()
        """When bytes last came from the client, on the loop's clock."""
        self.ended = self._loop.create_future()
        self._conduits = {Side.CLIENT: client, Side.UPSTREAM: upstream}
        self._sides = {client: Side.CLIENT, upstream: Side.UPSTREAM}
        self._services = services
        self._spawn = spawn
        self._queue: deque[Command] = deque()
        self._is_running = False
        self._asked = 0
        self._writable = {Side.CLIENT: True, Side.UPSTREAM: True}
        self._waiting: dict[int, asyncio.Task[None]] = {}
        self._blocked = False
        self._out: dict[Side, list[bytes]] = {Side.CLIENT: [], Side.UPSTREAM: []}
        self._close_reason: str | None = None

    def start(self, first: bytes) -> None:
        """Take over both conduits; `first` is what the client already sent for the session."""
        if first:
            self.on_bytes(self._conduits[Side.CLIENT], first)
        for conduit in self._conduits.values():
            conduit.give_to(self)
        self._flow()

    # -- what the conduits tell us

    def on_bytes(self, conduit: Conduit, data: bytes) -> None:
        if self._close_reason is None:
            side = self._sides[conduit]
            if side is Side.CLIENT:
                self.used_at = self._loop.time()
                if not self._blocked:
                    self._asked = 0
            self._run(self._guarded(lambda: self.machine.receive(side, data)))

    def on_end(self, conduit: Conduit, _error: Exception | None) -> None:
        if self._close_reason is None:
            side = self._sides[conduit]
            commands = self._guarded(lambda: self.machine.closed(side))
            if self._blocked:  # what waits its turn never gets one; what must still be done is done now
                for command in commands:
                    if isinstance(command, Cancel | Finished):
                        self._carry_out(command)
            else:
                self._run(commands)
            if self._close_reason is None:
                self._close(f"{side.value} went away")

    def on_writable(self, conduit: Conduit, is_writable: bool) -> None:
        self._writable[self._sides[conduit]] = is_writable
        self._flow()

    # -- what the runtime tells us

    def cancel(self) -> None:
        """A CancelRequest with this session's key arrived."""
        self._tell(self.machine.cancel)

    def drain(self) -> None:
        """End the session as soon as nothing is open."""
        self._tell(self.machine.drain)

    def end(self, refusal: Refusal) -> None:
        """End the session now, telling the client why."""
        self._tell(lambda: self.machine.end(refusal))

    def schema_changing(self) -> None:
        """Another session changed the schema: settle nothing more until `schema_read`."""
        if self._close_reason is None:
            self.machine.schema_changing()

    def schema_read(self, view: object) -> None:
        """The schema as it is after the change."""
        self._tell(lambda: self.machine.schema_read(view))

    def stop(self, reason: str) -> None:
        """Close both sides now; without effect where the session has ended."""
        self._close(reason)

    def update_view(self, view: object, labels: Labels | None = None) -> None:
        """Labels, policies or schema were read anew."""
        if self._close_reason is None:
            self.machine.update_view(view, labels)

    def _tell(self, ask: Callable[[], list[Command]]) -> None:
        if self._close_reason is None:
            self._run(self._guarded(ask))

    # -- carrying out commands

    def _guarded(self, produce: Callable[[], list[Command]]) -> list[Command]:
        """A machine that fails ends its session: an open question is a closed door."""
        try:
            return produce()
        except Exception:
            log.exception("machine_failed", session=self.session.id)
            return [Close("internal error")]

    def _run(self, commands: list[Command]) -> None:
        self._queue.extend(commands)
        if self._is_running or self._blocked:
            return
        self._is_running = True
        try:
            while self._queue and not self._blocked and self._close_reason is None:
                self._carry_out(self._queue.popleft())
        finally:
            self._is_running = False
        self._flush()
        self._flow()

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(to, data):
                self._out[to].append(data)
            case Ask() if self._asked >= ASKS_PER_TURN:
                self._queue.appendleft(command)
                self._blocked = True
                self._loop.call_soon(self._next_turn)
            case Ask(hold, statement):
                self._asked += 1
                self.statements += 1
                self._await(hold, self._settle(hold, statement))
            case Finished(outcome):
                self._services.finished(outcome)
            case Own(text, purpose):
                self._in_order(self._own(text, purpose))
            case Analyse(hold, text):
                self._hold(hold, self._analyse(hold, text))  # its time limit needs a task
            case Withdraw(hold):
                if task := self._waiting.pop(hold.number, None):
                    task.cancel()
            case SchemaChanged():
                self._spawn(self._schema_changed())
            case Cancel():
                self._spawn(self._services.cancel_upstream())
            case Close(reason):
                self._close(reason)

    def _await(self, hold: Hold, work: Coroutine[object, object, None]) -> None:
        """Run `work` at once as far as it goes without waiting; the rest of it becomes a task."""
        rest = _eagerly(work)
        if rest is not None:
            self._hold(hold, rest)

    def _hold(self, hold: Hold, work: Coroutine[object, object, None]) -> None:
        """Run `work` as a task that ends when the hold is withdrawn."""
        task = self._spawn(work)
        self._waiting[hold.number] = task
        task.add_done_callback(lambda _: self._waiting.pop(hold.number, None))

    def _in_order(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` before the next command, waiting for it where it must wait."""
        rest = _eagerly(work)
        if rest is not None:
            self._blocked = True
            self._spawn(rest).add_done_callback(self._unblock)

    def _next_turn(self) -> None:
        self._asked = 0
        self._unblock(None)

    def _unblock(self, _: object) -> None:
        self._blocked = False
        self._run([])

    async def _settle(self, hold: Hold, statement: Statement) -> None:
        settled = await self._services.settle(statement)
        if self._close_reason is None:
            self._run(self._guarded(lambda: self.machine.resume(hold, settled)))

    async def _analyse(self, hold: Hold, text: str) -> None:
        analysis = await self._services.analyse(self.machine, text)
        if self._close_reason is None:
            self._run(self._guarded(lambda: self.machine.analysed(hold, analysis)))

    async def _schema_changed(self) -> None:
        view = await self._services.schema_changed()
        if view is None:
            self.end(
                Refusal(Reason.FACTS_UNAVAILABLE, "the target's schema could not be read after it changed")
            )
        elif self._close_reason is None:
            self._run(self._guarded(lambda: self.machine.schema_read(view)))

    async def _own(self, text: str, purpose: str) -> None:
        try:
            await self._services.own(text, purpose)
        except CannotRecord:
            self._close("the journal cannot be written")

    # -- flow

    def _flush(self) -> None:
        for side, parts in self._out.items():
            if parts:
                self._conduits[side].write(parts[0] if len(parts) == 1 else b"".join(parts))
                parts.clear()

    def _flow(self) -> None:
        """Read a side only while the other can take it and the machine wants it."""
        if self._close_reason is not None:
            return
        client, upstream = self._conduits[Side.CLIENT], self._conduits[Side.UPSTREAM]
        client.want(self._writable[Side.UPSTREAM] and self.machine.wants_client_input)
        upstream.want(self._writable[Side.CLIENT])

    def _close(self, reason: str) -> None:
        if self._close_reason is not None:
            return
        self._close_reason = reason
        self._flush()
        for task in list(self._waiting.values()):
            task.cancel()
        for conduit in self._conduits.values():
            conduit.close()
            self._loop.call_later(LINGER_S, conduit.abort)
        self._services.closed(reason)
        if not self.ended.done():
            self.ended.set_result(reason)


def _eagerly(work: Coroutine[object, object, None]) -> Coroutine[object, object, None] | None:
    """Run a coroutine until it would wait; None when it finished, else what is left to run as a task.

    Most statements settle without waiting (a cached verdict, one write to the journal), and a task for each
    would cost more than the verdict. What it waits for first is kept, so that nothing is lost.
    """
    try:
        first = work.send(None)
    except StopIteration:
        return None
    return _continue(work, first)


async def _continue(work: Coroutine[object, object, None], first: object) -> None:
    await _Resume(work, first)


class _Resume:
    """Awaits the rest of a coroutine that was already started by hand."""

    def __init__(self, work: Coroutine[object, object, None], first: object) -> None:
        self._work = work
        self._first = first

    def __await__(self):  # type: ignore[no-untyped-def]
        yielded = self._first
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:
                try:
                    yielded = self._work.throw(error)
                except StopIteration:
                    return
            else:
                try:
                    yielded = self._work.send(sent)
                except StopIteration:
                    return
