"""The attacker's score: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.leaks.attacker import campaign
from tests.leaks.attacker.campaign import Outcome
from tests.leaks.attacker.engine import Measured
from tests.leaks.judge import Policy

WORKS = 50.0
"""Bits per 1,000 statements that an oracle must learn where nothing stands between, or it is a toy."""


def figures(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, float]]:
    """Oracle -> column -> bits per 1,000 statements, the most that any server tells."""
    found: dict[str, dict[str, float]] = {}
    for outcome in outcomes.values():
        for name, columns in outcome.items():
            row = found.setdefault(name, {})
            for column, measured in columns.items():
                row[column] = max(row.get(column, 0.0), round(measured.best.rate, 1))
    return found


def is_passed(outcomes: Mapping[str, Outcome]) -> bool:
    """Through a gateway: nothing is told under strict. Directly: every oracle works."""
    rows = figures(outcomes).values()
    if any(campaign.DIRECT in row for row in rows):
        return all(row[campaign.DIRECT] >= WORKS for row in rows)
    return bool(rows) and all(row[str(Policy.STRICT)] == 0 for row in rows)


def write_json(outcomes: Mapping[str, Outcome], path: Path, seed: int, statements: int) -> None:
    """The figures, and beside them which attempts told what."""
    path.write_text(json.dumps(figures(outcomes), indent=1) + "\n")
    details = {
        "seed": seed,
        "statements": statements,
        "servers": {
            server: {
                name: {column: _details(measured) for column, measured in columns.items()}
                for name, columns in outcome.items()
            }
            for server, outcome in outcomes.items()
        },
    }
    path.with_suffix(".details.json").write_text(json.dumps(details, indent=1) + "\n")


def _details(measured: Measured) -> dict[str, Any]:
    return {
        "bits": round(measured.best.bits, 1),
        "statements": measured.best.statements,
        "best": measured.best.attempt,
        "attempts": measured.attempts,
        "telling": {told.attempt: round(told.rate, 1) for told in measured.telling},
    }


def print_table(outcomes: Mapping[str, Outcome], console: Console, seed: int, statements: int) -> None:
    table = Table(
        title=f"bits per 1,000 statements on PostgreSQL {' and '.join(outcomes)}"
        f" (seed {seed}, {statements} statements an oracle)"
    )
    rows = figures(outcomes)
    columns = list(next(iter(rows.values())))
    table.add_column("oracle")
    for column in columns:
        table.add_column(column, justify="right")
        table.add_column("attempts", justify="right")
    table.add_column("best")
    for name, row in rows.items():
        cells = []
        for column in columns:
            cells += [f"{row[column]:,.0f}" if row[column] else "-", _telling(outcomes, name, column)]
        table.add_row(name, *cells, _best(outcomes, name, columns))
    console.print(table)


def _telling(outcomes: Mapping[str, Outcome], name: str, column: str) -> str:
    found = [outcome[name][column] for outcome in outcomes.values()]
    return f"{max(len(each.telling) for each in found)}/{found[0].attempts}"


def _best(outcomes: Mapping[str, Outcome], name: str, columns: list[str]) -> str:
    found = [outcome[name][column].best for outcome in outcomes.values() for column in columns]
    best = max(found, key=lambda told: told.rate)
    return best.attempt if best.bits else ""


def print_telling(outcomes: Mapping[str, Outcome], console: Console) -> None:
    """Every attempt that told anything, one a line."""
    for server, outcome in outcomes.items():
        for name, columns in outcome.items():
            for column, measured in columns.items():
                for told in measured.telling:
                    line = f"{server} {column} {name}: {told.attempt}: {told.rate:,.0f}"
                    console.print(line, markup=False, highlight=False)
