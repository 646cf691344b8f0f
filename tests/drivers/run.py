"""One suite by both ways, at once: two servers, two runs of pytest, and what became of each test.

A timing that differs on a loaded machine is no difference: tests that come out differently for no listed reason are run
once more, one way after the other, and what they say then counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.drivers import outcome, world
from tests.drivers.fetch import Say
from tests.drivers.outcome import Outcomes
from tests.drivers.suites import Suite
from tests.drivers.world import Door

LIMIT_S = 3600
"""For one run of a suite."""
TEST_LIMIT_S = 900
"""One makes a thousand tables, each followed by a reading of the schema."""
SAY_EVERY_S = 15
_SHARE = re.compile(r"\[ *(\d+%)\]")
_ENDED_WELL = {0, 1, 5}
"""pytest: all passed, some failed, none were chosen."""


class RunError(Exception):
    """A suite did not run to its end; the message holds what pytest said last."""


class Way(StrEnum):
    """How a client gets to the server."""

    DIRECT = "direct"
    THROUGH = "through"


@dataclass(frozen=True, slots=True)
class Place:
    """What a suite is run with."""

    suite: Suite
    tree: Path
    python: Path
    out: Path
    version: int


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of each test, by either way."""

    direct: Outcomes
    through: Outcomes


Suspect = Callable[[Ran], Sequence[str]]
"""The tests that differ and are not accounted for."""


def run(place: Place, only: str | None, suspect: Suspect, say: Say) -> Ran:
    """Run all of the suite, or what pytest's `-k` chooses by `only`."""
    with _doors(place) as doors:
        started = {way: _start(place, way, door, only, place.suite.tests) for way, door in doors.items()}
        _await(place.suite, started, say)
        ran = Ran(*(outcome.read(_xml(place, way)) for way in Way))
    tests = suspect(ran)
    return _again(place, only, ran, tests, say) if tests else ran


def _again(place: Place, only: str | None, ran: Ran, tests: Sequence[str], say: Say) -> Ran:
    """Their files, and of these the tests of their names: a suite may make classes that pytest cannot be told of."""
    say(f"{place.suite.name}: {len(tests)} differ: once more")
    files = sorted({name.partition("::")[0] for name in tests})
    names = " or ".join(sorted({name.rpartition("::")[2].partition("[")[0] for name in tests}))
    chosen = f"({only}) and ({names})" if only else names
    found: list[Outcomes] = []
    with _doors(place) as doors:
        for way, before in zip(Way, (ran.direct, ran.through), strict=True):
            _await(place.suite, {way: _start(place, way, doors[way], chosen, files)}, say)
            after = outcome.read(_xml(place, way))
            found.append(
                {name: after.get(name, each) if name in tests else each for name, each in before.items()}
            )
    return Ran(*found)


@contextlib.contextmanager
def _doors(place: Place) -> Iterator[dict[Way, Door]]:
    suite = place.suite
    with (
        world.direct(place.version, suite.databases, suite.prepare) as direct,
        world.through(place.version, suite.databases, suite.prepare, place.out / "gateway.log") as through,
    ):
        yield {Way.DIRECT: direct, Way.THROUGH: through}


def _xml(place: Place, way: Way) -> Path:
    return place.out / f"{place.suite.name}-{way}.xml"


def _log(place: Place, way: Way) -> Path:
    return place.out / f"{place.suite.name}-{way}.log"


def _start(
    place: Place, way: Way, door: Door, only: str | None, tests: Sequence[str]
) -> tuple[subprocess.Popen[bytes], Path]:
    suite, log = place.suite, _log(place, way)
    _xml(place, way).unlink(missing_ok=True)
    command = [
        *(str(place.python), "-m", "pytest", "--quiet", "-o", f"cache_dir={place.out}/cache-{way}"),
        *(
            "-o",
            "console_output_style=progress-even-when-capture-no",
            "-o",
            "junit_family=xunit1",
            "--junit-xml",
            str(_xml(place, way)),
            "--timeout",
            str(TEST_LIMIT_S),
        ),
        *suite.options(door),
        *(part for parts in suite.left_out.values() for part in parts),
        *(("-k", only) if only else ()),
        *tests,
    ]
    environment = {
        "PATH": f"{place.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": str(place.out),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **suite.environment,
        **door.environment(),
    }
    with log.open("wb") as sink:
        return subprocess.Popen(
            command, cwd=place.tree, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        ), log


def _await(suite: Suite, started: dict[Way, tuple[subprocess.Popen[bytes], Path]], say: Say) -> None:
    began = time.monotonic()
    try:
        while any(process.poll() is None for process, _ in started.values()):
            if time.monotonic() - began > LIMIT_S:
                raise RunError(f"{suite.name} did not end within {LIMIT_S} s")
            _pause(started)
            say(f"{suite.name}: {', '.join(f'{way} {_share(log)}' for way, (_, log) in started.items())}")
    finally:
        for process, _ in started.values():
            process.kill()
            process.wait()
    for way, (process, log) in started.items():
        if process.returncode not in _ENDED_WELL:
            raise RunError(f"{suite.name} {way}: pytest ended with {process.returncode}:\n{_tail(log)}")


def _pause(started: dict[Way, tuple[subprocess.Popen[bytes], Path]]) -> None:
    """Until all have ended, or it is time to say how far they are."""
    until = time.monotonic() + SAY_EVERY_S
    for process, _ in started.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))


def _share(log: Path) -> str:
    shares = _SHARE.findall(log.read_text(errors="replace"))
    return shares[-1] if shares else "starts"


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
