"""`narrows sessions`: who is on now, and the end of one."""

from __future__ import annotations

import click

from narrows.cli import output
from narrows.cli.options import gateway_options

_EPILOG = """\b
Examples:
  narrows sessions list
  narrows sessions end SESSION
"""


@click.group("sessions", epilog=_EPILOG)
def command() -> None:
    """List and end open sessions."""


@command.command("list")
@gateway_options
def list_sessions(as_json: bool) -> None:
    """Every open session, oldest first."""
    from narrows.cli.client import connect

    with connect() as client:
        found = client.get("/v1/sessions")
    if as_json:
        output.show_json(found)
        return
    rows = [
        (
            s["id"],
            s["principal"],
            f"{s['connection']}/{s['database']}",
            s["client"],
            output.moment(s["started_at"]),
            str(s["statements"]),
            s["application"],
        )
        for s in found
    ]
    columns = ("SESSION", "WHO", "CONNECTION", "FROM", "SINCE (UTC)", "STATEMENTS", "PROGRAM")
    output.show_table(columns, rows, "no open sessions")


@command.command("end")
@click.argument("session")
@gateway_options
def end_session(session: str, as_json: bool) -> None:
    """End a session at both sides; its open transaction is rolled back by the target."""
    from narrows.cli.client import connect, part

    with connect() as client:
        done = client.delete(f"/v1/sessions/{part(session)}")
    if as_json:
        output.show_json(done)
    else:
        output.say(f"Ended {session}.", style="good")
