"""`make noninterference`: as many examples as one wants, in rounds that each have a pool of schemas of their own.

    make noninterference ARGS="--examples 20000 --server 15|18 --seed N"

Exit code 0: every pair of replies was equal, and enough was answered. 1: otherwise, with the smallest script that tells.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from tests.noninterference import run, world
from tests.noninterference.replies import Tally

ROUND = 1000
"""Examples over one pool."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 where the property holds."""
    given = _arguments(arguments)
    console, tally, began = Console(width=None if sys.stdout.isatty() else 160), Tally(), time.monotonic()
    for at in range(0, given.examples, ROUND):
        number, count = given.seed + at // ROUND, min(ROUND, given.examples - at)
        with world.opened(given.server, run.pool(number)) as opened:
            try:
                run.hold(opened, number, count, tally)
            except AssertionError as failure:
                console.print(str(failure), markup=False, highlight=False, soft_wrap=True)
                return 1
        seconds = time.monotonic() - began
        console.print(f"{at + count} examples in {seconds:.0f} s, seed {number}: {tally}", highlight=False)
    for shortfall in run.shortfalls(tally):
        console.print(shortfall)
    return 1 if run.shortfalls(tally) else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make noninterference", description=__doc__)
    parser.add_argument("--examples", type=int, default=ROUND)
    parser.add_argument("--server", type=int, choices=(15, 18), default=15)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
