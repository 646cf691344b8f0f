"""`make leaks ARGS="--attacker"`: what the program does once its arguments are read."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.leaks.attacker import campaign, outcome
from tests.leaks.attacker.oracles import ORACLES
from tests.leaks.attacker.phrasing import Oracle

SEED = 20_240_229
STATEMENTS = 1000
_SAYING = Console(stderr=True)


def attack(
    versions: Sequence[int], only: str | None, seed: int, statements: int, is_direct: bool, json: Path | None
) -> int:
    """Run, print, write; 0 where nothing is told under strict or, directly, where every oracle works."""
    oracles = select(only)
    if not oracles:
        _SAYING.print(f"no oracle is called {only}")
        return 2
    found: dict[str, campaign.Outcome] = {}
    for version in versions:
        began = time.monotonic()
        found[str(version)] = campaign.run(version, oracles, seed, statements, is_direct, _say)
        _say(f"PostgreSQL {version}: {len(oracles)} oracles in {time.monotonic() - began:.0f} s")
    console = Console(width=None if sys.stdout.isatty() else 160)
    outcome.print_telling(found, console)
    outcome.print_table(found, console, seed, statements)
    if json:
        outcome.write_json(found, json, seed, statements)
    return 0 if outcome.is_passed(found) else 1


def select(only: str | None) -> list[Oracle]:
    """An oracle by name, or those that a pattern finds; all for None."""
    exact = [oracle for oracle in ORACLES if only in (None, oracle.name)]
    return exact or [oracle for oracle in ORACLES if re.search(only or "", oracle.name)]


def _say(text: str) -> None:
    _SAYING.print(text, highlight=False)
