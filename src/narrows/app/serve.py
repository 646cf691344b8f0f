"""The life of a gateway: open everything or say why not, serve, and stop without cutting anyone short.

Laws: nothing listens before the journal has said that this configuration holds; the first signal finishes what
runs, the second ends it; SIGHUP reloads and drops nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog
import uvloop

from narrows.api import server as control_server
from narrows.app.control import Control
from narrows.app.parts import Parts, build
from narrows.config import load as loading
from narrows.config.loaded import Config, operator
from narrows.gate.ports import CannotRecord
from narrows.runtime import logs
from narrows.runtime.listener import Limits, PostgresListener
from narrows.settings import Address

TICK_S = 1.0
TLS_CHECK_S = 60.0

log = structlog.get_logger(__name__)


def serve(directory: Path, flags: Mapping[str, str] | None = None) -> int:
    """Run the gateway of a directory until it is told to stop; 0 after an orderly end.

    Raises ConfigError, ListenError and what opening the store, journal or keys raises.
    """
    flags = flags or {}
    config = loading.load(directory, None, flags)
    settings = config.settings
    style = settings.log_format
    if style == "auto":
        style = "text" if sys.stderr.isatty() else "json"
    logs.configure(settings.log_level, style)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, flags))
    return 0


async def _serve(config: Config, flags: Mapping[str, str]) -> None:
    settings = config.settings
    with contextlib.ExitStack() as stack:
        sockets = stack.enter_context(_bound(settings.postgres_listen))
        control_sockets = control_server.bind(settings.control_listen, settings.control_socket)
        stack.callback(control_sockets.close)
        parts = build(config, flags, stack)
        try:
            await parts.recorder.loaded(config.versions)
        except CannotRecord as failure:
            log.error(
                "journal_unavailable", error=str(failure), remedy="statements are refused until it is mended"
            )
        parts.indexer.start()
        control = Control(parts)
        listener = PostgresListener(
            sockets,
            parts.front,
            lambda: parts.tls.context,
            Limits(settings.startup_timeout_s, settings.unauthenticated_limit, settings.keepalive_s),
            settings.plaintext_allowed,
        )
        await _Life(parts, control, listener, control_sockets).run()


class _Life:
    """Everything that runs beside each other, and how it ends."""

    def __init__(
        self,
        parts: Parts,
        control: Control,
        listener: PostgresListener,
        control_sockets: control_server.Listeners,
    ) -> None:
        self._parts = parts
        self._control = control
        self._listener = listener
        self._control_sockets = control_sockets
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        parts = self._parts
        self._on_signals()
        stop_control = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self._listener.serve())
            control = tasks.create_task(
                control_server.serve(self._control, self._control_sockets, parts.tls.context, stop_control)
            )
            rest = [
                tasks.create_task(parts.targets.keeper.run()),
                tasks.create_task(self._tick()),
                tasks.create_task(self._watch_certificate()),
            ]
            _announce(parts)
            await self._stopping.wait()
            await self._drain()
            serving.cancel()
            stop_control.set()
            await control
            for task in rest:
                task.cancel()
        await parts.analysis.close()
        log.info("stopped")

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        reloads: set[asyncio.Task[object]] = set()

        def reload() -> None:
            task: asyncio.Task[object] = loop.create_task(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)

    def _stop(self) -> None:
        (self._hurry if self._stopping.is_set() else self._stopping).set()

    async def _reload(self) -> None:
        result = await self._control.reload(operator())
        for fault in result.faults:
            log.error("reload_refused", fault=str(fault))

    async def _drain(self) -> None:
        """Let open sessions finish their transactions, for so long."""
        parts = self._parts
        limit_s = parts.config.now.settings.drain_timeout_s
        log.info("draining", sessions=len(parts.sessions), limit_s=limit_s)
        parts.front.is_draining = True
        self._listener.close()
        for driver in parts.sessions:
            driver.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while len(parts.sessions) and not self._hurry.is_set():
                    await asyncio.sleep(0.05)
        for driver in parts.sessions:
            driver.stop("the gateway stopped")

    async def _tick(self) -> None:
        """Once a second: checkpoints, sessions whose token ran out, sessions that sat idle too long."""
        parts = self._parts
        while True:
            await asyncio.sleep(TICK_S)
            parts.journal.tick()
            parts.end_lapsed()
            parts.end_idle()

    async def _watch_certificate(self) -> None:
        """Take up a renewed certificate by itself."""
        while True:
            await asyncio.sleep(TLS_CHECK_S)
            try:
                if self._parts.tls.reload_if_changed():
                    log.info("certificate_reloaded")
            except Exception as failure:  # the old one stays in service
                log.warning("certificate_not_reloaded", error=str(failure))


@contextlib.contextmanager
def _bound(addresses: tuple[Address, ...]) -> Iterator[list[socket.socket]]:
    """Listening sockets for every address, or none."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(control_server.bind_tcp(address, "postgres_listen")) for address in addresses
        ]


def _announce(parts: Parts) -> None:
    config = parts.config.now
    log.info(
        "serving",
        postgres=[str(a) for a in config.settings.postgres_listen],
        control=[str(a) for a in config.settings.control_listen],
        socket=str(config.settings.control_socket),
        connections=sorted(config.connections),
        core="pure",
        **config.versions,
    )
    for fault in config.warnings:
        log.warning("configuration", fault=str(fault))
