"""The cases: their names, units, and what each figure must and should reach.

Law: a case that cannot be measured yet says why; it never gets a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table; `missing` is what narrows lacks to measure it."""

    name: str
    text: str
    unit: str
    must: float
    aim: float
    better: Better = "lower"
    missing: str = ""

    def is_met(self, figure: float, limit: float) -> bool:
        """Whether the figure is at least as good as the limit."""
        return figure <= limit if self.better == "lower" else figure >= limit


CASES = (
    Case("simple_cpu", "point query, simple, 8 clients: CPU per query, to pgbouncer", "x", 2.5, 1.5),
    Case("prepared_cpu", "point query, prepared, 8 clients: CPU per query, to pgbouncer", "x", 2.0, 1.3),
    Case("simple_tps", "point query, simple, 8 clients: tps, to pgbouncer", "x", 0.40, 0.70, "higher"),
    Case(
        "simple_tps_2w",
        "the same with two workers",
        "x",
        0.60,
        0.85,
        "higher",
        "narrows has no `--workers` yet",
    ),
    Case("bulk_mask2_wall", "1M rows of 7 columns, 2 masked: wall, to direct", "x", 1.5, 1.1),
    Case("bulk_mask2_cpu", "the same: CPU of the gateway", "s", 0.40, 0.25),
    Case(
        "bulk_scan_cpu",
        "1M rows, 4 masked and the rest scanned: CPU of the gateway",
        "s",
        0.8,
        0.5,
        missing="narrows has no content scanner yet",
    ),
    Case("bulk_tls_wall", "2 masked, TLS on both sides: wall, to direct with TLS", "x", 1.7, 1.3),
    Case("p99_beside_bulk_ms", "point queries beside a bulk masked stream: p99", "ms", 20, 8),
    Case("rss_20m_mb", "peak RSS of the gateway while 20M rows pass", "MB", 150, 80),
    Case("rss_idle_kb", "RSS per idle session at 2,000 sessions", "KB", 150, 60),
)
BY_NAME = {case.name: case for case in CASES}
