"""The outcome of a run: a table for people, JSON for programs, one line per case that failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.leaks.judge import Fault, Judged

COUNTED = (Fault.LEAK, Fault.EFFECT, Fault.FALSE_REFUSAL, Fault.OVER_REFUSED)
OVER_REFUSED_LIMIT = 0.05


@dataclass
class Row:
    """One category."""

    cases: int = 0
    counts: dict[Fault, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    failed: list[str] = field(default_factory=list)
    masked: int = 0
    """Cases that should be answered masked: what over-refusals are counted against."""
    explained: int = 0

    def add(self, judged: Judged, mark: str) -> None:
        self.cases += 1
        self.masked += judged.case.gateway == "mask"
        self.explained += bool(judged.explained)
        for fault in COUNTED:
            self.counts[fault] += fault in judged.faults
        if not judged.is_ok:
            self.failed.append(judged.case.id + mark)

    def json(self) -> dict[str, object]:
        return {"cases": self.cases, **{str(f): n for f, n in self.counts.items()}, "failed": self.failed}


def rows(results: Mapping[str, Sequence[Judged]]) -> dict[str, Row]:
    """Category -> its row, over every server; with several, the failed are marked with theirs."""
    found: dict[str, Row] = {}
    for server, judged in results.items():
        mark = f"@{server}" if len(results) > 1 else ""
        for each in judged:
            found.setdefault(each.case.category, Row()).add(each, mark)
    return found


def total(of: Iterable[Row]) -> Row:
    whole = Row()
    for row in of:
        whole.cases += row.cases
        whole.masked += row.masked
        whole.explained += row.explained
        whole.failed += row.failed
        for fault in COUNTED:
            whole.counts[fault] += row.counts[fault]
    return whole


def is_passed(results: Mapping[str, Sequence[Judged]]) -> bool:
    """No leak, no effect, no false refusal, every case answered, few over-refusals; and something was run."""
    whole = total(rows(results).values())
    is_clean = not any(
        fault in judged.faults
        for each in results.values()
        for judged in each
        for fault in Fault
        if fault is not Fault.OVER_REFUSED
    )
    return (
        whole.cases > 0 and is_clean and whole.counts[Fault.OVER_REFUSED] <= OVER_REFUSED_LIMIT * whole.masked
    )


def write_json(results: Mapping[str, Sequence[Judged]], path: Path) -> None:
    path.write_text(json.dumps({name: row.json() for name, row in rows(results).items()}, indent=1) + "\n")


def print_table(results: Mapping[str, Sequence[Judged]], console: Console) -> None:
    table = Table(title="leak corpus on PostgreSQL " + " and ".join(results))
    table.add_column("category")
    for name in ("cases", "leaks", "effects", "false refusals", "over-refused", "explained"):
        table.add_column(name, justify="right")
    found = rows(results)
    for name, row in [*found.items(), ("all", total(found.values()))]:
        table.add_row(
            name,
            str(row.cases),
            *(str(row.counts[each] or "-") for each in COUNTED),
            str(row.explained or "-"),
        )
    console.print(table)


def caught(judged: Sequence[Judged]) -> dict[str, list[str]]:
    """Category -> the cases of it that leak or take effect."""
    found: dict[str, list[str]] = {}
    for each in judged:
        if {Fault.LEAK, Fault.EFFECT} & set(each.faults):
            found.setdefault(each.case.category, []).append(each.case.id)
    return found


def print_layers(found: Mapping[str, Mapping[str, Sequence[Judged]]], console: Console) -> None:
    """What notices that a layer is off: categories, how many of their cases, and which."""
    table = Table(title="what comes through without each layer", show_lines=True)
    for name in ("PostgreSQL", "without", "is caught by", "cases"):
        table.add_column(name)
    for server, layers in found.items():
        for layer, judged in layers.items():
            by_category = caught(judged)
            words = ", ".join(f"{name} {len(ids)}" for name, ids in by_category.items())
            ids = " ".join(each for category in by_category.values() for each in category)
            table.add_row(server, layer, words or "nothing", ids)
    console.print(table)


def print_faults(results: Mapping[str, Sequence[Judged]], console: Console) -> None:
    """Every failed case with what shows it, and every difference that was explained away."""
    for server, judged in results.items():
        for each in judged:
            for fault, why in each.faults.items():
                console.print(f"{server} {each.case.id} {fault}: {why}", markup=False, highlight=False)
        for each in judged:
            if each.explained:
                console.print(
                    f"{server} {each.case.id} explained: {each.explained}", markup=False, highlight=False
                )
