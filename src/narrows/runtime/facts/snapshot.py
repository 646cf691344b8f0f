"""Reads one version of a database's schema from its catalogs, whole or what changed since the last reading.

Laws: one reading is one transaction (repeatable read, read only, search_path empty, time-limited), sent as one
text; rows are taken as they arrive within the conduit's byte budget, so that a schema of ten thousand tables
does not stop the loop. A reading waits for nobody's lock: whoever holds one may be waiting for the reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from narrows.model.snapshot import Function, Relation, Snapshot
from narrows.runtime.facts import catalog
from narrows.runtime.facts.query import Queries, QueryFailed, read_row

MINIMUM_VERSION = 140000
"""hash_record_extended of digest.sql is there since PostgreSQL 14."""
ATTEMPTS = 3
"""Readings before we give up on a schema that changes while it is read."""
LOCK_LIMIT_MS = 1000
"""A lock that was taken after we looked for locks; the next reading sees it."""

_BEGIN = "begin transaction isolation level repeatable read read only"
_SAFE_PATH = "set local search_path = ''"
_END = "commit"

Numbers = tuple[str | None, ...]
"""One row of digest.sql: a number per section, in the order of catalog.SECTIONS."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which database of which connection, as which role: names resolve by the role's search_path."""

    connection: str
    database: str
    is_home: bool = True
    user: str = ""
    """The role of the credential; empty for the connection's own."""


@dataclass(frozen=True, slots=True)
class Known:
    """A snapshot with what is needed to read only what changed."""

    snapshot: Snapshot
    numbers: Numbers
    sections: Mapping[str, catalog.Section] = field(repr=False)


async def read_numbers(queries: Queries, limit_s: float) -> Numbers:
    """The cheap question: which sections changed?"""
    numbers: list[Numbers] = []
    text = _transaction([catalog.sql("digest")], limit_s)
    await queries.run(text, "compare the schema", lambda _, row: numbers.append(read_row(row)), limit_s)
    return numbers[0]


async def read_snapshot(
    queries: Queries, place: Place, clock: Callable[[], float], limit_s: float, known: Known | None = None
) -> Known:
    """The schema as it is now; sections whose numbers `known` has are not read again.

    Raises QueryFailed and TimeoutError, after which the connection is closed.
    """
    _check_version(queries)
    numbers = await read_numbers(queries, limit_s) if known else None
    for _ in range(ATTEMPTS):
        old = _unchanged(known, numbers)
        if known and len(old) == len(catalog.SECTIONS):
            return known
        names = [name for name in catalog.SECTIONS if name not in old]
        numbers, fresh = await _read(queries, names, limit_s, known)
        # What was taken from `known` must still hold in the transaction that read the rest.
        if old.keys() <= _unchanged(known, numbers).keys():
            return _assemble(place, clock(), numbers, {**old, **fresh})
    raise QueryFailed("the schema changed during every reading")


def _check_version(queries: Queries) -> None:
    """Before the first statement: an old target would answer with an error that says less."""
    reported = queries.upstream.parameters.get("server_version", "0")
    major = reported.split(".")[0].split()[0]
    if major.isdecimal() and int(major) * 10000 < MINIMUM_VERSION:
        raise QueryFailed(f"PostgreSQL {reported} is older than {MINIMUM_VERSION // 10000}")


def _unchanged(known: Known | None, numbers: Numbers | None) -> dict[str, catalog.Section]:
    if known is None or numbers is None:
        return {}
    pairs = zip(catalog.SECTIONS, known.numbers, numbers, strict=True)
    return {name: known.sections[name] for name, before, now in pairs if before == now}


async def _read(
    queries: Queries, names: list[str], limit_s: float, known: Known | None
) -> tuple[Numbers, dict[str, catalog.Section]]:
    numbers: list[Numbers] = []
    before = known.sections if known else {}
    readings = {name: catalog.Reading(catalog.SECTIONS[name][0], before.get(name)) for name in names}
    takers: list[Callable[[bytes], None]] = [lambda row: numbers.append(read_row(row))]
    texts = [catalog.sql("digest")]
    for name, reading in readings.items():
        for number, text in enumerate(catalog.texts_of(name)):
            texts.append(text)
            takers.append(_taker(reading, number))
    text = _transaction(texts, limit_s)
    await queries.run(text, "read the schema", lambda result, row: takers[result](row), limit_s)
    return numbers[0], {name: reading.finish() for name, reading in readings.items()}


def _taker(reading: catalog.Reading, number: int) -> Callable[[bytes], None]:
    return lambda row: reading.take(number, row)


def _transaction(texts: list[str], limit_s: float) -> str:
    limits = [
        f"set local statement_timeout = {int(limit_s * 1000)}",
        f"set local lock_timeout = {min(LOCK_LIMIT_MS, int(limit_s * 1000))}",
    ]
    return ";\n".join([_BEGIN, _SAFE_PATH, *limits, *texts, _END])


def _assemble(
    place: Place, taken_at: float, numbers: Numbers, sections: Mapping[str, catalog.Section]
) -> Known:
    version, role, search_path = sections["head"].head
    relations: dict[int, Relation] = {**sections["system"].relations, **sections["user"].relations}
    functions: dict[tuple[str, str], tuple[Function, ...]] = sections["functions"].functions
    content = hashlib.sha256()
    for name in catalog.SECTIONS:
        content.update(sections[name].digest)
    snapshot = Snapshot(
        id=content.hexdigest()[:32],
        connection=place.connection,
        database=place.database,
        is_home=place.is_home,
        server_version=int(version or 0),
        taken_at=taken_at,
        relations=relations,
        by_name={(relation.schema, relation.name): relation for relation in relations.values()},
        functions=functions,
        foreign_keys=tuple(sections["foreign_keys"].foreign_keys),
        operators=frozenset(sections["functions"].operators),
        schemas=frozenset(sections["schemas"].names),
        default_search_path=catalog.split_search_path(search_path or ""),
        role=role or "",
    )
    # What is not whole is read again whenever somebody asks, changed or not.
    pairs = zip(catalog.SECTIONS, numbers, strict=True)
    kept = tuple([number if sections[name].is_whole else None for name, number in pairs])
    return Known(snapshot, kept, sections)
