"""`narrows logout`: forget what login kept. The token itself holds until it expires or is revoked."""

from __future__ import annotations

import click

from narrows.cli import login_store, output
from narrows.cli.options import json_option

_EPILOG = """\b
Examples:
  narrows logout
  narrows tokens revoke ID         ends the token itself, for everybody who has it
"""


@click.command("logout", epilog=_EPILOG)
@json_option
def command(as_json: bool) -> None:
    """Forget the token that login kept."""
    had_any = login_store.forget()
    if as_json:
        output.show_json({"forgotten": had_any})
    else:
        output.say("Signed out." if had_any else "Nobody was signed in.")
