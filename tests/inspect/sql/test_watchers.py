"""What looks at labelled values in a definition is a use of them, and so is storing them where something looks."""

from __future__ import annotations

import pytest

from tests.inspect.sql.sample import analyse, operations
from tests.inspect.sql.test_stored import after

SSN = "filter public.customers.ssn"

DEFINITIONS = [
    ("alter table customers add check (ssn < '5')", f"{SSN} other"),
    ("alter table customers add check (vip)", ""),
    ("create index on customers (ssn)", f"{SSN} key"),
    ("create unique index on customers (ssn)", f"{SSN} key"),
    ("create index on customers (lower(ssn))", f"{SSN} key"),
    ("create unique index on customers (lower(ssn))", f"{SSN} other"),
    ("create index on customers (ssn, id)", f"{SSN} other"),
    ("create index on customers (id) include (ssn)", f"{SSN} other"),
    ("create index on customers (id) where ssn < '5'", f"{SSN} other"),
    ("create index on customers (id)", ""),
    ("create statistics s on (ssn < '5'), id from customers", f"{SSN} other"),
    ("create policy p on customers using (ssn < '5')", f"{SSN} other"),
    ("create table kids(check (ssn < '5')) inherits (customers)", f"{SSN} other"),
    ("create table kids(check (name < '5')) inherits (customers)", ""),
]


@pytest.mark.parametrize(("text", "expected"), DEFINITIONS)
def test_what_a_definition_looks_at_is_a_use_of_it(text: str, expected: str) -> None:
    analysis = analyse(text)
    assert analysis.refusal is None, analysis.refusal
    assert {each for each in operations(analysis) if each.startswith(SSN)} == set(filter(None, [expected]))


WATCHED = [
    ("create temp table k(v text)", "key"),
    ("create temp table k(v text primary key)", "other"),
    ("create temp table k(v text, w int, unique (v, w))", "other"),
    ("create temp table k(v text, w int primary key)", "key"),
    ("create temp table k(v text check (v < '5'))", "other"),
    ("create temp table k(v text, b bool generated always as (v < '5') stored)", "other"),
    ("create temp table k(v text) partition by list ((v < '5'))", "other"),
]


@pytest.mark.parametrize(("made", "kind"), WATCHED)
def test_storing_where_something_looks_is_a_use(made: str, kind: str) -> None:
    analysis = analyse("insert into k(v) select ssn from customers", after(made))
    assert {each for each in operations(analysis) if each.startswith("filter")} == {f"{SSN} {kind}"}


LATER = [
    "create index on k ((1 / length(v)))",
    "create index on k (v)",
    "create unique index on k (v)",
    "alter table k add check (v < '5')",
    "alter table k add primary key (v)",
]


@pytest.mark.parametrize("text", LATER)
def test_something_that_looks_later_is_a_use_as_well(text: str) -> None:
    filled = after("create temp table k(v text)", "insert into k select ssn from customers")
    assert f"{SSN} other" in operations(analyse(text, filled))
    empty = after("create temp table k(v text)", text)
    found = analyse("insert into k select ssn from customers", empty)
    assert f"{SSN} other" in operations(found)
