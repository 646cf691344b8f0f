"""`narrows doctor`: the directory's files first, then the running gateway's own look at what it depends on."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from narrows.cli import output
from narrows.cli.errors import CliError, ExitCode
from narrows.cli.options import gateway_options

_EPILOG = """\b
Examples:
  narrows doctor --config gateway
"""

_WARN_DAYS = 30

Found = dict[str, str]


@click.command("doctor", epilog=_EPILOG)
@gateway_options
def command(as_json: bool) -> int:
    """Look for what is wrong, and say what to do.

    With --config the directory's files are looked at too, whether the gateway runs or not.
    """
    directory = click.get_current_context().meta.get("narrows.config")
    found = list(_look_at(Path(directory))) if directory else []
    found += _ask_gateway()
    if as_json:
        output.show_json(found)
    else:
        rows = [(each["state"], each["name"], _sentence(each)) for each in found]
        output.show_table(("STATE", "WHAT", "FOUND"), rows)
    return ExitCode.FAILED if any(each["state"] == "fail" for each in found) else ExitCode.OK


def _sentence(found: Found) -> str:
    return found["message"] + (f" -> {found['remedy']}" if found["remedy"] else "")


def _ask_gateway() -> list[Found]:
    from narrows.cli.client import connect

    try:
        with connect() as client:
            answer: list[Found] = client.get("/v1/doctor")
            return answer
    except CliError as fault:
        if fault.code is not ExitCode.UNREACHABLE:
            raise
        return [_found("gateway", "fail", fault.message, fault.remedy)]


def _look_at(directory: Path) -> Iterator[Found]:
    from narrows.config.faults import ConfigError
    from narrows.config.load import load

    try:
        config = load(directory)
    except ConfigError as error:
        for fault in error.faults:
            yield _found("configuration", "fail", f"{fault.place}: {fault.message}", fault.remedy)
        return
    yield _found("configuration", "ok", f"{len(config.policies.ids)} policies, no fault")
    for warning in config.warnings:
        yield _found("configuration", "warn", f"{warning.place}: {warning.message}", warning.remedy)
    yield from _private_files(config.settings.tls_key, config.settings.state_directory)
    yield from _certificate(config.settings.tls_certificate, config.settings.public_host)


def _private_files(*paths: Path) -> Iterator[Found]:
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield _found(
                "files", "fail", f"{path}: {error.strerror}", "run `narrows init` in a new directory"
            )
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield _found("files", "fail", f"{path} is open to others", f"run: chmod go-rwx {path}")
        else:
            yield _found("files", "ok", f"{path} is its owner's alone")


def _certificate(path: Path, host: str) -> Iterator[Found]:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        yield _found("certificate", "fail", f"{path}: {error}", "name a PEM certificate in tls_certificate")
        return
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    state = "ok" if left.days >= _WARN_DAYS else "warn" if left.days >= 0 else "fail"
    remedy = "" if state == "ok" else "put a new certificate there and reload"
    yield _found("certificate", state, f"{path} holds for {left.days} days more", remedy)
    if host not in _names(certificate):
        message = f"{host} (public_host) is not in {path}, so clients with verify-full refuse it"
        yield _found("certificate", "fail", message, "use a certificate with that name")


def _names(certificate: Any) -> set[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    dns = set(names.get_values_for_type(x509.DNSName))
    return dns | {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def _found(name: str, state: str, message: str, remedy: str = "") -> Found:
    return {"name": name, "state": state, "message": message, "remedy": remedy}
