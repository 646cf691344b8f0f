"""`narrows serve`: the gateway of a directory, until it is told to stop. Every setting is a flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from narrows.cli.errors import CliError, ExitCode
from narrows.settings import SETTINGS, SettingKind

_EPILOG = """\b
Examples:
  narrows serve --config gateway
  narrows serve --config gateway --postgres-listen 0.0.0.0:5432 --public-host db.example.com
  NARROWS_LOG_FORMAT=json narrows serve --config gateway

SIGHUP reloads the directory, SIGTERM and Ctrl-C finish what runs and stop.
"""


def _setting_flags(function: Any) -> Any:
    for setting in reversed(SETTINGS):
        if setting.flag:
            choice = click.Choice(setting.choices) if setting.kind is SettingKind.CHOICE else None
            function = click.option(
                setting.flag, setting.name, type=choice, help=setting.help, metavar=_metavar(setting.kind)
            )(function)
    return function


def _metavar(kind: SettingKind) -> str | None:
    return None if kind is SettingKind.CHOICE else kind.name


@click.command("serve", epilog=_EPILOG)
@click.option(
    "--config",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="NARROWS_CONFIG",
    required=True,
    help="The configuration directory.",
)
@_setting_flags
def command(directory: Path, **flags: str | None) -> int:
    """Run the gateway of a directory.

    Settings come from narrows.yaml, then NARROWS_*, then these flags; docs/configuration.md explains each.
    """
    from narrows import app
    from narrows.api.server import ListenError
    from narrows.config.faults import ConfigError

    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return int(app.serve(directory, given) or 0)
    except ConfigError as error:
        raise invalid(directory, error) from None
    except ListenError as error:
        raise CliError(str(error), "", ExitCode.FAILED) from None


def invalid(directory: Path, error: Any) -> CliError:
    """What a directory that does not validate looks like at the terminal."""
    count = len(error.faults)
    return CliError(
        f"{directory} does not validate: {count} fault{'s' if count != 1 else ''}",
        "Mend what is listed above; nothing was changed.",
        ExitCode.CONFIG_INVALID,
        details=tuple(str(fault) for fault in error.faults),
        more={"faults": [_fault(fault) for fault in error.faults]},
    )


def _fault(fault: Any) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("file", "line", "path", "message", "remedy")}
