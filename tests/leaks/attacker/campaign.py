"""Where the attacker runs: the same oracles straight at a server, or through `narrows serve` as two principals."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.leaks import cases, world
from tests.leaks.attacker import engine, prey
from tests.leaks.attacker.asking import Asker
from tests.leaks.attacker.engine import Measured
from tests.leaks.attacker.phrasing import Oracle
from tests.leaks.attacker.prey import Prey
from tests.leaks.cases import Corpus
from tests.leaks.client import Client, Door
from tests.leaks.judge import Policy
from tests.leaks.world import LeakGateway, LeakServer
from tests.servers import processes

Doors = dict[str, Door]
"""What the column of the outcome is called -> the way in."""
Outcome = dict[str, dict[str, Measured]]
"""Oracle -> column -> what was measured."""
Saying = Callable[[str], None]

DIRECT = "direct"
_PATIENT = {"filters_per_minute": 0}
"""The attacker has time: a limit by the minute would only make the figures look small, and one oracle starve another."""


def run(
    version: int, oracles: Sequence[Oracle], seed: int, budget: int, is_direct: bool, say: Saying
) -> Outcome:
    """Every oracle on one server."""
    corpus = replace(cases.load(), cases=())
    with world.served(version, corpus) as server:
        secrets = prey.draw(seed)
        prey.plant(server, secrets)
        names = _names(oracles, 1 if is_direct else len(Policy))
        with _doors(server, corpus, names, is_direct) as doors:
            return _measure(server, doors, oracles, iter(names), secrets, budget, say)


def _names(oracles: Sequence[Oracle], columns: int) -> list[str]:
    """Two copies for each oracle and column: one for the trials, one for the best."""
    return [f"attacker_{number:04}" for number in range(2 * columns * len(oracles))]


def _measure(
    server: LeakServer,
    doors: Doors,
    oracles: Sequence[Oracle],
    names: Iterator[str],
    secrets: Prey,
    budget: int,
    say: Saying,
) -> Outcome:
    found: Outcome = {}
    for oracle, (column, door) in itertools.product(oracles, doors.items()):
        began = time.monotonic()
        with _copy(server, door, next(names)) as first, _copy(server, door, next(names)) as again:
            measured = engine.measure(oracle, first, again, secrets, budget)
        found.setdefault(oracle.name, {})[column] = measured
        seconds = time.monotonic() - began
        say(
            f"PostgreSQL {server.server.version}, {oracle.name}, {column}:"
            f" {measured.best.rate:.0f} bits, {seconds:.0f} s"
        )
    return found


@contextlib.contextmanager
def _copy(server: LeakServer, door: Door, name: str) -> Iterator[Callable[[], Asker]]:
    """A fresh copy of the prey, and how one signs in to it; made when somebody does."""
    is_made = False

    def sign_in() -> Asker:
        nonlocal is_made
        if not is_made:
            prey.copied(server, name)
            is_made = True
        return Asker(lambda: Client(door, name, "app"))

    try:
        yield sign_in
    finally:
        if is_made:
            prey.dropped(server, name)


@contextlib.contextmanager
def _doors(server: LeakServer, corpus: Corpus, names: Sequence[str], is_direct: bool) -> Iterator[Doors]:
    if is_direct:
        yield {DIRECT: server.direct}
        return
    directory = processes.scratch_directory("attacker-gw")
    gateway = LeakGateway(server, directory / "gateway", world.POLICIES, _PATIENT)
    try:
        gateway.told(names)
        yield {str(policy): gateway.door(policy) for policy in Policy}
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)
