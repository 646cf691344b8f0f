"""`make drivers`: the drivers' own suites, directly and through narrows.

    make drivers ARGS="--suite psycopg|asyncpg|sqlalchemy --server 15|18 --json FILE --only EXPR"
    make drivers ARGS="--markdown docs/compatibility.md"     writes the figures into the page
    make drivers ARGS="--sources psycopg=PATH"               where its archive cannot be had

Exit code 0: both ways agree but where expected.yaml says why not. 1: a difference that is not listed, or a listed one
that no longer occurs. 2: a suite could not be brought or did not run to its end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.drivers import compare, fetch, report
from tests.drivers import run as running
from tests.drivers.compare import Reason
from tests.drivers.report import Result
from tests.drivers.run import Place, RunError
from tests.drivers.suites import SUITES, Suite
from tests.servers.fetch import FetchError
from tests.servers.processes import ServerError

_SAYING = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 where everything is as expected."""
    given = _arguments(arguments)
    reasons, results, is_whole = compare.load(), list[Result](), True
    console = Console(width=None if sys.stdout.isatty() else 200)
    for name in given.suite or list(SUITES):
        try:
            result = _run(SUITES[name], given, reasons)
        except (FetchError, ServerError, RunError) as error:
            _say(f"{name} was not run: {error}")
            is_whole = False
            continue
        results.append(result)
        report.print_result(result, reasons, console)
    if given.json:
        report.write_json(results, given.json)
    if given.markdown and not given.only:
        report.write_page(results, reasons, given.markdown)
    if not is_whole:
        return 2
    return 0 if all(result.judged.is_as_expected for result in results) else 1


def _run(suite: Suite, given: argparse.Namespace, reasons: Sequence[Reason]) -> Result:
    began = time.monotonic()
    version = int(given.server)
    out = fetch.cache() / "out" / f"{suite.name}-{version}"
    out.mkdir(parents=True, exist_ok=True)
    tree = fetch.tree(suite, _say, given.sources.get(suite.name))
    place = Place(suite, tree, fetch.python(suite, _say), out, version)
    ran = running.run(
        place, given.only, lambda found: compare.suspect(found, reasons, suite.name, version), _say
    )
    judged = compare.judge(ran, reasons, suite.name, version, is_whole=given.only is None)
    return Result(suite.name, version, judged, time.monotonic() - began)


def _say(text: str) -> None:
    _SAYING.print(text, markup=False, highlight=False, soft_wrap=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make drivers", description="The drivers' own suites, two ways.")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="this one; may be repeated")
    parser.add_argument("--server", choices=("15", "18"), default="15")
    parser.add_argument("--only", metavar="EXPR", help="pytest's -k: some of the tests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the figures into this page")
    parser.add_argument("--sources", type=_source, action="append", default=[], metavar="SUITE=PATH")
    given = parser.parse_args(arguments)
    given.sources = dict(given.sources)
    return given


def _source(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name not in SUITES or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{text}: SUITE=PATH, where PATH is an archive or a tree")
    return name, Path(path)


if __name__ == "__main__":
    sys.exit(main())
