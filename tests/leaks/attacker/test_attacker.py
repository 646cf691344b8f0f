"""Some oracles learn at a real server, and nothing through a real gateway under strict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.leaks import __main__ as program
from tests.leaks.attacker import campaign
from tests.leaks.attacker.program import select

pytestmark = [pytest.mark.server, pytest.mark.slow]

NAMES = "^(range|null|limit|sequence)$"


def test_directly_every_one_of_them_learns() -> None:
    found = campaign.run(15, select(NAMES), 5, 40, True, lambda text: None)
    assert set(found) == {"range", "null", "limit", "sequence"}
    for name, columns in found.items():
        assert columns["direct"].best.rate > 500, name


def test_through_a_gateway_strict_tells_nothing(tmp_path: Path) -> None:
    out = tmp_path / "bits.json"
    given = ["--attacker", "--server", "15", "--only", NAMES, "--statements", "20", "--json", str(out)]
    assert program.main(given) == 0
    figures = json.loads(out.read_text())
    assert {name: row["strict"] for name, row in figures.items()} == dict.fromkeys(figures, 0)
    assert set(figures) == {"range", "null", "limit", "sequence"}
    assert json.loads(out.with_suffix(".details.json").read_text())["statements"] == 20
