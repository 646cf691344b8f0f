"""Queries on the journal's index: what makes search fast, and where indexing stopped.

Laws: the index serves search only, the journal is the truth, and this can be dropped and filled again;
entries and the position they bring the writer to are written in one transaction, so that after a crash
indexing resumes where it stopped; a record indexed twice is there once. Text comes from callers, so it is
cut and made storable here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from narrows.store.dialect import insert_missing, upsert
from narrows.store.schema import journal_index, journal_positions, journal_tables

TEXT_BYTES = 4096
NAME_BYTES = 512
SEARCH_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as search knows it; the last four are filled once the statement has ended."""

    id: str
    """The record's id in the journal, such as `writer:seq`."""
    at: float
    seq: int
    """Order within one writer, for records of the same instant."""
    kind: str
    session: str = ""
    principal: str = ""
    """`User/alice`."""
    groups: tuple[str, ...] = ()
    connection: str = ""
    database: str = ""
    verdict: str = ""
    reason: str = ""
    policies: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    """Resource ids, such as `shop/public.payroll`."""
    text: str = ""
    status: str = ""
    rows: int = 0
    masked: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class IndexedOutcome:
    """How the statement of a record ended."""

    id: str
    status: str
    rows: int = 0
    masked: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a writer's journal is indexed: `offset` bytes of `segment`, the last record being `seq`."""

    segment: int
    offset: int
    seq: int


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; None does not narrow."""

    person: str | None = None
    """`User/alice`, or `alice` for a user or a service of that name."""
    connection: str | None = None
    table: str | None = None
    """`shop/public.payroll`, `public.payroll` or `payroll`."""
    verdict: str | None = None
    kind: str | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None
    """Contained in the text, without regard to case."""


_KEPT = tuple(name for name in Entry.__slots__ if name != "tables")
_COLUMNS = tuple(journal_index.c[name] for name in _KEPT)
_OUTCOME = (
    sa.update(journal_index)
    .where(journal_index.c.id == sa.bindparam("record"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("status", "rows", "masked", "error")})
)


def insert_many(connection: Connection, entries: Sequence[Entry]) -> None:
    """Index these records."""
    insert_missing(connection, journal_index, [_row(entry) for entry in entries])
    names = {(entry.id, name) for entry in entries for table in entry.tables for name in spellings(table)}
    insert_missing(
        connection, journal_tables, [{"record": record, "name": name} for record, name in sorted(names)]
    )


def set_outcome_many(connection: Connection, outcomes: Sequence[IndexedOutcome]) -> None:
    """Add how these statements ended; one that is not indexed is passed over."""
    if outcomes:
        connection.execute(_OUTCOME, [_outcome_row(outcome) for outcome in outcomes])


def position(connection: Connection, writer: str) -> Position | None:
    """Where indexing of this writer stopped; None before its first record."""
    columns = journal_positions.c
    wanted = sa.select(columns.segment, columns.offset, columns.seq).where(columns.writer == writer)
    found = connection.execute(wanted).one_or_none()
    return Position(*found) if found else None


def set_position(connection: Connection, writer: str, reached: Position) -> None:
    """Say how far indexing has come; in the transaction that wrote the entries."""
    row = {"writer": writer, "segment": reached.segment, "offset": reached.offset, "seq": reached.seq}
    upsert(connection, journal_positions, row)


def search(
    connection: Connection, wanted: Search, *, limit: int = 100, before: str | None = None
) -> list[Entry]:
    """What matches, newest first; the id of the last one is the `before` of the next page."""
    query = sa.select(*_COLUMNS).where(*_conditions(wanted))
    if before is not None:
        query = query.where(_order() < _place_of(before))
    newest_first = (column.desc() for column in _order())
    found = connection.execute(query.order_by(*newest_first).limit(max(1, min(limit, SEARCH_LIMIT)))).all()
    tables = _tables_of(connection, [row.id for row in found])
    return [_entry(row, tables.get(row.id, ())) for row in found]


def prune(connection: Connection, before: float) -> int:
    """Forget what is older; the journal itself keeps it."""
    return connection.execute(sa.delete(journal_index).where(journal_index.c.at < before)).rowcount


def clear(connection: Connection) -> None:
    """Empty the index, to fill it again from the journal's beginning."""
    for table in (journal_tables, journal_index, journal_positions):
        connection.execute(sa.delete(table))


