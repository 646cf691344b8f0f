"""Getting it out again: filters, outcomes, one record in full, and files for others."""

from __future__ import annotations

import csv
import io
import json

import pytest

from narrows.journal import Limits, members, read
from narrows.journal.export import CSV_COLUMNS, Format, Progress, export
from narrows.journal.records import OperationEntry, OutcomeRecord, SignIn
from narrows.model.statement import Parameter
from narrows.store.journal_index import Search
from tests.journal.support import Place, fill, outcome, statement

_ORDERS = (OperationEntry(action="select", resource='Table::"shop/public.orders"'),)


@pytest.fixture
def told(place: Place) -> Place:
    """Two writers; some statements allowed, one denied, one observed, one unfinished, a sign-in."""
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1")
    control.append(SignIn(address="1.2.3.4:5", is_accepted=True, principal="User/alice"))
    place.clock.now += 1
    one = control.append(statement("SELECT 1", operations=_ORDERS), facts={"a": 1})
    place.clock.now += 1
    two = worker.append(statement("SELECT 2", principal="Service/ci", connection="logs", session="s-2"))
    place.clock.now += 1
    control.append(outcome(one, rows=7))
    control.append(statement("DROP TABLE x", effect="deny", reason="FORBIDDEN", policies=("no-drop",)))
    place.clock.now += 1
    three = worker.append(statement("DELETE FROM y", effect="deny", is_observed=True))
    worker.append(outcome(three, status="error", sqlstate="42P01"))
    worker.append(outcome(two))
    worker.append(statement("SELECT pg_sleep(9)"))
    control.close()
    worker.close()
    return place


def _texts(place: Place, **wanted: object) -> list[str]:
    return [
        getattr(found.entry.record, "text", found.entry.kind)
        for found in read.tell(place.directory, Search(**wanted))  # type: ignore[arg-type]
        if found.entry.kind in ("statement", "sign_in")
    ]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        (
            {"kind": "statement"},
            ["SELECT 1", "SELECT 2", "DROP TABLE x", "DELETE FROM y", "SELECT pg_sleep(9)"],
        ),
        ({"person": "ci"}, ["SELECT 2"]),
        ({"person": "Service/ci"}, ["SELECT 2"]),
        ({"person": "User/ci"}, []),
        ({"person": "User/alice", "kind": "sign_in"}, ["sign_in"]),
        ({"connection": "logs"}, ["SELECT 2"]),
        ({"table": "orders"}, ["SELECT 1"]),
        ({"table": "public.orders"}, ["SELECT 1"]),
        ({"table": "shop/public.orders"}, ["SELECT 1"]),
        ({"table": "rders"}, []),
        ({"verdict": "deny"}, ["DROP TABLE x", "DELETE FROM y"]),
        ({"session": "s-2"}, ["SELECT 2"]),
        ({"text": "select", "since": 1_763_800_002.0}, ["SELECT 2", "SELECT pg_sleep(9)"]),
        ({"text": "select", "until": 1_763_800_002.0}, ["SELECT 1"]),
    ],
)
def test_filters(told: Place, wanted: dict[str, object], texts: list[str]) -> None:
    assert _texts(told, **wanted) == texts


def test_statements_come_with_their_outcomes_in_the_order_of_time(told: Place) -> None:
    found = {
        f.entry.record.text: f.outcome  # type: ignore[union-attr]
        for f in read.tell(told.directory, Search(kind="statement"))
    }
    first, observed = found["SELECT 1"], found["DELETE FROM y"]
    assert first is not None and first.rows == 7
    assert observed is not None and observed.sqlstate == "42P01"
    assert found["SELECT pg_sleep(9)"] is None and found["DROP TABLE x"] is None
    times = [entry.at for entry in read.read_entries(told.directory)]
    assert times == sorted(times)


def test_the_join_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "OUTCOME_WINDOW", 5)
    journal = place.open(limits=Limits())
    slow = journal.append(statement("slow"))
    fill(journal, 20)
    journal.append(outcome(slow))
    journal.close()
    found = list(read.tell(place.directory, Search(kind="statement")))
    assert len(found) == 21
    assert found[0].outcome is None, "it came too late for the stream"
    shown = read.show(place.directory, slow)
    assert shown is not None and shown.outcome is not None, "and is found when asked for"


