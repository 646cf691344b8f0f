"""Search is fed from the files: completely, once, behind the writer's back, and again after a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from narrows import store
from narrows.journal import Limits, files, members, records
from narrows.journal.indexer import Indexer, StoreSink
from narrows.journal.records import OperationEntry
from narrows.store import Store, journal_index
from narrows.store.journal_index import Entry, IndexedOutcome, Position, Search
from tests.journal.support import Place, fill, outcome, statement


class Memory:
    """A sink that counts and can fail."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.outcomes: dict[str, IndexedOutcome] = {}
        self.positions: dict[str, Position] = {}
        self.batches: list[int] = []
        self.clears = 0
        self.fault: Exception | None = None

    def position(self, writer: str) -> Position | None:
        return self.positions.get(writer)

    def write(
        self, writer: str, entries: Sequence[Entry], outcomes: Sequence[IndexedOutcome], reached: Position
    ) -> None:
        if self.fault:
            raise self.fault
        assert not {entry.id for entry in entries} & set(self.entries), "indexed twice"
        self.batches.append(len(entries) + len(outcomes))
        self.entries |= {entry.id: entry for entry in entries}
        self.outcomes |= {outcome.id: outcome for outcome in outcomes}
        self.positions[writer] = reached

    def clear(self) -> None:
        self.clears += 1
        self.entries.clear()
        self.outcomes.clear()
        self.positions.clear()


