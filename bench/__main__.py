"""`make bench`: run, print, and write the figures; 0 wherever the run itself worked, whatever the figures say."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import analysis, machine, measure, pgbouncer, report, targets
from bench.measure import MaskError
from bench.pgbench import PgbenchError
from bench.sink import SinkError
from tests.servers.fetch import FetchError
from tests.servers.processes import ServerError


def main(arguments: list[str] | None = None) -> int:
    """Run with these arguments; the exit code."""
    given = _parser().parse_args(arguments)
    if given.analysis:
        _analysis(given.json)
        return 0
    try:
        _run(measure.QUICK if given.quick else measure.WHOLE, given.json)
    except (FetchError, ServerError, PgbenchError, SinkError, MaskError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description="What narrows costs beside a direct connection and PgBouncer."
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under five minutes")
    parser.add_argument("--analysis", action="store_true", help="only what analysing a statement costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write {case: {figure, must, aim, better}}")
    return parser


def _analysis(json_path: Path | None) -> None:
    results = analysis.run(analysis.WHOLE)
    print(report.table(("", ""), (("load", machine.load()),)).strip(), analysis.shown(results), sep="\n\n")
    if json_path:
        json_path.write_text(json.dumps(analysis.written(results), indent=2) + "\n")


def _run(extent: measure.Extent, json_path: Path | None) -> None:
    began = time.monotonic()
    pgbouncer.program()
    about = machine.describe()
    with targets.started() as world:
        results = measure.run(world, extent, _progress(began))
    about.append(("load after", machine.load()))
    about.append(("took", f"{time.monotonic() - began:.0f} s, at most {extent.rounds} rounds"))
    print(report.table(("", ""), about).strip(), report.details(results), report.summary(results), sep="\n\n")
    if json_path:
        json_path.write_text(json.dumps(report.as_json(results), indent=2) + "\n")


def _progress(began: float) -> Callable[[str], None]:
    """Says what is being done, on standard error."""

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", file=sys.stderr, flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
