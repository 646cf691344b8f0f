"""A name stands for what PostgreSQL takes it for, whatever else of that name was, or is, in sight elsewhere."""

from __future__ import annotations

import time

import pytest

from tests.inspect.sql.sample import analyse, operations

HIDDEN = "((select 'x'::text as ssn) p join (select 1 as z) q on ssn is not null) as j(a, b)"


@pytest.mark.parametrize(
    "text",
    [
        f"select upper(ssn) from {HIDDEN}, customers c",
        f"select upper(ssn) from {HIDDEN}, (select 1) k, customers c",
        f"select (select upper(ssn) from {HIDDEN}, (select 2) l) from customers c",
        f"select 1 from {HIDDEN}, customers c where upper(ssn) || 'x' = 'y'",
    ],
)
def test_a_name_is_looked_up_again_where_its_source_has_left_sight(text: str) -> None:
    assert analyse(text).reach.is_derived


BESIDE = "select (select count(*) from (select 'x'::text as ssn) {0}, (orders a join orders b on {1} like '0%')) from {2}"


@pytest.mark.parametrize(
    ("alias", "name", "around"), [("p", "ssn", "customers c"), ("c", "c.ssn", "customers c")]
)
def test_on_sees_the_sides_of_its_join_alone(alias: str, name: str, around: str) -> None:
    """Beside the join stands a column of that name, which ON does not see; around it stands the labelled one."""
    text = BESIDE.format(alias, name, around)
    assert "filter public.customers.ssn pattern" in operations(analyse(text))


def test_the_size_of_a_sample_tells_what_it_follows_from() -> None:
    text = "select (select count(*) from (select 5 as salary) p, orders tablesample bernoulli (salary)) from payroll"
    assert "filter public.payroll.salary other" in operations(analyse(text))


def test_wide_joins_cost_no_more_than_their_columns() -> None:
    wide = ", ".join(f"1 c{index}" for index in range(1200))
    text = f"with w as (select {wide}) select 1 from w a" + "".join(
        f" natural join w b{n}" for n in range(30)
    )
    start = time.process_time()
    assert analyse(text).refusal is None
    assert time.process_time() - start < 1.5  # it was four seconds and more, now a fraction of one
