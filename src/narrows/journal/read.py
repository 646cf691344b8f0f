"""Reading the journal: entries in order, statements with their outcomes, one record in full.

Laws: it streams; it trusts the files and checks nothing (that is `verify`): a line that is none of ours is
passed over. Values stay sealed. It may run while the journal is written: only whole lines are read.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from narrows.journal import files, line, records
from narrows.journal.records import Entry, Facts, OutcomeRecord, StatementRecord
from narrows.store.journal_index import Search, spellings

OUTCOME_WINDOW = 10_000
"""An outcome is looked for among so many statements that follow; later ones are found by `show`."""
WINDOW_CHARACTERS = 16 << 20
"""And while what waits for its outcome is no longer than this."""

Meter = Callable[[int], None]
Wanted = Callable[[line.Parsed], bool]
"""Looks at a line before its record is decoded."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry and, for a statement that ended, its outcome."""

    entry: Entry
    outcome: OutcomeRecord | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the journal knows of one record."""

    entry: Entry
    outcome: OutcomeRecord | None
    facts: Any
    """The request that policy saw, as it was; None where there is none."""


def read_entries(directory: Path, meter: Meter | None = None) -> Iterator[Entry]:
    """Every entry of every writer, in the order of their times."""
    chains = (read_chain(directory, writer, meter=meter) for writer in files.list_writers(directory))
    return heapq.merge(*chains, key=lambda entry: entry.at)


def read_chain(
    directory: Path,
    writer: str,
    *,
    first: int = 0,
    meter: Meter | None = None,
    wanted: Wanted | None = None,
) -> Iterator[Entry]:
    """One writer's entries from its first kept segment, or from segment `first`."""
    for segment in files.list_segments(directory, writer):
        if segment >= first:
            yield from read_segment(directory, writer, segment, meter=meter, wanted=wanted)


def read_segment(
    directory: Path,
    writer: str,
    segment: int,
    *,
    offset: int = 0,
    meter: Meter | None = None,
    wanted: Wanted | None = None,
) -> Iterator[Entry]:
    """The entries of one segment from a byte offset on."""
    try:
        file = files.segment_path(directory, writer, segment).open("rb")
    except FileNotFoundError:  # retired meanwhile
        return
    with file:
        file.seek(offset)
        while (raw := file.readline(line.LINE_BYTES)).endswith(b"\n"):
            begin, offset = offset, offset + len(raw)
            if meter is not None:
                meter(len(raw))
            parsed = line.parse(raw[:-1])
            if parsed is not None and (wanted is None or wanted(parsed)):
                record = records.decode(parsed.kind, raw)
                hash_ = parsed.hash.decode()
                yield Entry(writer, segment, begin, parsed.seq, parsed.at, hash_, record)


def tell(directory: Path, wanted: Search, meter: Meter | None = None) -> Iterator[Told]:
    """What matches, oldest first, statements with their outcomes; outcomes do not come by themselves."""
    waiting: OrderedDict[str, Told] = OrderedDict()
    open_ids: set[str] = set()
    size = 0
    for entry in read_entries(directory, meter):
        record = entry.record
        if isinstance(record, OutcomeRecord):
            if record.record in open_ids:
                open_ids.discard(record.record)
                waiting[record.record] = Told(waiting[record.record].entry, record)
        elif matches(entry, wanted):
            waiting[entry.id] = Told(entry)
            size += _size(entry)
            if isinstance(record, StatementRecord) and (record.effect == "allow" or record.is_observed):
                open_ids.add(entry.id)
        while waiting and (
            next(iter(waiting)) not in open_ids or len(waiting) > OUTCOME_WINDOW or size > WINDOW_CHARACTERS
        ):
            id_, told = waiting.popitem(last=False)
            open_ids.discard(id_)
            size -= _size(told.entry)
            yield told
    yield from waiting.values()


