"""`narrows journal`: search and show through the gateway; verify and export on the files, without it."""

from __future__ import annotations

import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from narrows.cli import output
from narrows.cli.errors import CliError, ExitCode
from narrows.cli.options import directory_argument, gateway_options, json_option
from narrows.cli.text import printable, shortened

_PAGE = 100
_TEXT_WIDTH = 120

_EPILOG = """\b
Examples:
  narrows journal list --person alice --since 2d
  narrows journal list --table payroll --verdict deny
  narrows journal show RECORD --values
  narrows journal head > head.json          keep it on another machine
  narrows journal verify gateway --head head.json
  narrows journal export gateway --since 7d --format csv > week.csv
"""


@click.group("journal", epilog=_EPILOG)
def command() -> None:
    """Search, show, verify and export the record."""


def _filters(function: Any) -> Any:
    for option in reversed(
        (
            click.option("--person", help="A user or service: alice, or User/alice."),
            click.option("--connection", help="A connection's name."),
            click.option("--table", help="A table: payroll, public.payroll or shop/public.payroll."),
            click.option(
                "--verdict", type=click.Choice(["allow", "review", "deny"]), help="What was answered."
            ),
            click.option("--session", help="A session's id."),
            click.option(
                "--kind",
                default="statement",
                show_default=True,
                help="A kind of record, such as statement, sign_in or alert; `all` for every one.",
            ),
            click.option("--since", type=Moment(), help="Not before: 2h, 7d, or 2026-11-22T09:00."),
            click.option("--until", type=Moment(), help="Before: the same forms."),
            click.option("--text", help="Words that stand in the statement."),
        )
    ):
        function = option(function)
    return function


