"""Printing: tables for people at a terminal, tab-separated lines for pipes, JSON where asked for."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from narrows.cli.text import printable


def is_json() -> bool:
    """Whether this command was asked for JSON."""
    context = click.get_current_context(silent=True)
    return bool(context and context.params.get("as_json")) or bool(
        context and context.meta.get("narrows.json")
    )


def is_terminal() -> bool:
    return sys.stdout.isatty()


def has_colour() -> bool:
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 record`, `2 records`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def show_json(value: Any) -> None:
    """One JSON document; plain ASCII, so that nothing in it can act on a terminal."""
    click.echo(json.dumps(value, indent=2, default=str))


def say(text: str = "", *, style: str = "") -> None:
    """A sentence of our own for people; silent under --json."""
    if not is_json():
        click.echo(
            click.style(printable(text, keep_lines=True), **_STYLES.get(style, {})), color=has_colour()
        )


_STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "dim": {"dim": True},
    "strong": {"bold": True},
}


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str = "nothing to show") -> None:
    """A table at a terminal; elsewhere a header and tab-separated lines. Cells are escaped here."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not is_terminal():
        click.echo("\t".join(columns))
        for row in cells:
            click.echo("\t".join(row))
    elif not cells:
        click.echo(empty)
    else:
        _show_rich_table(columns, cells)


def _show_rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(no_color=not has_colour(), highlight=False)
    if console.width < 60:
        _show_records(columns, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold", ratio=1 if name == columns[-1] else None)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _show_records(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """For narrow terminals: one field a line, a blank line between rows."""
    width = max(len(name) for name in columns)
    for number, row in enumerate(cells):
        if number:
            click.echo()
        for name, cell in zip(columns, row, strict=True):
            click.echo(f"{name:<{width}}  {cell}")


def moment(seconds: float | None) -> str:
    """A time as people read it, in UTC."""
    if seconds is None:
        return "-"
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def listed(words: Sequence[str]) -> str:
    return ", ".join(words) if words else "-"