def test_the_join_is_bounded_in_size_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "WINDOW_CHARACTERS", 2500)
    journal = place.open(limits=Limits())
    for _ in range(10):
        journal.append(statement("x" * 1000))
    seen = 0

    def meter(size: int) -> None:
        nonlocal seen
        seen += size

    next(read.tell(place.directory, Search(kind="statement"), meter))
    assert seen < place.segment().stat().st_size / 2
    journal.close()


def test_show_finds_a_record_its_outcome_and_its_facts_across_segments(place: Place) -> None:
    journal = place.open()
    ids = fill(journal, 60)
    journal.close()
    for number in (0, 17, 41, 59):
        shown = read.show(place.directory, ids[number])
        assert shown is not None
        assert shown.entry.id == ids[number]
        assert shown.entry.record.text == f"SELECT {number}"  # type: ignore[union-attr]
        assert isinstance(shown.outcome, OutcomeRecord) and shown.outcome.record == ids[number]
        assert shown.facts == {"principal": 'User::"alice"', "number": number // 5}


def test_show_of_what_is_not_there(told: Place) -> None:
    for id_ in ("control.999", "nobody.1", "control", "", "../x.1"):
        assert read.show(told.directory, id_) is None
    opened = read.show(told.directory, "control.2")
    assert opened is not None and opened.entry.kind == "opened"


def test_jsonl_holds_everything_and_no_value_in_the_clear(place: Place) -> None:
    journal = place.open()
    id_ = journal.append(statement("SELECT $1"), parameters=(Parameter(b"secret-value", False, 25),))
    journal.append(outcome(id_, rows=3))
    journal.close()
    stream = io.StringIO()
    number = export(place.directory, stream)
    lines = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert len(lines) == number
    assert [text["kind"] for text in lines] == ["segment", "opened", "statement", "checkpoint"]
    (found,) = [text for text in lines if text["kind"] == "statement"]
    assert found["id"] == id_ and found["outcome"]["rows"] == 3 and found["values"]
    assert "secret-value" not in stream.getvalue()


def test_csv_has_one_row_per_statement_and_no_formula(place: Place) -> None:
    journal = place.open()
    id_ = journal.append(
        statement('=HYPERLINK("http://evil")', operations=_ORDERS, rungs={"c": "none"}, groups=("a", "b")),
        parameters=(Parameter(b"x", False, 25),),
    )
    journal.append(outcome(id_, rows=3, seconds=0.25))
    journal.append(statement("SELECT 'a,\n\"b\"'"))
    journal.close()
    stream = io.StringIO()
    assert export(place.directory, stream, Format.CSV) == 2
    header, first, second = list(csv.reader(io.StringIO(stream.getvalue())))
    assert tuple(header) == CSV_COLUMNS
    row = dict(zip(header, first, strict=True))
    assert row["text"] == '\'=HYPERLINK("http://evil")'
    assert (row["rows"], row["seconds"], row["groups"], row["rungs"]) == ("3", "0.25", "a b", "c=none")
    assert row["tables"] == "shop/public.orders" and row["is_observed"] == "false"
    assert row["at"].startswith("2025-11-22T")
    assert dict(zip(header, second, strict=True))["text"] == "SELECT 'a,\n\"b\"'"


def test_export_says_how_far_it_is(place: Place) -> None:
    journal = place.open(limits=Limits())
    fill(journal, 2500)
    journal.close()
    seen: list[Progress] = []
    export(place.directory, io.StringIO(), progress=seen.append)
    assert len(seen) >= 3
    assert seen == sorted(seen, key=lambda progress: progress.read_bytes)
    assert seen[-1].read_bytes == seen[-1].total_bytes == place.segment().stat().st_size


def test_a_line_that_is_none_of_ours_and_a_torn_tail_are_passed_over(told: Place) -> None:
    before = _texts(told)
    with told.segment().open("ab") as file:
        file.write(b'junk\n{"hash":"')
    assert _texts(told) == before
