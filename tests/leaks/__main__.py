"""`make leaks`: the corpus against a real gateway, or straight at the server to see that its cases are true.

    make leaks ARGS="--server 15|18|both --corpus DIR --json FILE --only ID|CATEGORY"
    make leaks ARGS="--direct"     without a gateway: every case must leak or take effect as it claims
    make leaks ARGS="--attacker --statements N --seed N"     the attacker as a program; with --direct too
    make leaks ARGS="--without LAYER"   without one layer: which categories and cases catch it
    make leaks ARGS="--layers"     without each layer in turn: every one must be caught

Exit code 0: no leak, no effect, no false refusal, at most 5 % of the `mask` cases refused; for `--layers`, that something
comes through without each. 1: otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.leaks import cases as corpora
from tests.leaks import layers, report, world
from tests.leaks.attacker import program as attacker
from tests.leaks.cases import Case, Corpus
from tests.leaks.judge import Judged, Policy, Runs, claimed, judge
from tests.leaks.world import LeakGateway, LeakServer
from tests.servers import processes

EVERY = 25
"""Cases between two lines that say how far it is."""

_SAYING = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 where the corpus holds."""
    given = _arguments(arguments)
    versions = (15, 18) if given.server == "both" else (int(given.server),)
    if given.attacker:
        return attacker.attack(versions, given.only, given.seed, given.statements, given.direct, given.json)
    corpus = corpora.load(given.corpus)
    chosen = corpora.select(corpus.cases, given.only)
    if not chosen:
        _SAYING.print(f"no case is called {given.only}")
        return 2
    if given.layers:
        return _say_layers({str(version): without_each(version, corpus, chosen) for version in versions})
    results: dict[str, list[Judged]] = {}
    untrue: dict[str, dict[str, str]] = {}
    for version in versions:
        began, name = time.monotonic(), str(version)
        if given.direct:
            results[name], untrue[name] = run_directly(version, corpus, chosen)
        else:
            results[name] = run_on(version, corpus, chosen, given.policy, given.without)
        _SAYING.print(f"PostgreSQL {version}: {len(chosen)} cases in {time.monotonic() - began:.0f} s")
    return _say(results, untrue, given)


def _say(
    results: dict[str, list[Judged]], untrue: dict[str, dict[str, str]], given: argparse.Namespace
) -> int:
    console = _console()
    if not given.direct:
        report.print_faults(results, console)
    report.print_table(results, console)
    if given.without:
        report.print_layers({name: {given.without: each} for name, each in results.items()}, console)
    if given.json:
        report.write_json(results, given.json)
    if not given.direct:
        return 0 if report.is_passed(results) else 1
    for server, cases in untrue.items():
        for name, why in cases.items():
            console.print(f"{server} {name} is not as it claims: {why}", markup=False, highlight=False)
    return 1 if any(untrue.values()) else 0


def _say_layers(found: dict[str, dict[str, list[Judged]]]) -> int:
    report.print_layers(found, _console())
    return 0 if all(report.caught(judged) for each in found.values() for judged in each.values()) else 1


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make leaks", description="The leak corpus over the wire.")
    parser.add_argument("--server", choices=("15", "18", "both"), default="both")
    parser.add_argument("--corpus", type=Path, default=corpora.CORPUS, help="a directory in the same format")
    parser.add_argument("--json", type=Path, help="write the counts there")
    parser.add_argument("--only", help="a case's id, a category, or a pattern of ids")
    parser.add_argument("--direct", action="store_true", help="no gateway: check the cases' own claims")
    parser.add_argument("--policy", type=Policy, choices=list(Policy), help="run every case under this one")
    parser.add_argument(
        "--attacker", action="store_true", help="bits learned per 1,000 statements, by oracle"
    )
    parser.add_argument("--statements", type=int, default=attacker.STATEMENTS, help="of each oracle")
    parser.add_argument("--seed", type=int, default=attacker.SEED, help="of the attacker's secrets")
    parser.add_argument("--without", choices=list(layers.LAYERS), help="switch this layer off")
    parser.add_argument("--layers", action="store_true", help="switch off each layer in turn")
    return parser.parse_args(arguments)


def run_on(
    version: int,
    corpus: Corpus,
    chosen: Sequence[Case],
    policy: Policy | None = None,
    without: str | None = None,
) -> list[Judged]:
    """Judge cases through a gateway before one server."""
    with world.served(version, corpus) as server, _gateway(server, without) as gateway:
        return list(through(server, gateway, chosen, policy))


def without_each(version: int, corpus: Corpus, chosen: Sequence[Case]) -> dict[str, list[Judged]]:
    """What comes through a gateway without each layer, of the cases that need it."""
    found = {}
    with world.served(version, corpus) as server:
        for name, layer in layers.LAYERS.items():
            with _gateway(server, name) as gateway:
                found[name] = list(through(server, gateway, corpora.select(chosen, layer.only)))
    return found


@contextlib.contextmanager
def _gateway(server: LeakServer, without: str | None) -> Iterator[LeakGateway]:
    directory = processes.scratch_directory("leaks-gw")
    gateway = LeakGateway(server, directory / "gateway", policies_of(server.corpus), without=without)
    try:
        yield gateway
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


def run_directly(version: int, corpus: Corpus, chosen: Sequence[Case]) -> tuple[list[Judged], dict[str, str]]:
    """Judge the server itself; with it, which cases are not as they claim, and how."""
    untrue: dict[str, str] = {}
    with world.served(version, corpus) as server:
        return list(claims(server, chosen, untrue)), untrue


def policies_of(corpus: Corpus) -> Path:
    """The corpus's own policies where it brings some."""
    own = corpus.directory / "policies"
    return own if own.is_dir() else world.POLICIES


def through(
    server: LeakServer, gateway: LeakGateway, chosen: Sequence[Case], policy: Policy | None = None
) -> Iterator[Judged]:
    """Cases through a gateway, as many at a time as there are databases for."""
    for case, runs in _running(server, gateway, chosen):
        judged = judge(case, runs, policy)
        if not judged.is_ok:
            _SAYING.print(
                f"PostgreSQL {server.server.version}: {case.id} {', '.join(judged.faults)}", highlight=False
            )
        yield judged


def claims(server: LeakServer, chosen: Sequence[Case], untrue: dict[str, str]) -> Iterator[Judged]:
    """The server itself, judged as a gateway that does nothing; what is not as claimed goes to `untrue`."""
    for case, runs in _running(server, None, chosen):
        judged = judge(case, runs)
        if missing := claimed(case, runs, judged):
            untrue[case.id] = missing
        yield judged


def _running(
    server: LeakServer, gateway: LeakGateway | None, chosen: Sequence[Case]
) -> Iterator[tuple[Case, Runs]]:
    waiting, done = list(chosen), 0
    while waiting:
        with world.runner(server, gateway) as runner:
            while waiting and not runner.is_running_out:
                case = waiting.pop(0)
                yield case, runner.runs(case)
                done += 1
                if done % EVERY == 0:
                    _SAYING.print(
                        f"PostgreSQL {server.server.version}: {done} of {len(chosen)} cases", highlight=False
                    )


if __name__ == "__main__":
    sys.exit(main())