def spellings(table: str) -> tuple[str, ...]:
    """The ways a person names a table: `shop/public.payroll` also as `public.payroll` and as `payroll`."""
    parts = re.findall(r'"(?:[^"]|"")*"|[^"/.]+|["/.]', _storable(table, NAME_BYTES))
    after_slash = _after_last("/", parts)
    forms = ("".join(parts), "".join(after_slash), "".join(_after_last(".", after_slash)))
    return tuple(dict.fromkeys(form for form in forms if form))


def _after_last(separator: str, parts: list[str]) -> list[str]:
    return parts[len(parts) - parts[::-1].index(separator) :] if separator in parts else parts


def _conditions(wanted: Search) -> list[sa.ColumnElement[bool]]:
    column = journal_index.c
    exact = {
        column.connection: wanted.connection,
        column.verdict: wanted.verdict,
        column.kind: wanted.kind,
        column.session: wanted.session,
    }
    conditions: list[sa.ColumnElement[bool]] = [
        name == _storable(value, NAME_BYTES) for name, value in exact.items() if value is not None
    ]
    if wanted.person is not None:
        conditions.append(column.principal.in_(_principals(_storable(wanted.person, NAME_BYTES))))
    if wanted.table is not None:
        named = sa.select(journal_tables.c.record).where(
            journal_tables.c.name == _storable(wanted.table, NAME_BYTES)
        )
        conditions.append(column.id.in_(named))
    if wanted.since is not None:
        conditions.append(column.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(column.at < wanted.until)
    if wanted.text is not None:
        conditions.append(column.text.icontains(_storable(wanted.text, TEXT_BYTES), autoescape=True))
    return conditions


def _principals(person: str) -> tuple[str, ...]:
    return (person,) if "/" in person else (f"User/{person}", f"Service/{person}")


def _order() -> sa.Tuple:
    return sa.tuple_(journal_index.c.at, journal_index.c.seq, journal_index.c.id)


def _place_of(record: str) -> Any:
    other = journal_index.alias()
    return sa.select(other.c.at, other.c.seq, other.c.id).where(other.c.id == record).scalar_subquery()


def _tables_of(connection: Connection, records: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The longest spelling of each table; the shorter ones are there for search alone."""
    names: dict[str, list[str]] = {}
    query = sa.select(journal_tables.c.record, journal_tables.c.name)
    for record, name in connection.execute(query.where(journal_tables.c.record.in_(records))):
        names.setdefault(record, []).append(name)
    return {record: _longest(found) for record, found in names.items()}


def _longest(names: list[str]) -> tuple[str, ...]:
    shorter = {form for name in names for form in spellings(name)[1:]}
    return tuple(sorted(set(names) - shorter))


def _entry(row: sa.Row[Any], tables: tuple[str, ...]) -> Entry:
    kept = {**row._mapping, "groups": tuple(row.groups), "policies": tuple(row.policies)}
    return Entry(**kept, tables=tables)


def _row(entry: Entry) -> dict[str, Any]:
    kept: dict[str, Any] = {name: getattr(entry, name) for name in _KEPT}
    for name, value in kept.items():
        if isinstance(value, str):
            kept[name] = _storable(value, TEXT_BYTES if name == "text" else NAME_BYTES)
        elif isinstance(value, tuple):
            kept[name] = [_storable(item, NAME_BYTES) for item in value]
    return kept


def _outcome_row(outcome: IndexedOutcome) -> dict[str, Any]:
    return {
        "record": outcome.id,
        "new_status": outcome.status,
        "new_rows": outcome.rows,
        "new_masked": outcome.masked,
        "new_error": _storable(outcome.error, NAME_BYTES),
    }


def _storable(text: str, limit_bytes: int) -> str:
    """Cut to a size, with `?` for what a database cannot hold: NUL, and bytes that were not UTF-8."""
    cut = text[:limit_bytes].replace("\0", "?").encode("utf-8", "replace")[:limit_bytes]
    return cut.decode("utf-8", "ignore")
