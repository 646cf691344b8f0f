"""`narrows tokens`: make one for a declared user or service, list them, revoke."""

from __future__ import annotations

from pathlib import Path

import click

from narrows.cli import output
from narrows.cli.options import Duration, gateway_options

_EPILOG = """\b
Examples:
  narrows tokens create alice --config gateway
  narrows tokens create billing --ttl 30d --note "nightly run" --out billing.token
  narrows tokens list --principal alice
  narrows tokens revoke 4f1c2a9b
"""


@click.group("tokens", epilog=_EPILOG)
def command() -> None:
    """Make, list and revoke tokens."""


@command.command("create")
@click.argument("principal")
@click.option("--ttl", type=Duration(), help="How long it holds, such as 8h or 30d; else token_ttl_s.")
@click.option("--note", default="", help="What it is for; shown in the list.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the token to this new file (0600), not here."
)
@gateway_options
def create(principal: str, ttl: float | None, note: str, out: Path | None, as_json: bool) -> None:
    """Make a token for a user or service of narrows.yaml; it is shown once."""
    from narrows.cli.client import connect

    with connect() as client:
        made = client.post("/v1/tokens", {"principal": principal, "ttl_s": ttl, "note": note})
    token, secret = made["token"], made["secret"]
    if out is not None:
        _write_secret(out, secret)
    if as_json:
        output.show_json({**token, **({"file": str(out)} if out else {"secret": secret})})
        return
    until = output.moment(token["expires_at"])
    # On standard error, so that `narrows tokens create x > file` holds the token alone.
    click.echo(
        f"Token {token['id']} of {token['principal']}, until {until} UTC. It is not shown again.", err=True
    )
    if out is None:
        click.echo(secret)


@command.command("list")
@click.option("--principal", help="Only those of this user or service.")
@gateway_options
def list_tokens(principal: str | None, as_json: bool) -> None:
    """Tokens with their state, newest first; never their secret."""
    from narrows.cli.client import connect

    with connect() as client:
        found = client.get("/v1/tokens", principal=principal)
    if as_json:
        output.show_json(found)
        return
    rows = [
        (
            t["id"],
            t["principal"],
            f"revoked {output.moment(t['revoked_at'])}"
            if t["revoked_at"]
            else output.moment(t["expires_at"]),
            output.moment(t["last_used_at"]),
            t["created_by"],
            t["note"],
        )
        for t in found
    ]
    output.show_table(("TOKEN", "WHOSE", "UNTIL (UTC)", "LAST USED", "MADE BY", "NOTE"), rows, "no tokens")


@command.command("revoke")
@click.argument("token")
@gateway_options
def revoke(token: str, as_json: bool) -> None:
    """Revoke a token by its id; sessions opened with it end at once."""
    from narrows.cli.client import connect, part

    with connect() as client:
        revoked = client.delete(f"/v1/tokens/{part(token)}")
    if as_json:
        output.show_json(revoked)
    else:
        output.say(f"Revoked {revoked['id']} of {revoked['principal']}.", style="good")


def _write_secret(path: Path, secret: str) -> None:
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
