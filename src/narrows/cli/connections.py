"""`narrows connections`: what the caller may open, each with a psql line to paste."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from narrows.cli import login_store, output
from narrows.cli.options import gateway_options
from narrows.cli.text import printable

_EPILOG = """\b
Examples:
  narrows connections
  eval "$(narrows connections --psql shop)"
"""


@click.command("connections", epilog=_EPILOG)
@click.option("--psql", "wanted", metavar="NAME", help="Print only the psql line of this connection.")
@gateway_options
def command(wanted: str | None, as_json: bool) -> None:
    """The connections you may open, with psql lines to paste."""
    from narrows.cli.client import connect
    from narrows.cli.errors import CliError

    with connect() as client:
        found = client.get("/v1/connections")
    if wanted is not None:
        found = [connection for connection in found if connection["name"] == wanted]
        if not found:
            raise CliError(
                f"no connection {wanted!r} is open to you", "Run `narrows connections` for the list."
            )
    if as_json:
        output.show_json([{**connection, "psql": psql_line(connection)} for connection in found])
    elif wanted is not None:
        click.echo(psql_line(found[0]))
    else:
        _show(found)


def _show(found: list[dict[str, Any]]) -> None:
    rows = [(c["name"], c["database"], _mode(c), c["description"], psql_line(c)) for c in found]
    if not output.is_terminal():
        output.show_table(("NAME", "DATABASE", "MODE", "DESCRIPTION", "PSQL"), rows)
        return
    if not rows:
        output.say("No connection is open to you; ask for a policy that permits `connect`.")
    for name, database, mode, description, line in rows:
        output.say(f"{name}  ({database}, {mode})  {description}".rstrip(), style="strong")
        output.say(f"  {line}")


def _mode(connection: Mapping[str, Any]) -> str:
    until = f" until {connection['until']}" if connection["until"] else ""
    return f"{connection['mode']}{until}"


def psql_line(connection: Mapping[str, Any]) -> str:
    """A line for any shell: verified TLS, and the token from login's passfile, never on the line."""
    ca, passfile = _ca_path(), login_store.passfile_path()
    values = {
        "host": connection["host"],
        "port": connection["port"],
        "dbname": connection["name"],
        "user": connection["user"],
        "sslmode": connection["sslmode"],
        "sslrootcert": str(ca) if ca.is_file() else "system",
        "passfile": str(passfile) if passfile.is_file() else None,
    }
    words = [f"{name}={_quoted(str(value))}" for name, value in values.items() if value is not None]
    return printable("psql " + shlex.quote(" ".join(words)))


def _ca_path() -> Path:
    """The authority of the gateway that was asked: its own directory's with --config, else what login kept."""
    directory = click.get_current_context().meta.get("narrows.config")
    if directory is None:
        return login_store.ca_path()
    from narrows.config.load import read_settings

    return read_settings(directory).tls_ca.absolute()


def _quoted(value: str) -> str:
    """libpq's quoting of a value in a connection string."""
    if value and not any(character in " '\\\t\n" for character in value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
