"""`narrows whoami`: the caller as the gateway knows it, with effective rights."""

from __future__ import annotations

from typing import Any

import click

from narrows.cli import output
from narrows.cli.options import gateway_options

_EPILOG = """\b
Examples:
  narrows whoami
  narrows whoami --json | jq '.connections[].rungs'
"""


@click.command("whoami", epilog=_EPILOG)
@gateway_options
def command(as_json: bool) -> None:
    """Who you are to the gateway and what you may do."""
    from narrows.cli.client import connect

    with connect() as client:
        me = client.get("/v1/whoami")
    if as_json:
        output.show_json(me)
        return
    output.say(f"{me['principal']}  (groups: {output.listed(me['groups'])})", style="strong")
    until = f"until {output.moment(me['expires_at'])} UTC" if me["expires_at"] else "as the built-in operator"
    output.say(f"signed in by {me['method']} {until}")
    if me["operate"]:
        output.say(f"may operate the gateway: {output.listed(me['operate'])}")
    if me["connections"]:
        output.say()
        _show_rights(me["connections"])


def _show_rights(connections: list[dict[str, Any]]) -> None:
    rows = [
        (
            known["connection"],
            known["mode"],
            output.listed(known["allowed"]),
            output.listed(known["partly"]),
            output.listed([f"{label}: {rung}" for label, rung in known["rungs"].items()]),
        )
        for known in connections
    ]
    output.show_table(("CONNECTION", "MODE", "ALLOWED", "PARTLY", "LABELS SHOWN"), rows)
