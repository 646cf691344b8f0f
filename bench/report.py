"""What a run prints and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.cases import CASES, Case
from bench.results import Detail, Figure, Results

_NUMBERS = frozenset("0123456789.,-kM")


def as_json(results: Results) -> dict[str, dict[str, Any]]:
    """{case: {figure, must, aim, better}}, with a note where there is one; `figure` is null where it is missing."""
    return {case.name: entry(case, figure_of(case, results)) for case in CASES}


def figure_of(case: Case, results: Results) -> Figure:
    """The figure of a case; what was not measured says why."""
    return results.figures.get(case.name) or Figure(None, case.missing or "not measured")


def entry(case: Case, figure: Figure) -> dict[str, Any]:
    value = None if figure.value is None else round(figure.value, 4)
    limits = {"must": case.must, "aim": case.aim, "better": case.better}
    return {"figure": value, **limits} | ({"note": figure.note} if figure.note else {})


def judgement(case: Case, value: float | None) -> str:
    """What was reached."""
    if value is None:
        return "-"
    if case.is_met(value, case.aim):
        return "aim met"
    return "must met" if case.is_met(value, case.must) else "MISSED"


def summary(results: Results, cases: Sequence[Case] = CASES) -> str:
    """The table of these cases."""
    header = ("case", "figure", "must", "aim", "", "what")
    rows = []
    for case in cases:
        figure = figure_of(case, results)
        what = f"{case.text} ({figure.note})" if figure.note else case.text
        shown = "-" if figure.value is None else f"{figure.value:.3g} {case.unit}"
        rows.append(
            (case.name, shown, f"{case.must:g}", f"{case.aim:g}", judgement(case, figure.value), what)
        )
    return table(header, rows)


def details(results: Results) -> str:
    return "\n\n".join(_detail(detail) for detail in results.details)


def _detail(detail: Detail) -> str:
    return f"{detail.title}\n{table(detail.header, detail.rows)}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns under their headers; numbers to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(_cell(text, width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(text: str, width: int) -> str:
    is_number = bool(text) and set(text) <= _NUMBERS
    return text.rjust(width) if is_number else text.ljust(width)
