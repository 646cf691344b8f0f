"""Where labelled values, and what nobody can see through, may be stored, and what of the session remembers it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.inspect.sql.overlay import EMPTY, MAX_RELATIONS, Overlaid
from narrows.model.snapshot import Function
from tests.inspect.sql.sample import SNAPSHOT, VIEW, analyse, marks, operations

MINE = Function(1, "public", "f", "f", "sql", "v")
WITH_F = sql.View(replace(SNAPSHOT, functions={**SNAPSHOT.functions, ("public", "f"): (MINE,)}), VIEW.labels)


def after(*texts: str, path: tuple[str, ...] | None = None) -> sql.SessionState:
    tracker = sql.FactTracker(sql.SessionFacts(search_path=path))
    for text in texts:
        analysis = analyse(text, sql.SessionState(tracker.facts), WITH_F)
        assert analysis.refusal is None, (text, analysis.refusal)
        tracker.apply(analysis.parts[0].effects)
    return sql.SessionState(tracker.facts)


def made_of(state: sql.SessionState, name: str, schema: str = "pg_temp") -> dict[str, str] | None:
    """Column -> the labelled columns in it, of a relation that the session sees alone; None where it has none."""
    relation = state.facts.overlay.get(schema, name)
    if relation is None or relation.is_gone:
        return None
    return {
        column.name: " ".join(sorted(".".join(each.path[3:]) for each in column.taint))
        for column in relation.columns
    }


TAINTED = [
    ("create temp view v as select id, ssn as status from customers", "v", "customers.ssn"),
    ("create temp view orders as select id, ssn as status from customers", "orders", "customers.ssn"),
    ("create temp table t as select 1 as id, f() as status", "t", "?.?"),
]


@pytest.mark.parametrize(("made", "name", "taint"), TAINTED)
def test_what_is_temporary_keeps_its_taint(made: str, name: str, taint: str) -> None:
    state = after(made)
    assert made_of(state, name) == {"id": "", "status": taint}
    for text in (
        f"create table x as select * from {name}",
        f"insert into scratch(k) select status from {name}",
    ):
        assert marks(analyse(text, state)) == "EFFECT_UNDECIDED", text


DROPS = [
    "drop table if exists nosuch.orders",
    "drop function if exists orders",
    "drop type if exists orders",
    "drop schema if exists orders",
]


@pytest.mark.parametrize("drop", DROPS)
def test_a_temporary_relation_is_forgotten_by_its_own_drop_alone(drop: str) -> None:
    made = "create temp table orders as select id, ssn as status from customers"
    holds = {"id": "", "status": "customers.ssn"}
    assert made_of(after(made, drop), "orders") == holds
    assert made_of(after(made, "drop table orders"), "orders") is None
    assert made_of(after(made, "drop table pg_temp.orders"), "orders") is None
    drop = "drop table if exists orders"
    assert made_of(after(made, drop, path=("public", "pg_temp")), "orders") == holds
    assert analyse(drop, after(made, path=("public", "pg_temp")), WITH_F).parts[0].is_doubtful


SHADOWS = [
    (
        ("create temp table t as select id, ssn as status from customers", "alter table t rename to orders"),
        None,
        "d",
    ),
    (
        (
            "create temp table t as select 1 as a",
            "create view orders as select a, 'x' as status from t",
        ),
        None,
        "-",
    ),
    (("create table orders as select 1 as status",), ("pg_temp", "public"), "-"),
    (("create table pg_temp_3.orders as select 1 as status",), None, "-"),
    (("create table pg_temp.orders(status text)", "select f()"), None, "u"),
]


@pytest.mark.parametrize(("texts", "path", "mark"), SHADOWS)
def test_what_shadows_a_table_is_not_taken_for_it(
    texts: tuple[str, ...], path: tuple[str, ...] | None, mark: str
) -> None:
    state = after(*texts, path=path)
    assert made_of(state, "orders") is not None
    found = analyse("select upper(status) from orders", state)
    assert mark in marks(found)
    assert "select pg_temp.orders" in operations(found)


LINKS = [
    (
        "create temp table t(a text)",
        "create temp view v as select a from t",
        "insert into t select ssn from customers",
        "v",
    ),
    (
        "create temp table v(a text)",
        "create temp table t() inherits (v)",
        "insert into t select ssn from customers",
        "v",
    ),
    (
        "create temp table t(a text) partition by list (a)",
        "create temp table v partition of t default",
        "insert into t select ssn from customers",
        "v",
    ),
    (
        "create temp table v(b text, a text generated always as (upper(b)) stored)",
        "create temp table w(c text)",
        "insert into v(b) select ssn from customers",
        "v",
    ),
    (
        "create temp table v(b text)",
        "alter table v add column a text generated always as (upper(b)) stored",
        "insert into v(b) select ssn from customers",
        "v",
    ),
]


@pytest.mark.parametrize(("first", "second", "write", "name"), LINKS)
def test_what_is_written_to_one_relation_shows_in_those_that_are_linked_to_it(
    first: str, second: str, write: str, name: str
) -> None:
    assert made_of(after(first, second), name)["a"] == ""  # type: ignore[index]
    assert made_of(after(first, second, write), name)["a"] == "customers.ssn"  # type: ignore[index]


REFUSED_LINKS = [
    "create temp table t() inherits (scratch)",
    "alter table t inherit scratch",
    "alter table scratch attach partition t default",
    "alter table kyc inherit scratch",
]


@pytest.mark.parametrize("text", REFUSED_LINKS)
def test_nothing_shows_through_a_parent_that_bears_no_label(text: str) -> None:
    assert marks(analyse(text, after("create temp table t(k text, v text)"))) == "EFFECT_UNDECIDED"


def test_a_child_generates_nothing_from_what_it_inherits() -> None:
    made = "create table kids(x text generated always as (ssn || '') stored) inherits (customers)"
    assert marks(analyse(made)) == "EFFECT_UNDECIDED"
    attach = analyse("alter table events attach partition scratch default")
    assert attach.parts[0].is_doubtful


RETURNED = [
    "insert into k(v) select ssn from customers returning v",
    "insert into k(v) select ssn from customers returning *",
    "insert into k as x(v) select ssn from customers returning x.v",
    "update k set v = (select ssn from customers where id = 1) returning v",
    "with x as (insert into k(v) select ssn from customers returning v) select * from x",
]


@pytest.mark.parametrize("text", RETURNED)
def test_what_a_statement_stores_shows_in_what_it_returns(text: str) -> None:
    analysis = analyse(text, after("create temp table k(v text)"))
    outputs = analysis.parts[0].reach.outputs or ()
    assert outputs
    assert all({column.path[4] for column in output.columns} == {"ssn"} for output in outputs)


def test_what_a_session_makes_is_bounded() -> None:
    overlay = EMPTY
    for number in range(MAX_RELATIONS + 1):
        overlay = overlay.with_relation("pg_temp", f"t{number}", Overlaid())
    state = sql.SessionState(sql.SessionFacts(overlay=overlay))
    assert marks(analyse("create temp table more(a int)", state)) == "TOO_COMPLEX"
    assert analyse("drop table t1", state).refusal is None


def test_a_labelled_value_is_no_parameter_of_execute() -> None:
    prepared = analyse("prepare p as select $1").parts[0].effects[0]
    assert isinstance(prepared, sql.PrepareStatement)
    state = sql.SessionState(prepared={"p": prepared.inner})
    assert analyse("execute p('x')", state).refusal is None
    assert marks(analyse("execute p(get_ssn(1))", state)) == "EFFECT_UNDECIDED"


UNSEEN = """
insert into orders(id, status) values (1, f())
insert into orders(id, status) select 1, f()
update orders set status = f() where id = 1
create table w as select f()
create table w(a text default f())
create table w(a int, b text generated always as (f()) stored)
alter table orders add column z text default f()
alter table orders alter column status set default f()
create domain d as text default f()
""".strip().splitlines()


@pytest.mark.parametrize("text", UNSEEN)
def test_what_a_function_gives_that_nobody_vouches_for_is_not_stored(text: str) -> None:
    assert marks(analyse(text, view=WITH_F)) == "EFFECT_UNDECIDED"
    trusting = replace(VIEW.labels, trusted_functions=frozenset({("public", "f")}))
    assert analyse(text, view=sql.View(WITH_F.snapshot, trusting)).refusal is None
    assert analyse(text, view=sql.View(WITH_F.snapshot)).refusal is None


def test_a_function_in_a_condition_stores_nothing() -> None:
    assert analyse("update orders set status = 'x' where id = f()::int", view=WITH_F).refusal is None


OPERATORS = [
    "select 1 %% 1",
    "select 1 operator(evil.+) 1",
    "select 1 between 1 and 2",
    "select 1 in (select 1)",
    "select case 1 when 1 then 2 end",
    "select id from orders join kyc using (id)",
]


@pytest.mark.parametrize("text", OPERATORS)
def test_an_operator_that_runs_user_code_is_unknown_however_it_is_spelt(text: str) -> None:
    mine = frozenset({("public", each) for each in ("%%", ">=", "=")} | {("evil", "+")})
    view = sql.View(replace(SNAPSHOT, operators=mine), VIEW.labels)
    found = analyse(text, view=view)
    assert marks(found) == "u"
    assert found.parts[0].may_change_session
