"""How each case is measured.

Laws: the targets alternate within a round and the order turns from round to round; a ratio is taken within a
round, and the median of the rounds is the figure; the masks are seen to work before anything is timed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from bench import memory, pgbench, targets, usage
from bench.numbers import median, median_ratio
from bench.pgbench import Load, Sample
from bench.results import Detail, Figure, Results
from bench.sink import Sink
from bench.targets import DIRECT, NARROWS, PGBOUNCER, Target, World

T = TypeVar("T")
_MASKED = {"email", "ssn"}


@dataclass(frozen=True, slots=True)
class Extent:
    """How long and how often."""

    rounds: int
    case_s: float
    """No further round is begun where a case would take longer than this."""
    point_s: int
    loads: tuple[tuple[str, int], ...]
    """(mode, clients) of the point queries."""
    many_s: float
    """At most so long for the 20M rows."""
    has_idle_tls: bool


QUICK = Extent(3, 35, 3, (("simple", 8), ("prepared", 8)), 40, has_idle_tls=False)
WHOLE = Extent(
    5,
    300,
    5,
    (("simple", 8), ("prepared", 8), ("extended", 8), ("simple", 1), ("simple", 32)),
    600,
    has_idle_tls=True,
)


class MaskError(Exception):
    """The gateway did not mask what the bench is about; no figure would mean anything."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One result of a million rows."""

    wall_s: float
    cpu_s: float | None


@dataclass(frozen=True, slots=True)
class Beside:
    """Point queries beside a stream."""

    sample: Sample
    mb_per_s: float


def alternate(
    extent: Extent,
    ways: Sequence[Target],
    measure: Callable[[Target], T],
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, list[T]]:
    """What each target did in each round; whoever goes first in one goes last in the next."""
    found: dict[str, list[T]] = {target.name: [] for target in ways}
    began = clock()
    for number in range(extent.rounds):
        turn = number % len(ways)
        for target in (*ways[turn:], *ways[:turn]):
            say(f"round {number + 1} of {extent.rounds}: {target.name}")
            found[target.name].append(measure(target))
        if (clock() - began) * (number + 2) > extent.case_s * (number + 1):
            break
    return found


def run(world: World, extent: Extent, say: Callable[[str], None]) -> Results:
    """Every case that can be measured."""
    results = Results()
    check_masks(world)
    for mode, clients in extent.loads:
        _points(world, extent, Load(mode, clients, extent.point_s), results, say)
    for ways, is_tls in ((world.plain, False), (world.tls, True)):
        _bulk(ways, extent, is_tls, results, say)
    _beside(world, extent, results, say)
    memory.many(world, extent.many_s, results, say)
    memory.idle(world, results, say, has_tls=extent.has_idle_tls)
    return results


def check_masks(world: World) -> None:
    """The gateway shows the two columns masked and the other five as they are, on both of its ways."""
    direct, *others = (_few_rows(t) for t in (world.plain[0], world.narrows, world.tls[-1]))
    for rows in others:
        changed = {
            name for row, plain in zip(rows, direct, strict=True) for name in row if row[name] != plain[name]
        }
        if changed != _MASKED:
            raise MaskError(f"masked are {sorted(changed)} and not {sorted(_MASKED)}")


def _few_rows(target: Target) -> list[dict[str, object]]:
    tls = {"sslmode": "verify-full", "sslrootcert": str(target.ca)} if target.ca else {"sslmode": "disable"}
    with psycopg.connect(
        host="localhost" if target.ca else target.host,
        port=target.port,
        dbname=target.dbname,
        user=target.user,
        password=target.password,
        autocommit=True,
        **tls,  # type: ignore[arg-type]
    ) as connection:
        cursor = connection.execute(f"{targets.BULK_SQL} limit 5")  # type: ignore[arg-type,unused-ignore]
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


# -- point queries


def _points(world: World, extent: Extent, load: Load, results: Results, say: Callable[[str], None]) -> None:
    title = f"point queries, {load.mode}, {load.clients} client{'s' * (load.clients > 1)}"
    found = alternate(
        extent,
        world.plain,
        lambda target: pgbench.run(world.pgbench, target, load),
        lambda what: say(f"{title}: {what}"),
    )
    results.details.append(_points_detail(title, found))
    if load.clients == 8:
        results.figures |= points_figures(load.mode, found)


def points_figures(mode: str, found: dict[str, list[Sample]]) -> dict[str, Figure]:
    """The cases that the runs with eight clients answer."""
    ours, theirs = found[NARROWS], found[PGBOUNCER]
    cpu = median_ratio([s.cpu_100k_s or 0 for s in ours], [s.cpu_100k_s or 0 for s in theirs])
    tps = median_ratio([s.tps for s in ours], [s.tps for s in theirs])
    by_mode = {
        "simple": {"simple_cpu": Figure(cpu), "simple_tps": Figure(tps)},
        "prepared": {"prepared_cpu": Figure(cpu)},
    }
    return by_mode.get(mode, {})


