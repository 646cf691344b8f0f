"""/v1/journal: search the record, read one entry, take the signed head."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from narrows.api.calls import Called
from narrows.api.ports import JournalEntry, JournalQuery
from narrows.api.problems import not_found, problem
from narrows.api.shapes import Shape
from narrows.model.action import Action
from narrows.model.reason import Reason

router = APIRouter(prefix="/v1/journal", tags=["journal"])

PAGE_LIMIT = 500

_Word = Annotated[str | None, Query(max_length=256)]


class Page(Shape):
    """Entries newest first; `next` is the `before` of the next page, or null at the end."""

    entries: tuple[JournalEntry, ...]
    next: str | None


@router.get("")
async def search(
    call: Called,
    person: _Word = None,
    connection: _Word = None,
    table: _Word = None,
    verdict: _Word = None,
    kind: _Word = None,
    session: _Word = None,
    since: _Word = None,
    until: _Word = None,
    text: _Word = None,
    before: _Word = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page:
    """Search by person, connection, table, verdict, time and text; needs view_journal.

    `since` and `until` are ISO 8601 or seconds since the epoch.
    """
    query = JournalQuery(
        person=person,
        connection=connection,
        table=table,
        verdict=verdict,
        kind=kind,
        session=session,
        since=_moment("since", since),
        until=_moment("until", until),
        text=text,
        limit=limit + 1,
        before=before,
    )
    async with call.permitted(Action.VIEW_JOURNAL, detail=_described(query)):
        found = await call.gateway.journal_search(query)
    page = found[:limit]
    return Page(entries=page, next=page[-1].id if len(found) > limit else None)


@router.get("/head")
async def head(call: Called) -> Mapping[str, Any]:
    """The signed heads of every chain, to be kept where this machine cannot reach; needs view_journal."""
    async with call.permitted(Action.VIEW_JOURNAL):
        return await call.gateway.journal_head()


@router.get("/{record_id}")
async def show(call: Called, record_id: str, values: bool = False) -> Mapping[str, Any]:
    """One whole record with its facts and outcome; bind values need view_values too."""
    actions = (Action.VIEW_JOURNAL, *((Action.VIEW_VALUES,) if values else ()))
    async with call.permitted(*actions, detail="with values" if values else ""):
        found = await call.gateway.journal_record(record_id, with_values=values)
        if found is None:
            raise not_found(f"journal record {record_id!r}")
        return found


def _described(query: JournalQuery) -> str:
    names = ("person", "connection", "table", "verdict", "kind", "session", "since", "until", "text")
    return " ".join(f"{name}={value!r}" for name in names if (value := getattr(query, name)) is not None)


def _moment(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise problem(Reason.BAD_REQUEST, f"{name}: write a time such as 2026-11-22T09:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
