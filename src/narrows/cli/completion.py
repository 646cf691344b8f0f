"""`narrows completion`: the shell's script, made by click."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from narrows.cli.errors import CliError

_EPILOG = """\b
Examples:
  eval "$(narrows completion bash)"
  narrows completion zsh > ~/.zfunc/_narrows
  narrows completion fish > ~/.config/fish/completions/narrows.fish
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print shell completion for bash, zsh or fish."""
    from narrows.cli.root import root

    found = get_completion_class(shell)
    if found is None:
        raise CliError(f"there is no completion for {shell}")
    click.echo(found(root, {}, "narrows", "_NARROWS_COMPLETE").source())