class Moment(click.ParamType[float]):
    """A time: so long ago, or ISO 8601 (UTC where no zone is said); seconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from narrows.settings import parse_duration

        if isinstance(value, float):
            return value
        try:
            return time.time() - parse_duration(value)
        except ValueError:
            pass
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            self.fail("write 2h, 7d, or a time such as 2026-11-22T09:00", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


@command.command("list")
@_filters
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)
@gateway_options
def list_records(limit: int, as_json: bool, **filters: Any) -> None:
    """Search the record, newest first."""
    found = _search(limit, filters)
    if as_json:
        output.show_json(found)
        return
    kind = () if filters["kind"] == "statement" else ("KIND",)
    columns = ("RECORD", *kind, "TIME (UTC)", "WHO", "CONNECTION", "VERDICT", "OUTCOME", "ROWS", "STATEMENT")
    rows = [_row(entry, with_kind=bool(kind)) for entry in found]
    output.show_table(columns, rows, "nothing matches")


def _search(limit: int, filters: dict[str, Any]) -> list[dict[str, Any]]:
    from narrows.cli.client import connect

    found: list[dict[str, Any]] = []
    if filters["kind"] == "all":
        filters = {**filters, "kind": None}
    with connect() as client:
        before = None
        while len(found) < limit:
            page = client.get("/v1/journal", **filters, limit=min(_PAGE, limit - len(found)), before=before)
            found += page["entries"]
            before = page["next"]
            if before is None:
                break
    return found


def _row(entry: dict[str, Any], *, with_kind: bool) -> tuple[str, ...]:
    # A denial's reason says more than `deny` alone.
    verdict = f"{entry['verdict']} {entry['reason'].lower()}".strip()
    return (
        entry["id"],
        *((entry["kind"],) if with_kind else ()),
        output.moment(entry["at"]),
        entry["principal"],
        entry["connection"],
        verdict,
        entry["error"] or entry["status"],
        str(entry["rows"]),
        shortened(" ".join(entry["text"].split()), _TEXT_WIDTH),
    )


@command.command("show")
@click.argument("record")
@click.option("--values", is_flag=True, help="The bound values too; needs view_values.")
@gateway_options
def show(record: str, values: bool, as_json: bool) -> None:
    """Show one whole record: statement, verdict, facts and outcome."""
    from narrows.cli.client import connect, part

    with connect() as client:
        found = client.get(f"/v1/journal/{part(record)}", **({"values": "true"} if values else {}))
    if as_json:
        output.show_json(found)
        return
    for name, value in found.items():
        _show_field(name, value)


def _show_field(name: str, value: Any) -> None:
    if value in (None, "", [], {}, ()):
        return
    if name == "at" and isinstance(value, int | float):
        value = f"{output.moment(value)} UTC"
    if not isinstance(value, str):
        # ASCII JSON cannot act on a terminal.
        value = json.dumps(value, indent=2) if isinstance(value, dict | list) else str(value)
    text = printable(value, keep_lines=True)
    if "\n" in text:
        click.echo(f"{name}:")
        text = "\n".join(f"    {line}" for line in text.splitlines())
        click.echo(text)
    else:
        click.echo(f"{name}: {text}")


@command.command("head")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead.")
@gateway_options
def head(out: Path | None, as_json: bool) -> None:  # noqa: ARG001 - a head is JSON in any case
    """Print the signed head of every chain, to be kept where this machine cannot reach."""
    from narrows.cli.client import connect

    with connect() as client:
        text = json.dumps(client.get("/v1/journal/head"), indent=2)
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", "utf-8")
        output.say(f"Wrote {out}. Keep it away from the gateway's machine.")


@command.command("verify")
@directory_argument
@click.option("--head", "head_file", type=click.Path(path_type=Path), help="A head that was exported before.")
@click.option("--key", type=click.Path(path_type=Path), help="The public key; else the directory's own.")
@json_option
def verify(directory: Path, head_file: Path | None, key: Path | None, as_json: bool) -> int:
    """Read every chain of DIRECTORY and name the first broken place.

    DIRECTORY is a configuration directory, or a journal's own with --key. Without --head a cut tail cannot
    be told from an earlier end: the report says up to where it vouches.
    """
    from narrows.journal import keys
    from narrows.journal.verify import verify as verify_journal

    journal, public_file = _places(directory, key)
    try:
        public = keys.load_public(public_file)
    except keys.KeyFault as fault:
        raise CliError(str(fault), "Name the public key with --key FILE.") from None
    report = verify_journal(journal, public, head_file.read_bytes() if head_file else None)
    if as_json:
        output.show_json(
            {
                "is_intact": report.is_intact,
                "faults": [
                    {"kind": str(f.kind), "place": f.place, "message": f.message} for f in report.faults
                ],
                "records": report.records,
                "lines": report.describe(),
            }
        )
    else:
        for line in report.describe():
            output.say(line, style="" if report.is_intact else "bad")
    return ExitCode.OK if report.is_intact else ExitCode.VERIFICATION_FAILED


@command.command("export")
@directory_argument
@_filters
@click.option("--format", "format_", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this new file (0600) instead.")
@json_option
def export(directory: Path, format_: str, out: Path | None, as_json: bool, **filters: Any) -> None:
    """Write what matches, oldest first; bound values stay sealed."""
    from narrows.journal.export import Format
    from narrows.journal.export import export as export_journal
    from narrows.store.journal_index import Search

    journal, _ = _places(directory, None)
    wanted = Search(**filters)
    if out is None:
        export_journal(journal, sys.stdout, Format(format_), wanted)
        return
    with _new_file(out) as stream:
        written = export_journal(journal, stream, Format(format_), wanted)
    if as_json:
        output.show_json({"file": str(out), "records": written})
    else:
        output.say(f"Wrote {written} records to {out}.", style="good")


def _new_file(path: Path) -> Any:
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", newline="", encoding="utf-8", errors="backslashreplace")


def _places(directory: Path, key: Path | None) -> tuple[Path, Path]:
    """(the journal's directory, its public key) of a configuration directory or of a journal's own."""
    from narrows.config.load import read_settings
    from narrows.journal.keys import PUBLIC_FILE

    if not directory.is_dir():
        raise CliError(f"{directory} is not a directory", "Name the configuration directory.")
    if not (directory / "narrows.yaml").is_file():
        return directory, key or directory.parent / "keys" / PUBLIC_FILE
    state = read_settings(directory).state_directory
    return state / "journal", key or state / "keys" / PUBLIC_FILE
