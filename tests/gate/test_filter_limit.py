"""How many labelled values a principal may ask for in a minute, on a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.gate.filter_limit import COUNTED, FilterLimit, values_asked
from narrows.gate.ports import Excess
from narrows.model.action import Action
from narrows.model.reason import Reason
from narrows.model.resource import Resource, ResourceKind
from narrows.model.statement import Operation, Protocol, Statement
from narrows.policy.schema import FILTER_KINDS

SSN = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "customers", "ssn"))
ALICE, BOB = "User/alice", "User/bob"


@dataclass
class Clock:
    now: float = 1000.0


@dataclass
class Asking:
    """Principals that ask under a limit of ten."""

    clock: Clock
    limit: FilterLimit
    most: int = 10

    def __call__(self, asked: int | None, who: str = ALICE, where: str = "shop") -> Excess | None:
        return self.limit.take(who, where, asked, self.most, self.clock.now)


@pytest.fixture
def ask() -> Asking:
    return Asking(Clock(), FilterLimit())


def test_what_is_within_the_limit_passes_and_what_exceeds_it_is_refused(ask: Asking) -> None:
    assert [ask(1) for _ in range(10)] == [None] * 10
    excess = ask(1)
    assert excess is not None
    assert excess.refusal.reason is Reason.FILTER_LIMIT
    assert excess.refusal.is_retryable
    assert excess.refusal.rule == "filters_per_minute"
    assert "try again in 60 s" in excess.refusal.message


def test_a_list_counts_as_many_as_it_holds_and_a_refused_one_nothing(ask: Asking) -> None:
    assert ask(8) is None
    assert ask(3) is not None
    assert ask(2) is None
    assert ask(1) is not None


def test_the_bucket_is_filled_anew_a_minute_after_it_was_first_drawn_from(ask: Asking) -> None:
    ask(10)
    ask.clock.now += 59.9
    assert ask(1) is not None
    ask.clock.now += 0.1
    assert ask(10) is None


def test_principals_and_connections_have_their_own(ask: Asking) -> None:
    ask(10)
    assert ask(1, BOB) is None
    assert ask(1, ALICE, "archive") is None
    assert ask(1) is not None


def test_only_the_first_excess_of_a_minute_alerts(ask: Asking) -> None:
    ask(9)
    alerts = [excess.alert for _ in range(3) if (excess := ask(5)) is not None]
    assert [alert is not None for alert in alerts] == [True, False, False]
    first = alerts[0]
    assert first is not None
    assert (first.severity, first.rule, first.count) == ("medium", "filters_per_minute", 14)
    assert ALICE in first.message
    assert ask(11, BOB).alert is not None  # type: ignore[union-attr]
    ask.clock.now += 60
    assert ask(11).alert is not None  # type: ignore[union-attr]


def test_an_unknown_number_is_more_than_any(ask: Asking) -> None:
    excess = ask(None)
    assert excess is not None
    assert "nobody knows" in excess.refusal.message
    assert ask(10) is None


def test_zero_is_no_limit(ask: Asking) -> None:
    ask.most = 0
    assert [ask(10**6), ask(None)] == [None, None]
    assert len(ask.limit) == 0


def test_what_nobody_draws_from_is_forgotten(ask: Asking) -> None:
    for number in range(1000):
        ask(1, f"Service/s{number}")
        ask.clock.now += 1
    assert len(ask.limit) == 60


@given(st.lists(st.tuples(st.integers(1, 15), st.floats(0, 30)), max_size=60))
def test_no_bucket_ever_gives_more_than_it_holds(asks: list[tuple[int, float]]) -> None:
    """In n minutes no more passes than n + 1 buckets hold, whenever they begin."""
    limit, now = FilterLimit(), 0.0
    passed: list[tuple[float, int]] = []
    for asked, pause in asks:
        now += pause
        if limit.take(ALICE, "shop", asked, 10, now) is None:
            passed.append((now, asked))
    for begin, _ in passed:
        for minutes in (1, 2, 5):
            assert sum(asked for at, asked in passed if begin <= at < begin + 60 * minutes) <= 10 * (
                minutes + 1
            )


def statement(*filters: dict[str, bool | int | str | frozenset[str]]) -> Statement:
    operations = tuple(Operation(Action.FILTER, SSN, frozenset({"ssn"}), facts) for facts in filters)
    table = Operation(Action.SELECT, Resource(ResourceKind.TABLE, SSN.path[:4]))
    return Statement(Protocol.POSTGRES, "select", "", (table, *operations))


UNCOUNTED = ("null", "join", "order", "group", "view", "size", "key", "fallible")

ASKED = [
    ((), 0),
    (({"kind": "constant", "values": 1},), 1),
    (({"kind": "constant", "values": 20},), 20),
    (({"kind": "constant", "values": 0},), 0),
    (({"kind": "constant", "values": 2}, {"kind": "pattern", "values": 3}), 5),
    (({"kind": "range", "values": 2},), 2),
    (({"kind": "range", "values": -1},), 1),
    (({"kind": "match", "values": -1}, {"kind": "other", "values": -1}), 2),
    (({"kind": "constant", "values": -1},), None),
    (({"kind": "pattern", "values": -1}, {"kind": "range", "values": 1}), None),
    (({},), 1),
    (tuple({"kind": kind, "values": -1} for kind in UNCOUNTED), 0),
]


@pytest.mark.parametrize(("filters", "expected"), ASKED, ids=range(len(ASKED)))
def test_what_a_statement_asks(
    filters: tuple[dict[str, bool | int | str | frozenset[str]], ...], expected: int
) -> None:
    assert values_asked(statement(*filters)) == expected


def test_every_kind_is_counted_or_known_not_to_be() -> None:
    assert {*COUNTED, *UNCOUNTED} == set(FILTER_KINDS)


def test_what_compares_with_nothing_new_asks_nothing() -> None:
    """PREPARE, FETCH and further Executes of a portal."""
    found = statement({"kind": "constant", "values": -1})
    assert values_asked(replace(found, compares_anew=False)) == 0
