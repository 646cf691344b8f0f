"""The journal as a file for others: JSON lines with everything, CSV with one row per statement.

Laws: it streams; bind values stay sealed in JSON lines and are left out of CSV; a cell that a spreadsheet
would take for a formula is quoted as text.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import msgspec

from narrows.journal import files, read
from narrows.journal.read import Told
from narrows.journal.records import Facts, OutcomeRecord, Record, StatementRecord, Unknown
from narrows.store.journal_index import Search

EVERYTHING = Search()
_EVERY = 1000


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Progress:
    written: int
    read_bytes: int
    total_bytes: int


CSV_COLUMNS = (
    "id",
    "at",
    "principal",
    "groups",
    "task",
    "session",
    "connection",
    "database",
    "statement",
    "effect",
    "is_observed",
    "reason",
    "message",
    "policies",
    "rungs",
    "tables",
    "text",
    "status",
    "rows",
    "bytes",
    "masked",
    "sqlstate",
    "command",
    "seconds",
)
_OF_OUTCOME = ("status", "rows", "bytes", "masked", "sqlstate", "command", "seconds")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_json = msgspec.json.Encoder()


def export(
    directory: Path,
    stream: TextIO,
    format_: Format = Format.JSONL,
    wanted: Search = EVERYTHING,
    progress: Callable[[Progress], None] = lambda _: None,
) -> int:
    """Write what matches, oldest first; returns how many. Raises OSError of the stream."""
    total = _total_bytes(directory)
    read_bytes = 0

    def meter(size: int) -> None:
        nonlocal read_bytes
        read_bytes += size

    write = _csv_writer(stream) if format_ is Format.CSV else _jsonl_writer(stream)
    written = 0
    for told in read.tell(directory, wanted, meter):
        written += write(told)
        if written % _EVERY == 0:
            progress(Progress(written, read_bytes, max(total, read_bytes)))
    progress(Progress(written, read_bytes, max(total, read_bytes)))
    return written


def as_mapping(told: Told) -> dict[str, Any]:
    """An entry as JSON shows it: envelope, the record's fields and, for a statement, its outcome."""
    entry = told.entry
    envelope = {"id": entry.id, "at": entry.at, "kind": entry.kind, "hash": entry.hash}
    shown = {**envelope, **_fields(entry.record)}
    if told.outcome is not None:
        shown["outcome"] = _outcome(told.outcome)
    return shown


def _jsonl_writer(stream: TextIO) -> Callable[[Told], bool]:
    def write(told: Told) -> bool:
        stream.write(_json.encode(as_mapping(told)).decode() + "\n")
        return True

    return write


def _csv_writer(stream: TextIO) -> Callable[[Told], bool]:
    rows = csv.writer(stream)
    rows.writerow(CSV_COLUMNS)

    def write(told: Told) -> bool:
        if not isinstance(told.entry.record, StatementRecord):
            return False
        row = _csv_fields(told)
        rows.writerow([_cell(row.get(name, "")) for name in CSV_COLUMNS])
        return True

    return write


def _csv_fields(told: Told) -> dict[str, Any]:
    entry = told.entry
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="microseconds")
    outcome = _outcome(told.outcome) if told.outcome else {}
    return {
        **_all_fields(entry.record),
        "id": entry.id,
        "at": at,
        "tables": read.tables_of(entry),
        **{name: outcome.get(name, "") for name in _OF_OUTCOME},
    }


def _fields(record: object) -> dict[str, Any]:
    if isinstance(record, Unknown):
        return dict(record.fields)
    if isinstance(record, Facts):
        return {"of": record.of, "request": msgspec.json.decode(record.request)}
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return fields


def _all_fields(record: object) -> dict[str, Any]:
    """Those at their defaults too."""
    assert isinstance(record, Record)
    return msgspec.structs.asdict(record)


def _outcome(outcome: OutcomeRecord) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(outcome)
    return {name: fields[name] for name in _OF_OUTCOME}


def _cell(value: object) -> str | int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        value = " ".join(f"{name}={item}" for name, item in sorted(value.items()))
    elif isinstance(value, (tuple, list)):
        value = " ".join(str(item) for item in value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def _total_bytes(directory: Path) -> int:
    return sum(
        files.segment_path(directory, writer, segment).stat().st_size
        for writer in files.list_writers(directory)
        for segment in files.list_segments(directory, writer)
    )
