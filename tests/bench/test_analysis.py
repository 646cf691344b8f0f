"""The bench of the analysis measures what it says; its figures are looked at, never asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import analysis
from bench.__main__ import main
from narrows.inspect import sql
from tests.inspect.sql import sample

QUICK = analysis.Extent(rounds=1, hits=1)


@pytest.mark.parametrize("text", analysis.statements())
def test_every_statement_is_analysed_where_it_is_measured(text: str) -> None:
    found = sql.analyse_inline(text, sample.VIEW)
    assert found is not None and found.refusal is None


def test_all_are_missed_and_nearly_all_are_found_again() -> None:
    (detail,) = analysis.run(QUICK).details
    missed, derived, found = (int(row[1]) for row in detail.rows)
    assert missed == derived == len(analysis.statements())
    assert missed - found == 2  # what names prepared statements or cursors is analysed each time


def test_the_figures_are_written_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "WHOLE", QUICK)
    out = tmp_path / "out.json"
    assert main(["--analysis", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert {name: (each["must"], each["better"]) for name, each in found.items()} == {
        "analysis_miss_us": (150, "lower"),
        "analysis_hit_us": (3, "lower"),
    }
