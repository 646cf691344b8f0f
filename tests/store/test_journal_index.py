"""The journal's index: each filter narrows, pages join up, a record indexed twice is there once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.store import Store
from narrows.store import journal_index as index
from narrows.store.journal_index import Entry, IndexedOutcome, Position, Search

PAYROLL = Entry(
    id="w1:1",
    at=100.0,
    seq=1,
    kind="statement",
    session="s1",
    principal="User/alice",
    groups=("finance", "staff"),
    connection="shop",
    database="shop",
    verdict="allow",
    policies=("finance-reads",),
    tables=("shop/public.payroll", "shop/public.people"),
    text="SELECT * FROM Payroll WHERE id = 7",
)
DROP = Entry(
    id="w1:2",
    at=110.0,
    seq=2,
    kind="statement",
    session="s2",
    principal="Service/ci",
    connection="billing",
    database="billing",
    verdict="deny",
    reason="FORBIDDEN",
    policies=("no-drop",),
    tables=('billing/other/"odd.schema"."ta/ble"',),
    text="DROP TABLE 100%_done",
)
SIGN_IN = Entry(id="w2:1", at=120.0, seq=1, kind="sign_in", principal="User/alice", verdict="deny")


def _fill(opened: Store, *entries: Entry) -> None:
    with opened.write() as connection:
        index.insert_many(connection, entries)


def _found(opened: Store, **wanted: Any) -> list[str]:
    with opened.read() as connection:
        return [entry.id for entry in index.search(connection, Search(**wanted))]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["w2:1", "w1:2", "w1:1"]),
        ({"person": "alice"}, ["w2:1", "w1:1"]),
        ({"person": "User/alice"}, ["w2:1", "w1:1"]),
        ({"person": "Service/alice"}, []),
        ({"person": "ci"}, ["w1:2"]),
        ({"connection": "shop"}, ["w1:1"]),
        ({"table": "payroll"}, ["w1:1"]),
        ({"table": "public.payroll"}, ["w1:1"]),
        ({"table": "shop/public.payroll"}, ["w1:1"]),
        ({"table": "billing/public.payroll"}, []),
        ({"table": '"ta/ble"'}, ["w1:2"]),
        ({"table": '"odd.schema"."ta/ble"'}, ["w1:2"]),
        ({"verdict": "deny"}, ["w2:1", "w1:2"]),
        ({"kind": "statement"}, ["w1:2", "w1:1"]),
        ({"session": "s1"}, ["w1:1"]),
        ({"since": 110.0}, ["w2:1", "w1:2"]),
        ({"until": 110.0}, ["w1:1"]),
        ({"text": "from payroll"}, ["w1:1"]),
        ({"text": "100%_"}, ["w1:2"]),
        ({"text": "1%e"}, []),
        ({"person": "alice", "verdict": "allow", "table": "people", "since": 50.0, "until": 101.0}, ["w1:1"]),
    ],
)
def test_search(opened: Store, wanted: dict[str, Any], ids: list[str]) -> None:
    _fill(opened, PAYROLL, DROP, SIGN_IN)
    assert _found(opened, **wanted) == ids


def test_an_entry_comes_back_whole(opened: Store) -> None:
    _fill(opened, PAYROLL, DROP)
    with opened.read() as connection:
        assert index.search(connection, Search()) == [DROP, PAYROLL]


def test_an_outcome_is_added_to_its_record(opened: Store) -> None:
    _fill(opened, PAYROLL, DROP)
    with opened.write() as connection:
        index.set_outcome_many(
            connection,
            [IndexedOutcome("w1:1", "error", 3, 2, "42P01"), IndexedOutcome("nobody:9", "done")],
        )
        index.set_outcome_many(connection, [])
        found = index.search(connection, Search())
    assert found == [DROP, replace(PAYROLL, status="error", rows=3, masked=2, error="42P01")]


def test_a_record_indexed_twice_is_there_once_and_keeps_its_outcome(opened: Store) -> None:
    _fill(opened, PAYROLL)
    with opened.write() as connection:
        index.set_outcome_many(connection, [IndexedOutcome("w1:1", "done", 1)])
        index.insert_many(connection, [PAYROLL, DROP])
        found = index.search(connection, Search())
    assert found == [DROP, replace(PAYROLL, status="done", rows=1)]


def test_pages_join_up_even_within_one_instant(opened: Store) -> None:
    entries = [replace(SIGN_IN, id=f"w:{n}", at=100.0 + n // 10, seq=n) for n in range(25)]
    _fill(opened, *entries)
    pages: list[str] = []
    before = None
    with opened.read() as connection:
        while page := index.search(connection, Search(), limit=4, before=before):
            assert len(page) <= 4
            pages += [entry.id for entry in page]
            before = pages[-1]
    assert pages == [entry.id for entry in reversed(entries)]


def test_a_page_is_never_larger_than_the_limit(opened: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SEARCH_LIMIT", 2)
    _fill(opened, PAYROLL, DROP, SIGN_IN)
    with opened.read() as connection:
        assert len(index.search(connection, Search(), limit=10**9)) == 2
        assert len(index.search(connection, Search(), limit=-5)) == 1


def test_the_position_is_kept_per_writer_and_with_its_entries(opened: Store) -> None:
    with opened.write() as connection:
        assert index.position(connection, "w1") is None
        index.set_position(connection, "w1", Position(1, 2**40, 7))
        index.set_position(connection, "w2", Position(1, 5, 1))
        index.set_position(connection, "w1", Position(2, 10, 8))
    with pytest.raises(ZeroDivisionError), opened.write() as connection:
        index.insert_many(connection, [PAYROLL])
        index.set_position(connection, "w1", Position(3, 0, 9))
        raise ZeroDivisionError
    with opened.read() as connection:
        assert index.position(connection, "w1") == Position(2, 10, 8)
        assert index.position(connection, "w2") == Position(1, 5, 1)
        assert index.search(connection, Search()) == []


def test_old_records_are_pruned_with_their_tables(opened: Store) -> None:
    _fill(opened, PAYROLL, DROP)
    with opened.write() as connection:
        assert index.prune(connection, 105.0) == 1
    assert _found(opened) == ["w1:2"]
    assert _found(opened, table="payroll") == []
    _fill(opened, replace(PAYROLL, tables=()))
    assert _found(opened, table="payroll") == []


def test_the_index_can_be_emptied_to_be_filled_again(opened: Store) -> None:
    _fill(opened, PAYROLL)
    with opened.write() as connection:
        index.set_position(connection, "w1", Position(1, 2, 3))
        index.clear(connection)
        assert index.position(connection, "w1") is None
    assert _found(opened) == []


HOSTILE = "SELECT 'a\0b' /* \udcff \ud800 \N{PILE OF POO} */ "


def test_hostile_text_is_cut_and_stored(opened: Store) -> None:
    """NUL, lone surrogates and megabytes come from callers; a database would refuse them."""
    hostile = replace(PAYROLL, text=HOSTILE + "x" * 10**6, database=HOSTILE, tables=("shop/" + "t\0" * 9999,))
    _fill(opened, hostile)
    with opened.read() as connection:
        (found,) = index.search(connection, Search())
    assert len(found.text.encode()) == index.TEXT_BYTES
    assert found.text.startswith("SELECT 'a?b' /* ")
    assert "\N{PILE OF POO}" in found.text
    assert _found(opened, text=HOSTILE[:12], person=HOSTILE, table=HOSTILE, connection=HOSTILE) == []


@given(st.text(st.characters(), max_size=40))
def test_any_text_becomes_storable(text: str) -> None:
    stored = index._storable(text, 16)
    assert "\0" not in stored
    assert len(stored.encode()) <= 16


@pytest.mark.parametrize(
    ("table", "forms"),
    [
        ("shop/public.payroll", ("shop/public.payroll", "public.payroll", "payroll")),
        ("shop/other/public.t", ("shop/other/public.t", "public.t", "t")),
        ('shop/"a.b"."c/""d"', ('shop/"a.b"."c/""d"', '"a.b"."c/""d"', '"c/""d"')),
        ("plain", ("plain",)),
        ("", ()),
        ('shop/pub."broken', ('shop/pub."broken', 'pub."broken', '"broken')),
    ],
)
def test_a_table_is_found_by_what_people_call_it(table: str, forms: tuple[str, ...]) -> None:
    assert index.spellings(table) == forms
