"""`narrows credentials`: the targets' passwords go in, encrypted and bound to one host, port and CA."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from narrows.cli import output
from narrows.cli.errors import CliError
from narrows.cli.options import gateway_options

_VALUE_BYTES = 8192

_EPILOG = """\b
Examples:
  narrows credentials set shop --connection shop        asks for the password
  pass show shop | narrows credentials set shop --connection shop
  narrows credentials list

narrows.yaml then says: credential: {user: ..., password: "store:shop"}
"""


@click.group("credentials", epilog=_EPILOG)
def command() -> None:
    """Keep the targets' passwords."""


@command.command("set")
@click.argument("name")
@click.option("--connection", required=True, help="Whose host, port and CA the password is bound to.")
@click.option(
    "--file", "value_file", type=click.Path(path_type=Path), help="Read the password from this file."
)
@gateway_options
def set_credential(name: str, connection: str, value_file: Path | None, as_json: bool) -> None:
    """Keep a password under a name; from a prompt, a file or standard input."""
    from narrows.cli.client import connect, part

    value = _read_value(value_file)
    with connect() as client:
        stored = client.put(f"/v1/credentials/{part(name)}", {"connection": connection, "value": value})
    if as_json:
        output.show_json(stored)
    else:
        output.say(
            f"Kept {name} for {stored['host']}:{stored['port']}; use it as store:{name}.", style="good"
        )


@command.command("list")
@gateway_options
def list_credentials(as_json: bool) -> None:
    """Names and the targets they are bound to; never a value."""
    from narrows.cli.client import connect

    with connect() as client:
        found = client.get("/v1/credentials")
    if as_json:
        output.show_json(found)
        return
    rows = [
        (c["name"], f"{c['host']}:{c['port']}", output.moment(c["updated_at"]), c["updated_by"])
        for c in found
    ]
    output.show_table(("NAME", "BOUND TO", "SET (UTC)", "BY"), rows, "no credentials")


@command.command("delete")
@click.argument("name")
@gateway_options
def delete_credential(name: str, as_json: bool) -> None:
    """Forget a password; connections that use it stop working."""
    from narrows.cli.client import connect, part

    with connect() as client:
        done = client.delete(f"/v1/credentials/{part(name)}")
    if as_json:
        output.show_json(done)
    else:
        output.say(f"Deleted {name}.", style="good")


def _read_value(path: Path | None) -> str:
    if path is not None:
        value = path.read_text("utf-8")
    elif sys.stdin.isatty():
        value = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read(_VALUE_BYTES + 1)
    value = value.rstrip("\r\n")
    if not value or len(value) > _VALUE_BYTES:
        raise CliError(
            "there is no password to keep", "Give it at the prompt, by --file or on standard input."
        )
    return value
