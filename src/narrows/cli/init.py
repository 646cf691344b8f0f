"""`narrows init`: a commented starting directory with its own keys and certificates. It never overwrites."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from narrows.cli import output
from narrows.cli.errors import CliError
from narrows.cli.options import json_option

_EPILOG = """\b
Examples:
  narrows init gateway
  narrows init gateway --host db-gateway.example.com
"""


@click.command("init", epilog=_EPILOG)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--host", "hosts", multiple=True, metavar="NAME", help="Further names in the server certificate."
)
@json_option
def command(directory: Path, hosts: tuple[str, ...], as_json: bool) -> None:
    """Write a commented starting directory with keys and certificates.

    DIRECTORY must not exist yet, or be empty.
    """
    _refuse_occupied(directory)
    directory.mkdir(parents=True, exist_ok=True)
    written = list(_write_starter(directory, hosts))
    written += _write_tls(directory, hosts)
    written += _write_keys(directory)
    if as_json:
        output.show_json({"directory": str(directory), "written": [str(path) for path in written]})
        return
    output.say(f"Wrote {directory}: narrows.yaml, labels.yaml, policies, a local CA and keys.", style="good")
    output.say("Next:")
    for line in _next_steps(directory):
        output.say(f"  {line}")


def _next_steps(directory: Path) -> tuple[str, ...]:
    return (
        f"edit {directory / 'narrows.yaml'}   # your connections, users and groups",
        f"narrows policy test {directory}   # the policies do what their cases say",
        f"narrows serve --config {directory}   # start it; the rest in another terminal",
        f"narrows credentials set shop --connection shop --config {directory}",
        f"narrows tokens create alice --config {directory}",
        f"narrows login --config {directory}   # paste that token; it prints the psql line",
    )


def _refuse_occupied(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise CliError(f"{directory} is not empty; nothing was written", "Name a new directory.")


def _write_starter(directory: Path, hosts: tuple[str, ...]) -> Iterator[Path]:
    for name, source in starter_files(resources.files("narrows.config") / "starter"):
        text = source.read_text("utf-8")
        if name == "narrows.yaml" and hosts:
            text = text.replace("public_host: localhost", f"public_host: {hosts[0]}")
        yield _write(directory / name, text.encode(), 0o640)


def starter_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """(relative name, file) of everything in the starting directory."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from starter_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".yaml", ".cedar")):
            yield prefix + entry.name, entry


def _write_tls(directory: Path, hosts: tuple[str, ...]) -> list[Path]:
    """A CA of this directory's own, its key kept so that a certificate for another name can be made."""
    from narrows.runtime import tls

    authority = tls.make_authority()
    certificate = tls.make_certificate(authority, hosts)
    return [
        _write(directory / "tls/ca.crt", authority.certificate, 0o644),
        _write(directory / "tls/ca.key", authority.key, 0o600),
        _write(directory / "tls/server.crt", certificate.certificate, 0o644),
        _write(directory / "tls/server.key", certificate.key, 0o600),
    ]


def _write_keys(directory: Path) -> list[Path]:
    from narrows.credentials import master_key
    from narrows.journal import keys

    state = directory / "state"
    state.mkdir(mode=0o700)
    master_key.create_file(state / "master.key")
    keys.load_or_create(state / "keys")
    return sorted(path for path in state.rglob("*") if path.is_file())


def _write(path: Path, content: bytes, mode: int) -> Path:
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path
