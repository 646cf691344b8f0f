"""`narrows login`: check a token with the gateway and keep it where psql and the other commands find it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from narrows.cli import login_store, output
from narrows.cli.connections import psql_line
from narrows.cli.errors import CliError
from narrows.cli.options import json_option
from narrows.model.secret import Secret

_TOKEN_BYTES = 8192

_EPILOG = """\b
Examples:
  narrows login --config gateway             on the gateway's own machine
  narrows login --url https://gw:6433 --ca ca.crt
  narrows login --token-file token.txt       or: cat token.txt | narrows login

The token is asked for without echo, read from a file, or from standard input: never from argv.
"""


@click.command("login", epilog=_EPILOG)
@click.option("--url", envvar="NARROWS_URL", help="The control API; by default https://localhost:6433.")
@click.option(
    "--ca", type=click.Path(path_type=Path), envvar="NARROWS_CA", help="The gateway's CA certificate."
)
@click.option(
    "--config",
    "directory",
    type=click.Path(path_type=Path),
    envvar="NARROWS_CONFIG",
    help="Take address and CA from this directory.",
)
@click.option("--token-file", type=click.Path(path_type=Path), help="Read the token from this file.")
@json_option
def command(
    url: str | None, ca: Path | None, directory: Path | None, token_file: Path | None, as_json: bool
) -> None:
    """Check a token and keep it for the other commands and for psql."""
    from narrows.cli.client import DEFAULT_URL, Client, Way, checked_url

    if directory is not None:
        url, ca = url or _url_of(directory), ca or _ca_of(directory)
    url = checked_url(url or DEFAULT_URL)
    authority = ca.read_bytes() if ca else None
    token = _read_token(token_file)
    client = Client(Way(url, token, ca=ca))
    try:
        me = client.get("/v1/whoami")
        connections = client.get("/v1/connections")
    finally:
        client.close()
    login = login_store.Login(url, me["principal"], token.reveal(), authority is not None, me["expires_at"])
    host, port = _postgres_address(connections, url)
    login_store.save(login, authority, host, port)
    if as_json:
        output.show_json({"principal": me["principal"], "url": url, "expires_at": me["expires_at"]})
        return
    output.say(f"Signed in as {me['principal']} until {output.moment(me['expires_at'])} UTC.", style="good")
    _show_lines(connections)


def _show_lines(connections: list[dict[str, object]]) -> None:
    if not connections:
        output.say("No connection is open to you yet; ask for a policy that permits `connect`.")
        return
    output.say("Connect with any PostgreSQL client, for example:")
    for connection in connections:
        output.say("  " + psql_line(connection))


def _read_token(token_file: Path | None) -> Secret:
    if token_file is not None and str(token_file) != "-":
        with token_file.open("rb") as file:
            text = file.read(_TOKEN_BYTES).decode("utf-8", "replace")
    elif token_file is None and sys.stdin.isatty():
        text = click.prompt("Token", hide_input=True, err=True)
    else:
        text = sys.stdin.read(_TOKEN_BYTES)
    token = text.strip()
    if not token or any(c.isspace() or not c.isprintable() for c in token):
        raise CliError(
            "what was given is not a token", "Paste the line that `narrows tokens create` printed (nrw_...)."
        )
    return Secret(token)


def _url_of(directory: Path) -> str:
    from narrows.config.load import read_settings

    settings = read_settings(directory)
    if not settings.control_listen:
        raise CliError("this gateway has no HTTPS control address", "Set control_listen in narrows.yaml.")
    return f"https://{settings.public_host}:{settings.control_listen[0].port}"


def _ca_of(directory: Path) -> Path | None:
    from narrows.config.load import read_settings

    path = read_settings(directory).tls_ca
    return path if path.is_file() else None


def _postgres_address(connections: list[dict[str, object]], url: str) -> tuple[str, int]:
    """Where psql will go: libpq looks a password up by host and port."""
    if connections:
        return str(connections[0]["host"]), int(str(connections[0]["port"]))
    return url.removeprefix("https://").partition(":")[0], 6432