@pytest.fixture
def sink() -> Memory:
    return Memory()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    opened = store.open(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def _drain(indexer: Indexer) -> None:
    while indexer.run_once():
        pass


def test_everything_is_indexed_in_bounded_batches(place: Place, sink: Memory) -> None:
    control = place.open()
    members.enroll(control, "worker-1", place.clock())
    worker = place.open(writer="worker-1")
    ids = fill(control, 100) + fill(worker, 100)
    indexer = Indexer(place.directory, sink, clock=place.clock, batch_records=30)
    assert indexer.lag().bytes > 0
    _drain(indexer)
    assert {i for i, e in sink.entries.items() if e.kind == "statement"} == set(ids) == set(sink.outcomes)
    assert max(sink.batches) <= 30
    assert (indexer.lag().bytes, indexer.lag().seconds) == (0, 0.0)
    control.close()
    worker.close()


def test_it_resumes_where_the_index_says_after_a_restart(place: Place, sink: Memory) -> None:
    journal = place.open()
    first = fill(journal, 40)
    indexer = Indexer(place.directory, sink, batch_records=7)
    indexer.run_once()
    indexer.run_once()
    assert 0 < len(sink.entries) < 40
    second = fill(journal, 40, 40)
    _drain(Indexer(place.directory, sink))
    assert set(sink.outcomes) == set(first + second)
    assert sink.clears == 0
    journal.close()
    place.open().close()
    _drain(Indexer(place.directory, sink))
    assert sink.clears == 0


def test_a_torn_line_is_not_read_and_not_passed_over(place: Place, sink: Memory) -> None:
    """What goes before a record in its write may be cut back with it; the position waits for the whole."""
    journal = place.open(limits=Limits())
    fill(journal, 3)
    indexer = Indexer(place.directory, sink)
    _drain(indexer)
    before = place.segment().stat().st_size
    journal.append(statement("late"), facts={"new": 1})
    whole = place.segment().read_bytes()
    facts_end = whole.index(b"\n", before) + 1
    place.segment().write_bytes(whole[: facts_end + 20])
    _drain(indexer)
    assert sink.positions["control"].offset == before
    assert indexer.lag().bytes == 20
    place.segment().write_bytes(whole)
    _drain(indexer)
    assert any(entry.text == "late" for entry in sink.entries.values())


def test_a_failing_sink_stops_nothing_and_is_told(place: Place, sink: Memory) -> None:
    journal = place.open()
    sink.fault = RuntimeError("the store is locked")
    indexer = Indexer(place.directory, sink, clock=place.clock, interval_s=0.005)
    indexer.start()
    ids = fill(journal, 50)
    _until(lambda: indexer.lag().fault != "")
    assert indexer.lag().fault == "the store is locked"
    place.clock.now += 20.0
    assert indexer.lag().seconds == pytest.approx(20.0)
    sink.fault = None
    _until(lambda: indexer.lag().bytes == 0)
    assert indexer.lag().fault == ""
    indexer.stop()
    assert set(sink.outcomes) == set(ids)
    journal.close()


def test_the_thread_follows_a_writer_across_segments(place: Place, sink: Memory) -> None:
    journal = place.open()
    indexer = Indexer(place.directory, sink, interval_s=0.002, batch_records=20)
    indexer.start()
    ids = []
    for start in range(0, 200, 20):
        ids += fill(journal, 20, start)
        time.sleep(0.002)
    journal.close()
    _until(lambda: len(sink.outcomes) == 200)
    indexer.stop()
    assert set(sink.outcomes) == set(ids)
    assert threading.active_count() < 20


@pytest.mark.parametrize("how", ["shorter", "other", "gone"])
def test_an_index_of_another_journal_is_emptied_and_filled_again(
    place: Place, sink: Memory, how: str
) -> None:
    """A restored backup, a tail lost with the machine's power: the files are the truth."""
    journal = place.open(limits=Limits())
    fill(journal, 10)
    journal.close()
    _drain(Indexer(place.directory, sink))
    reached = sink.positions["control"]
    if how == "shorter":
        place.put_lines(place.lines()[:10])
    elif how == "other":
        sink.positions["control"] = Position(1, reached.offset, reached.seq - 3)
        place.open(limits=Limits()).close()
    else:
        sink.positions["control"] = Position(9, reached.offset, reached.seq)
    indexer = Indexer(place.directory, sink)
    _drain(indexer)
    assert sink.clears == 1
    assert len([e for e in sink.entries.values() if e.kind == "statement"]) == (4 if how == "shorter" else 10)
    assert indexer.lag().bytes == 0


def test_retired_segments_do_not_hold_it_up(place: Place, sink: Memory) -> None:
    journal = place.open()
    fill(journal, 10)
    _drain(Indexer(place.directory, sink))
    fill(journal, 80, 10)
    last = files.list_segments(place.directory, "control")[-1]
    members.retire(journal, "control", last - 1, "age")
    indexer = Indexer(place.directory, sink)
    _drain(indexer)
    assert sink.clears == 0 and indexer.lag().bytes == 0
    journal.close()


def test_the_store_finds_what_was_journalled(place: Place, opened: Store) -> None:
    journal = place.open()
    operations = (
        OperationEntry(action="select", resource='Table::"shop/public.payroll"'),
        OperationEntry(action="filter", resource='Column::"shop/public.payroll.salary"'),
    )
    denied = journal.append(
        statement(
            "SELECT * FROM payroll",
            operations=operations,
            effect="deny",
            reason="FORBIDDEN",
            policies=("finance-only",),
            groups=("support",),
        )
    )
    allowed = journal.append(statement("SELECT 1", principal="Service/ci"))
    journal.append(outcome(allowed, status="error", rows=0, sqlstate="42601"))
    refused = journal.append(records.Refused(address="1.2.3.4", reason="TLS_REQUIRED", message="no TLS"))
    indexer = Indexer(place.directory, StoreSink(opened))
    _drain(indexer)
    with opened.read() as connection:
        (found,) = journal_index.search(connection, Search(table="payroll", person="alice"))
        assert (found.id, found.verdict, found.reason, found.policies) == (
            denied,
            "deny",
            "FORBIDDEN",
            ("finance-only",),
        )
        assert found.tables == ("shop/public.payroll",) and found.groups == ("support",)
        (ci,) = journal_index.search(connection, Search(person="Service/ci"))
        assert (ci.status, ci.error) == ("error", "42601")
        (turned_away,) = journal_index.search(connection, Search(kind="refused"))
        assert turned_away.id == refused and turned_away.text == "no TLS" and turned_away.verdict == "deny"
    _drain(Indexer(place.directory, StoreSink(opened)))
    journal.close()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)
