"""The memory of the gateway: while rows pass, and for sessions that do nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from bench import targets, usage
from bench.results import Detail, Figure, Results
from bench.sink import Sink
from bench.targets import World

IDLE_SESSIONS = 2000
_SETTLE_S = 1.0


def many(world: World, limit_s: float, results: Results, say: Callable[[str], None]) -> None:
    """Twenty million rows in one result, or as many as pass in the time there is."""
    say("20M rows in one result")
    pid = world.narrows.pid
    with Sink(world.plain[0]) as direct:
        row_bytes = direct.query(targets.BULK_SQL).size_bytes / targets.ROWS
    before_kib = usage.rss_kib(pid)
    usage.reset_peak(pid)
    deadline = time.monotonic() + limit_s
    with Sink(world.narrows) as sink:
        drained = sink.query(targets.MANY_SQL, lambda: time.monotonic() > deadline)
    peak_kib = usage.peak_kib(pid)
    rows_m = drained.size_bytes / row_bytes / 1e6
    note = "" if drained.tag else f"{rows_m:.1f}M rows: that is what passed in {limit_s:g} s"
    results.figures["rss_20m_mb"] = Figure(peak_kib * 1024 / 1e6, note)
    row = (
        f"{rows_m:.1f}M",
        f"{drained.seconds:.1f}",
        *(f"{kib * 1024 / 1e6:.0f}" for kib in (before_kib, peak_kib)),
    )
    results.details.append(
        Detail(
            "memory of the gateway while rows pass", ("rows", "wall s", "RSS before MB", "peak MB"), (row,)
        )
    )


def idle(world: World, results: Results, say: Callable[[str], None], *, has_tls: bool) -> None:
    """What a session costs that does nothing, from a fresh gateway with one session to one with 2,000 more."""
    rows = []
    for is_tls in (False, True) if has_tls else (False,):
        say(f"{IDLE_SESSIONS} idle sessions{' inside TLS' * is_tls}")
        before_kib, after_kib = _idle_sizes(world, is_tls)
        each_kb = (after_kib - before_kib) * 1024 / 1000 / IDLE_SESSIONS
        if not is_tls:
            results.figures["rss_idle_kb"] = Figure(each_kb, "clients in the clear")
        kind = "TLS" if is_tls else "plaintext"
        rows.append((kind, *(f"{kib * 1024 / 1e6:.0f}" for kib in (before_kib, after_kib)), f"{each_kb:.0f}"))
    header = ("clients", "RSS with 1 MB", f"RSS with {IDLE_SESSIONS} MB", "KB/session")
    results.details.append(Detail("idle sessions", header, tuple(rows)))


def _idle_sizes(world: World, is_tls: bool) -> tuple[int, int]:
    """RSS in KiB of a fresh gateway with one session, and with that and the idle ones."""
    with targets.idle_gateway(world.database) as gw, ExitStack() as stack:
        target = targets.target_of(gw, ca=gw.ca_path if is_tls else None)
        first = stack.enter_context(Sink(target))
        first.query("select 1")
        before_kib = usage.rss_kib(gw.pid)
        for _ in range(IDLE_SESSIONS):
            stack.enter_context(Sink(target))
        time.sleep(_SETTLE_S)
        return before_kib, usage.rss_kib(gw.pid)
