"""A small driver for the machine over real sockets: relays sign-in as it is, then lets the session work.

`gate` stands for `gate.settle`: it is given a Statement and answers with a Settled; `records` keeps what it was
asked, `outcomes` how each ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from narrows.inspect.sql import analyse
from narrows.inspect.sql.analysis import View
from narrows.model.label import Label, Labels, Rung
from narrows.model.outcome import Outcome
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.statement import Statement
from narrows.model.verdict import Effect, MaskObligation, Settled, Verdict, mint
from narrows.relay.machine import (
    Analyse,
    Ask,
    Cancel,
    Close,
    Command,
    Finished,
    Own,
    SchemaChanged,
    Send,
    Side,
    Withdraw,
)
from narrows.relay.postgres.known import Cache
from narrows.relay.postgres.session import Session
from narrows.relay.postgres.settings import Context

SSL, GSS, CANCEL = 80877103, 80877104, 80877102


@dataclass
class Gate:
    """Allows, save what matches `denied`; labelled columns are shown at `rung`."""

    denied: str = r"\brefuse_me\b"
    rung: Rung = Rung.NONE
    records: list[Statement] = field(default_factory=list)
    refused: list[Statement] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    schema_reads: int = 0

    def settle(self, statement: Statement) -> Settled:
        self.records.append(statement)
        record = f"r{len(self.records)}"
        refusal = statement.refusal
        if refusal is None and re.search(self.denied, statement.text):
            refusal = Refusal(Reason.FORBIDDEN, "the gate says no", rule="no-refuse-me")
        if refusal is not None:
            self.refused.append(statement)
            return mint(record, None, refusal)
        masks = MaskObligation(dict.fromkeys(statement.disclosures, self.rung))
        return mint(record, Verdict(Effect.ALLOW, obligations=(masks,)), None)

    @property
    def passed(self) -> list[str]:
        return [each.text for each in self.records if each not in self.refused]


@dataclass
class Pump:
    """A listener in front of one target."""

    target: tuple[str, int]
    view: Callable[[], View]
    gate: Gate = field(default_factory=Gate)
    labels: Labels = field(default_factory=lambda: Labels({"pii": Label("pii")}))
    failures: list[BaseException] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)
    chunk: int = 65536
    port: int = 0
    _cache: Cache = field(default_factory=Cache)
    drivers: list[_Driver] = field(default_factory=list)
    _by_key: dict[tuple[int, bytes], _Driver] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Pump]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for driver in list(self._by_key.values()):
                driver.stop()
        if self.failures:
            raise self.failures[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._session(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as failure:
            self.failures.append(failure)
            raise
        finally:
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = struct.unpack("!I", await reader.readexactly(4))[0]
            body = await reader.readexactly(size - 4)
            code = struct.unpack("!I", body[:4])[0]
            if code not in (SSL, GSS):
                break
            writer.write(b"N")
        if code == CANCEL:
            driver = self._by_key.get((struct.unpack("!I", body[4:8])[0], body[8:]))
            if driver:
                driver.run(driver.session.cancel())
            return
        up_reader, up_writer = await asyncio.open_connection(*self.target)
        up_writer.write(struct.pack("!I", size) + body)
        key, parameters, rest = await _sign_in(up_reader, writer)
        context = Context(self.view(), self.labels, Secret("0" * 32), self._cache, parameters=parameters)
        driver = _Driver(self, Session(context), writer, up_writer, key)
        self._by_key[key] = driver
        self.drivers.append(driver)
        try:
            await driver.work(reader, up_reader, rest)
        finally:
            del self._by_key[key]
            self.drivers.remove(driver)
            up_writer.close()


async def _sign_in(
    upstream: asyncio.StreamReader, client: asyncio.StreamWriter
) -> tuple[tuple[int, bytes], dict[str, str], bytes]:
    """Relay everything up to the first ReadyForQuery."""
    key, parameters = (0, b""), {}
    while True:
        head = await upstream.readexactly(5)
        body = await upstream.readexactly(struct.unpack("!I", head[1:])[0] - 4)
        client.write(head + body)
        if head[:1] == b"S":
            name, value, _ = body.split(b"\0")
            parameters[name.decode()] = value.decode()
        elif head[:1] == b"K":
            key = (struct.unpack("!I", body[:4])[0], body[4:])
        elif head[:1] == b"Z":
            return key, parameters, b""
        elif head[:1] == b"E":
            raise ConnectionError(body)


@dataclass
class _Driver:
    pump: Pump
    session: Session
    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    key: tuple[int, bytes]
    queue: deque[Command] = field(default_factory=deque)
    is_running: bool = False
    is_closed: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def work(self, client: asyncio.StreamReader, upstream: asyncio.StreamReader, rest: bytes) -> None:
        self.tasks = [
            asyncio.create_task(self._read(Side.CLIENT, client)),
            asyncio.create_task(self._read(Side.UPSTREAM, upstream)),
        ]
        await asyncio.wait(self.tasks)
        for task in self.tasks:
            if not task.cancelled() and (failure := task.exception()):
                raise failure

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()

    async def _read(self, side: Side, reader: asyncio.StreamReader) -> None:
        while not self.is_closed:
            try:
                data = await reader.read(self.pump.chunk)
            except ConnectionError:
                data = b""
            if self.is_closed:
                return
            self.run(self.session.receive(side, data) if data else self.session.closed(side))
            await self.upstream.drain()
            with contextlib.suppress(ConnectionError):
                await self.client.drain()

    def run(self, commands: list[Command]) -> None:
        self.queue.extend(commands)
        if self.is_running:
            return
        self.is_running = True
        while self.queue and not self.is_closed:
            self._carry_out(self.queue.popleft())
        self.is_running = False

    def _carry_out(self, command: Command) -> None:
        gate = self.pump.gate
        match command:
            case Send(Side.CLIENT, data):
                self.client.write(data)
            case Send(_, data):
                self.upstream.write(data)
            case Ask(hold, statement):
                self.run(self.session.resume(hold, gate.settle(statement)))
            case Analyse(hold, text):
                self.run(self.session.analysed(hold, analyse(text, self.session.view, self.session.state)))
            case Finished(outcome):
                gate.outcomes.append(outcome)
            case Own(text, _):
                gate.own.append(text)
            case SchemaChanged():
                gate.schema_reads += 1
                self.run(self.session.schema_read(self.pump.view()))
            case Cancel():
                self.tasks.append(asyncio.create_task(self._cancel()))
            case Withdraw():
                pass
            case Close(reason):
                self.pump.closes.append(reason)
                self.is_closed = True
                self.client.close()
                self.upstream.close()
                for task in self.tasks:
                    if task is not asyncio.current_task():
                        task.cancel()

    async def _cancel(self) -> None:
        _, writer = await asyncio.open_connection(*self.pump.target)
        pid, key = self.key
        writer.write(struct.pack("!III", 12 + len(key), CANCEL, pid) + key)
        await writer.drain()
        writer.close()
