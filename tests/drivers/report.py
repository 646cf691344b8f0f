"""The outcome of a run: a table and each difference for people, JSON for programs, figures for the page.

Law: no figure of docs/compatibility.md is written by hand; the lines between its marks come from here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.drivers import outcome
from tests.drivers.compare import Difference, Judged, Reason
from tests.drivers.outcome import Kind
from tests.drivers.suites import SUITES

COLUMNS = (
    "suite",
    "PostgreSQL",
    "tests",
    "passed directly",
    "passed through narrows",
    "skipped or failed both ways",
    "differ, and rightly",
    "differ, a defect",
    "took",
)
_MARKED = "<!-- {0}: written by make drivers -->\n{1}<!-- end of {0} -->\n"


@dataclass(frozen=True, slots=True)
class Result:
    """One suite on one server."""

    suite: str
    version: int
    judged: Judged
    took_s: float


def row(result: Result, reasons: Sequence[Reason]) -> tuple[str, ...]:
    """A line of the table, in the order of `COLUMNS`."""
    judged = result.judged
    direct, through = outcome.count(judged.ran.direct), outcome.count(judged.ran.through)
    right = sum(len(judged.explained.get(reason.name, ())) for reason in reasons if reason.is_right)
    wrong = sum(len(judged.explained.get(reason.name, ())) for reason in reasons if not reason.is_right)
    figures = (
        direct.total(),
        direct[Kind.PASSED],
        through[Kind.PASSED],
        _neither(judged),
        right,
        wrong + len(judged.unexplained),
    )
    took = f"{result.took_s / 60:.0f} min"
    return (SUITES[result.suite].title, str(result.version), *(f"{figure:,}" for figure in figures), took)


def _neither(judged: Judged) -> int:
    direct, through = judged.ran.direct, judged.ran.through
    return sum(
        1
        for name, each in direct.items()
        if each.kind is not Kind.PASSED and name in through and through[name].kind is each.kind
    )


def print_result(result: Result, reasons: Sequence[Reason], console: Console) -> None:
    """Each difference, then the table."""
    judged = result.judged
    for name, found in judged.explained.items():
        for difference in found:
            _say(console, f"{name}: {difference.test}")
    for difference in judged.unexplained:
        _say(console, f"NOT LISTED: {described(difference)}")
    for pattern in judged.gone:
        _say(console, f"LISTED, AND DOES NOT OCCUR: {pattern.suite} {pattern.text} ({pattern.says})")
    table = Table(*COLUMNS)
    table.add_row(*row(result, reasons))
    console.print(table)


def described(difference: Difference) -> str:
    """A difference with the end of what the failing side said."""
    said = [line.strip() for line in difference.said.splitlines() if line.strip()]
    return f"{difference.test}: {difference.direct.kind}, through {difference.through.kind}: {' | '.join(said[-4:])[:600]}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def as_json(results: Iterable[Result]) -> dict[str, object]:
    return {
        f"{result.suite}@{result.version}": {
            "direct": dict(outcome.count(result.judged.ran.direct)),
            "through": dict(outcome.count(result.judged.ran.through)),
            "explained": {
                name: [each.test for each in found] for name, found in result.judged.explained.items()
            },
            "unexplained": [described(each) for each in result.judged.unexplained],
            "gone": [f"{each.text} ({each.says})" for each in result.judged.gone],
            "took_s": round(result.took_s),
        }
        for result in results
    }


def write_json(results: Iterable[Result], path: Path) -> None:
    path.write_text(json.dumps(as_json(results), indent=1) + "\n")


def write_page(results: Sequence[Result], reasons: Sequence[Reason], path: Path) -> None:
    """Put the figures between the page's marks; of suites and servers that were not run, the old ones stay."""
    text = path.read_text()
    rows = _rows(marked(text, "figures")) | {
        (line[0], line[1]): line for line in (row(result, reasons) for result in results)
    }
    lines = [_line(COLUMNS), _line(("---",) * 2 + ("---:",) * 7), *(_line(rows[key]) for key in sorted(rows))]
    text = _replace(text, "figures", "\n".join(lines) + "\n")
    path.write_text(_replace(text, "reasons", reasons_text(reasons)))


def reasons_text(reasons: Sequence[Reason]) -> str:
    """Every reason with its tests."""
    return "".join(
        f"### {reason.title}\n\n{_reason_text(reason)}\n\n{_tests(reason)}\n" for reason in reasons
    )


def _reason_text(reason: Reason) -> str:
    return ("" if reason.is_right else "A defect. ") + reason.text


def _tests(reason: Reason) -> str:
    by_suite: dict[str, list[str]] = {}
    for pattern in reason.patterns:
        by_suite.setdefault(pattern.suite, []).append(pattern.text)
    return "".join(
        f"- {SUITES[suite].title}: {', '.join(f'`{text}`' for text in texts)}\n"
        for suite, texts in by_suite.items()
    )


def marked(text: str, name: str) -> str:
    """What stands between a page's marks of this name."""
    found = re.search(_between(name), text, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no marks for {name}")
    return found[1]


def _between(name: str) -> str:
    return re.escape(_MARKED.format(name, "\0")).replace("\0", "(.*?)")


def _replace(text: str, name: str, content: str) -> str:
    marked(text, name)
    return re.sub(_between(name), lambda _: _MARKED.format(name, content), text, flags=re.DOTALL)


def _rows(table: str) -> dict[tuple[str, str], tuple[str, ...]]:
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]
    return {(line[0], line[1]): line for line in cells if len(line) == len(COLUMNS)}


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