def show(directory: Path, record_id: str) -> Shown | None:
    """One record with its outcome and the request that policy saw; None where there is none of that id."""
    place = records.parse_id(record_id)
    if place is None or place[0] not in files.list_writers(directory):
        return None
    writer, seq = place
    name = f'"record":"{record_id}"'.encode()

    def is_about(parsed: line.Parsed) -> bool:
        if parsed.seq <= seq:
            return parsed.seq == seq or parsed.kind == "facts"
        return parsed.kind == "outcome" and name in parsed.body

    entry = None
    requests: dict[str, tuple[int, int]] = {}
    first = _segment_of(directory, writer, seq)
    for found in read_chain(directory, writer, first=first, wanted=is_about):
        if found.seq == seq:
            entry = found
            if not isinstance(found.record, StatementRecord):
                return Shown(found, None, None)
        elif isinstance(found.record, Facts):
            requests[found.record.of] = (found.segment, found.offset)
        elif entry is not None and isinstance(found.record, OutcomeRecord):
            return Shown(entry, found.record, _facts(directory, writer, entry, requests))
    return Shown(entry, None, _facts(directory, writer, entry, requests)) if entry else None


def matches(entry: Entry, wanted: Search) -> bool:
    """The same meaning as in the index: None does not narrow."""
    record = entry.record
    if wanted.since is not None and entry.at < wanted.since:
        return False
    if wanted.until is not None and entry.at >= wanted.until:
        return False
    if wanted.text is not None and wanted.text.lower() not in str(getattr(record, "text", "")).lower():
        return False
    if wanted.person is not None and not _is_person(str(getattr(record, "principal", "")), wanted.person):
        return False
    if wanted.table is not None and wanted.table not in _spelled(entry):
        return False
    exact = (
        (wanted.kind, entry.kind),
        (wanted.verdict, verdict_of(entry)),
        (wanted.connection, getattr(record, "connection", "")),
        (wanted.session, getattr(record, "session", "")),
    )
    return all(name is None or name == value for name, value in exact)


def verdict_of(entry: Entry) -> str:
    """allow, review or deny; '' for what is no decision."""
    record = entry.record
    if isinstance(record, StatementRecord):
        return record.effect
    if isinstance(record, records.Refused):
        return "deny"
    if isinstance(record, records.SignIn):
        return "allow" if record.is_accepted else "deny"
    if isinstance(record, records.Operated):
        return "allow" if record.is_allowed else "deny"
    return ""


def tables_of(entry: Entry) -> tuple[str, ...]:
    """The tables that a statement acts upon, such as `shop/public.orders`."""
    if not isinstance(entry.record, StatementRecord):
        return ()
    named = (operation.resource for operation in entry.record.operations)
    tables = [resource[len('Table::"') : -1] for resource in named if resource.startswith('Table::"')]
    return tuple(dict.fromkeys(tables))


def _size(entry: Entry) -> int:
    return len(getattr(entry.record, "text", "")) + len(getattr(entry.record, "values", ""))


def _spelled(entry: Entry) -> set[str]:
    return {form for table in tables_of(entry) for form in spellings(table)}


def _is_person(principal: str, person: str) -> bool:
    return principal == person or ("/" not in person and principal.endswith("/" + person))


def _segment_of(directory: Path, writer: str, seq: int) -> int:
    """The last segment that begins at or before this record."""
    numbers = files.list_segments(directory, writer)
    low, high = 0, len(numbers)
    while high - low > 1:
        middle = (low + high) // 2
        raw = files.first_line(files.segment_path(directory, writer, numbers[middle]), line.LINE_BYTES)
        parsed = line.parse(raw)
        if parsed is not None and parsed.seq <= seq:
            low = middle
        else:
            high = middle
    return numbers[low] if numbers else 0


def _facts(directory: Path, writer: str, entry: Entry, places: dict[str, tuple[int, int]]) -> Any:
    if not isinstance(entry.record, StatementRecord) or entry.record.facts not in places:
        return None
    segment, offset = places[entry.record.facts]
    found = next(read_segment(directory, writer, segment, offset=offset), None)
    if found is None or not isinstance(found.record, Facts):
        return None
    return msgspec.json.decode(found.record.request)
