"""The root command: the list of every command, loaded only when it is run, and the one place where failures end.

Law: no traceback reaches a person unless NARROWS_DEBUG=1.
"""

# ruff: noqa: ARG002 - the arguments are those of click

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from narrows import __version__
from narrows.cli.errors import CliError, ExitCode
from narrows.cli.text import printable

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("narrows.cli.init", "Write a commented starting directory with keys and certificates."),
    "serve": ("narrows.cli.serve", "Run the gateway of a directory."),
    "login": ("narrows.cli.login", "Check a token and keep it for the other commands."),
    "logout": ("narrows.cli.logout", "Forget the token that login kept."),
    "whoami": ("narrows.cli.whoami", "Who you are to the gateway and what you may do."),
    "connections": ("narrows.cli.connections", "The connections you may open, with psql lines to paste."),
    "policy": ("narrows.cli.policy", "Check, test and explain policies."),
    "journal": ("narrows.cli.journal", "Search, show, verify and export the record."),
    "tokens": ("narrows.cli.tokens", "Make, list and revoke tokens."),
    "credentials": ("narrows.cli.credentials", "Keep the targets' passwords."),
    "sessions": ("narrows.cli.sessions", "List and end open sessions."),
    "reload": ("narrows.cli.reload", "Have the gateway read its directory again."),
    "doctor": ("narrows.cli.doctor", "Look for what is wrong, and say what to do."),
    "demo": ("narrows.cli.demo", "Tell the story of narrows on this machine with real clients."),
    "completion": ("narrows.cli.completion", "Print shell completion for bash, zsh or fish."),
}
"""Name -> the module whose `command` it is, and its help; in the order of the reference."""


class Root(click.Group):
    """Loads a command's module when it is run: `narrows --help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            ctx.fail(f"There is no command {printable(args[0])!r}.{_near(args[0], COMMANDS)}")

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run and exit; every failure ends here with its code."""
        words = list(sys.argv[1:] if args is None else args)
        extra.pop("standalone_mode", None)
        code = _run(lambda: super(Root, self).main(words, prog_name, standalone_mode=False, **extra), words)
        sys.exit(code)


def _run(action: Any, words: list[str]) -> int:
    as_json = "--json" in words
    try:
        result = action()
        return result if isinstance(result, int) else ExitCode.OK
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as fault:
        fault.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except CliError as fault:
        _show_failure(fault, as_json)
        return fault.code
    except click.ClickException as fault:
        _show_failure(CliError(fault.format_message()), as_json)
        return ExitCode.FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as fault:
        if os.environ.get("NARROWS_DEBUG") == "1":
            raise
        _show_failure(_unexpected(fault), as_json)
        return ExitCode.FAILED


def _unexpected(fault: Exception) -> CliError:
    if isinstance(fault, OSError) and fault.strerror:
        where = f"{fault.filename}: " if fault.filename else ""
        return CliError(f"{where}{fault.strerror}", "Check the path and its permissions.")
    return CliError(
        f"narrows failed: {type(fault).__name__}: {fault}",
        "This is a defect; run again with NARROWS_DEBUG=1 and report what it prints.",
    )


def _show_failure(fault: CliError, as_json: bool) -> None:
    if as_json:
        body = {"message": fault.message, "remedy": fault.remedy, "exit_code": int(fault.code), **fault.more}
        if fault.details:
            body.setdefault("details", list(fault.details))
        click.echo(json.dumps({"error": body}, indent=2, default=str), err=True)
        return
    for line in fault.details:
        click.echo(printable(line), err=True)
    click.echo(f"Error: {printable(fault.message)}", err=True)
    if fault.remedy:
        click.echo(printable(fault.remedy), err=True)


def _near(word: str, known: Any) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


_EPILOG = """\b
Examples:
  narrows init gateway               write a directory to start from
  narrows serve --config gateway     run it
  narrows tokens create alice --config gateway
  narrows login --config gateway     sign in with that token
  narrows connections                psql lines to paste
  narrows journal list --verdict deny --since 1d

\b
Exit codes: 0 worked, 1 failed or denied, 2 usage, 3 gateway not reached,
4 not signed in, 5 verification failed, 6 configuration invalid.
"""


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(__version__, "-V", "--version", prog_name="narrows")
def root() -> None:
    """narrows: a gateway that decides, masks and records every statement."""
