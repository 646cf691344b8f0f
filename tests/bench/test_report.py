"""The table and the JSON."""

from __future__ import annotations

import json

import pytest

from bench import report
from bench.cases import BY_NAME, CASES, Case
from bench.machine import cpu_model
from bench.measure import Bulk, bulk_figures, points_figures
from bench.pgbench import Sample
from bench.results import Figure, Results

NAMES = [
    *("simple_cpu", "prepared_cpu", "simple_tps", "simple_tps_2w", "bulk_mask2_wall", "bulk_mask2_cpu"),
    *("bulk_scan_cpu", "bulk_tls_wall", "p99_beside_bulk_ms", "rss_20m_mb", "rss_idle_kb"),
]


def test_every_case_is_written_whatever_was_measured() -> None:
    written = report.as_json(Results())
    assert list(written) == NAMES
    assert all({"figure", "must", "aim", "better", "note"} == set(entry) for entry in written.values())
    json.dumps(written)


def test_a_figure_is_written_with_its_limits() -> None:
    results = Results({"simple_cpu": Figure(2.34567)})
    assert report.as_json(results)["simple_cpu"] == {
        "figure": 2.3457,
        "must": 2.5,
        "aim": 1.5,
        "better": "lower",
    }


def test_what_cannot_be_measured_has_no_figure_and_says_why() -> None:
    for name in ("simple_tps_2w", "bulk_scan_cpu"):
        entry = report.as_json(Results())[name]
        assert entry["figure"] is None
        assert entry["note"].startswith("narrows has no ")


@pytest.mark.parametrize(
    ("better", "value", "judged"),
    [
        *(("lower", 1.0, "aim met"), ("lower", 1.5, "aim met"), ("lower", 2.5, "must met")),
        *(("lower", 2.6, "MISSED"), ("lower", None, "-")),
        *(("higher", 3.0, "aim met"), ("higher", 2.6, "must met"), ("higher", 2.4, "MISSED")),
    ],
)
def test_the_judgement_knows_which_way_is_better(better: str, value: float | None, judged: str) -> None:
    must, aim = (2.5, 1.5) if better == "lower" else (2.5, 3.0)
    case = Case("c", "", "x", must, aim, "lower" if better == "lower" else "higher")
    assert report.judgement(case, value) == judged


def test_an_aim_is_never_easier_than_its_must() -> None:
    for case in CASES:
        assert case.is_met(case.aim, case.must)
    assert list(BY_NAME) == NAMES


def test_the_summary_has_a_line_for_each_case() -> None:
    lines = report.summary(Results({"simple_tps": Figure(0.5)})).splitlines()
    assert [line.split()[0] for line in lines[1:]] == NAMES
    assert "must met" in next(line for line in lines if line.startswith("simple_tps "))


def test_numbers_stand_to_the_right() -> None:
    assert report.table(("target", "tps"), [("direct", "9"), ("p", "1,000")]).splitlines() == [
        *("target  tps", "direct      9", "p       1,000")
    ]


def test_the_cases_of_point_queries() -> None:
    found = {"narrows": [_sample(500, 4.0), _sample(600, 5.0)], "pgbouncer": [_sample(1000, 2.0)] * 2}
    figures = points_figures("simple", found)
    assert {name: figure.value for name, figure in figures.items()} == {
        "simple_cpu": 2.25,
        "simple_tps": 0.55,
    }
    assert set(points_figures("prepared", found)) == {"prepared_cpu"}
    assert points_figures("extended", found) == {}


def test_the_cases_of_large_results() -> None:
    found = {"narrows": [Bulk(3.0, 0.5), Bulk(4.0, 0.7)], "direct": [Bulk(1.0, None), Bulk(2.0, None)]}
    plain = bulk_figures(found, is_tls=False)
    assert {name: figure.value for name, figure in plain.items()} == {
        "bulk_mask2_wall": 2.5,
        "bulk_mask2_cpu": 0.6,
    }
    assert {name: figure.value for name, figure in bulk_figures(found, is_tls=True).items()} == {
        "bulk_tls_wall": 2.5
    }


def test_the_cpu_is_named() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: x\n") == "AMD EPYC"
    assert cpu_model("") != ""


def _sample(tps: float, cpu: float) -> Sample:
    return Sample(tps, 1.0, 2.0, cpu, 1.0)