def _points_detail(title: str, found: dict[str, list[Sample]]) -> Detail:
    header = ("target", "rounds", "tps", "CPU s/100k", "p50 ms", "p99 ms", "CPU ms/connect")
    rows = tuple(
        (
            name,
            str(len(samples)),
            f"{median(s.tps for s in samples):,.0f}",
            _shown([s.cpu_100k_s for s in samples]),
            f"{median(s.p50_ms for s in samples):.2f}",
            f"{median(s.p99_ms for s in samples):.2f}",
            _shown([s.connect_cpu_ms for s in samples]),
        )
        for name, samples in found.items()
    )
    return Detail(title, header, rows)


def _shown(values: Sequence[float | None]) -> str:
    """The median; a dash where there is nothing between client and server that could use any."""
    known = [value for value in values if value is not None]
    return f"{median(known):.2f}" if known else "-"


# -- one large result


def _bulk(
    ways: Sequence[Target], extent: Extent, is_tls: bool, results: Results, say: Callable[[str], None]
) -> None:
    title = f"1M rows of 7 columns, 2 masked{', TLS on both sides' * is_tls}"
    with ExitStack() as stack:
        sinks = {target.name: stack.enter_context(Sink(target)) for target in ways}
        found = alternate(
            extent,
            ways,
            lambda target: _drain(sinks[target.name], target),
            lambda what: say(f"{title}: {what}"),
        )
    results.details.append(_bulk_detail(title, found))
    results.figures |= bulk_figures(found, is_tls)


def _drain(sink: Sink, target: Target) -> Bulk:
    before = usage.cpu(target.pid) if target.pid else {}
    drained = sink.query(targets.BULK_SQL)
    if drained.tag != f"SELECT {targets.ROWS}":
        raise MaskError(f"{target.name} answered {drained.tag}")
    if target.pid:
        usage.wait_until_idle(target.pid)
    cpu_s = usage.cpu_seconds(before, usage.cpu(target.pid)) if target.pid else None
    return Bulk(drained.seconds, cpu_s)


def bulk_figures(found: dict[str, list[Bulk]], is_tls: bool) -> dict[str, Figure]:
    """The cases that the large results answer."""
    ours = found[NARROWS]
    wall = Figure(median_ratio([b.wall_s for b in ours], [b.wall_s for b in found[DIRECT]]))
    if is_tls:
        return {"bulk_tls_wall": wall}
    return {"bulk_mask2_wall": wall, "bulk_mask2_cpu": Figure(median(b.cpu_s or 0 for b in ours))}


def _bulk_detail(title: str, found: dict[str, list[Bulk]]) -> Detail:
    rows = tuple(
        (
            name,
            str(len(each)),
            f"{median(b.wall_s for b in each):.2f}",
            f"{targets.ROWS / median(b.wall_s for b in each) / 1000:,.0f}k",
            _shown([b.cpu_s for b in each]),
        )
        for name, each in found.items()
    )
    return Detail(title, ("target", "rounds", "wall s", "rows/s", "CPU s/1M"), rows)


# -- point queries beside a large result


def _beside(world: World, extent: Extent, results: Results, say: Callable[[str], None]) -> None:
    title = "point queries, simple, 1 client, beside a stream of bulk rows"
    load = Load("simple", 1, extent.point_s + 1)

    def measure(target: Target) -> Beside:
        with _streaming(target) as mb_per_s:
            sample = pgbench.run(world.pgbench, target, load, is_alone=False)
            return Beside(sample, mb_per_s())

    found = alternate(extent, world.plain, measure, lambda what: say(f"{title}: {what}"))
    header = ("target", "rounds", "tps", "p50 ms", "p99 ms", "stream MB/s")
    rows = tuple(
        (
            name,
            str(len(each)),
            f"{median(b.sample.tps for b in each):,.0f}",
            f"{median(b.sample.p50_ms for b in each):.2f}",
            f"{median(b.sample.p99_ms for b in each):.2f}",
            f"{median(b.mb_per_s for b in each):,.0f}",
        )
        for name, each in found.items()
    )
    results.details.append(Detail(title, header, rows))
    results.figures["p99_beside_bulk_ms"] = Figure(median(b.sample.p99_ms for b in found[NARROWS]))


@contextmanager
def _streaming(target: Target) -> Iterator[Callable[[], float]]:
    """A large result drained again and again in a thread; the megabytes per second so far."""
    over, passed, began = threading.Event(), [0], time.perf_counter()

    def stream() -> None:
        with Sink(target) as sink:
            while not over.is_set():
                sink.query(targets.BULK_SQL, over.is_set, lambda count: passed.append(passed.pop() + count))

    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(stream)
        try:
            yield lambda: passed[0] / (time.perf_counter() - began) / 1e6
        finally:
            over.set()
            streaming.result()
