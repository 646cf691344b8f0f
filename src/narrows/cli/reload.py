"""`narrows reload`: the running gateway takes the directory as it is now, or says why not."""

from __future__ import annotations

import click

from narrows.cli import output
from narrows.cli.options import gateway_options

_EPILOG = """\b
Examples:
  narrows policy check gateway && narrows reload --config gateway
"""


@click.command("reload", epilog=_EPILOG)
@gateway_options
def command(as_json: bool) -> None:
    """Have the gateway read its directory again; open sessions stay."""
    from narrows.cli.client import SLOW_TIMEOUT_S, connect

    with connect() as client:
        done = client.post("/v1/reload", timeout_s=SLOW_TIMEOUT_S)
    if as_json:
        output.show_json(done)
        return
    for warning in done["warnings"]:
        output.say(f"{warning['file']}: {warning['message']}", style="warn")
    versions = ", ".join(f"{name} {version[:12]}" for name, version in sorted(done["versions"].items()))
    output.say(f"Reloaded: {versions}.", style="good")
    if done["needs_restart"]:
        output.say(
            f"These take effect at the next start: {output.listed(done['needs_restart'])}", style="warn"
        )
