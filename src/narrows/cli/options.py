"""Options that many commands share, each defined once."""

# ruff: noqa: ARG002 - the arguments are those of click

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """`--json` on every command: the same content as one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


def gateway_options(function: F) -> F:
    """How a command that asks the gateway finds it; kept in the context for `client.connect`."""
    for option in reversed(
        (
            click.option(
                "--config",
                "config_dir",
                type=click.Path(path_type=Path),
                envvar="NARROWS_CONFIG",
                help="Speak through the control socket of this directory, as its operator.",
                callback=_keep("config"),
                expose_value=False,
            ),
            click.option(
                "--url",
                envvar="NARROWS_URL",
                help="The control API, such as https://gateway:6433; the token is NARROWS_TOKEN or login's.",
                callback=_keep("url"),
                expose_value=False,
            ),
            click.option(
                "--ca",
                type=click.Path(path_type=Path),
                envvar="NARROWS_CA",
                help="The CA certificate that verifies --url.",
                callback=_keep("ca"),
                expose_value=False,
            ),
        )
    ):
        function = option(function)
    return json_option(function)


def directory_argument(function: F) -> F:
    """DIR, else NARROWS_CONFIG, else the current directory."""
    return click.argument(
        "directory", type=click.Path(path_type=Path), envvar="NARROWS_CONFIG", default=Path(), required=False
    )(function)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        ctx.meta[f"narrows.{name}"] = value
        return value

    return callback


def duration(text: str) -> float:
    """Seconds of a text such as 12h; a usage error where it is none."""
    from narrows.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as fault:
        raise click.BadParameter(str(fault)) from None


class Duration(click.ParamType[float]):
    """A length of time such as 30m, 12h or 30d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return value if isinstance(value, float) else duration(str(value))
