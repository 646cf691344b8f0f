"""A function is decided alike by whatever notation it is called, and so is one that only an older grammar calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.inspect.sql import functions
from narrows.inspect.sql.functions import Does
from narrows.model.snapshot import Function
from tests.inspect.sql.sample import SNAPSHOT, VIEW, analyse, marks, operations

NOTATIONS = [
    "select (lower('x')).{}",
    "select (y).{} from (select lower('x') as x) y, (select 'x'::text as y) z",
    "select g.{} from lower('x') g",
    "select (g).{} from lower('x') g",
    "select ((g.x).{}).word from lower('x') g(x)",
    "select t.{} from pg_stat_activity t",
    "with c as (select g.* from lower('x') g) select c.{} from c",
    "select n.{} from nowhere n",
]
REFUSED = sorted(name for name, each in functions.BEHAVIOURS.items() if each.does is Does.RUNS_SQL)
ASKED = sorted(name for name, each in functions.BEHAVIOURS.items() if each.action is not None)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_function_that_runs_sql_is_refused(notation: str) -> None:
    for name in REFUSED:
        assert marks(analyse(notation.format(name))) == "EFFECT_UNDECIDED", name


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_function_that_acts_is_asked_about(notation: str) -> None:
    for name in ASKED:
        wanted = operations(analyse(f"select {name}('x')"))
        found = analyse(notation.format(name))
        assert found.refusal is not None or wanted <= operations(found), name


def test_a_sequence_is_named_in_either_notation() -> None:
    assert "update public.audit_log_id_seq" in operations(
        analyse("select ('audit_log_id_seq'::regclass).nextval")
    )


def test_a_field_is_not_taken_for_a_call() -> None:
    for text in (
        "select (x).word from (select row(1) as x) y",
        "select t.name, t.setting from pg_settings t",
    ):
        assert not [each for each in operations(analyse(text)) if each.startswith("call")]


def test_a_row_is_not_taken_for_a_column_of_its_name() -> None:
    """`c` is the column, which holds a whole labelled row, and not the row of the clean table."""
    text = "select upper((c).ssn) from orders as c(ssn), (select k as c from customers k) p"
    assert analyse(text).reach.is_derived


TWINS = replace(
    SNAPSHOT,
    relations={
        **SNAPSHOT.relations,
        99_001: replace(SNAPSHOT.by_name["public", "customers"], oid=99_001, schema="evil"),
    },
    by_name={
        **SNAPSHOT.by_name,
        ("evil", "customers"): replace(SNAPSHOT.by_name["public", "customers"], oid=99_001, schema="evil"),
    },
)


@pytest.mark.parametrize("sources", ["evil.customers, public.customers", "public.customers, evil.customers"])
def test_tables_of_one_name_are_told_apart_by_their_schemas(sources: str) -> None:
    view = sql.View(TWINS, VIEW.labels)
    for text in (
        "upper(public.customers.ssn)",
        "row_to_json(public.customers.*)",
        "length(public.customers.ssn)",
    ):
        assert analyse(f"select {text} from {sources}", view=view).reach.is_derived, text
    for text in ("upper(evil.customers.ssn)", "row_to_json(evil.customers.*)", "public.customers.ssn"):
        assert not analyse(f"select {text} from {sources}", view=view).reach.is_derived, text
    inner = f"select 1 from {sources} where public.customers.ssn like '5%'"
    assert "filter public.customers.ssn pattern" in operations(analyse(inner, view=view))


def test_a_user_s_count_is_not_postgresql_s() -> None:
    mine = Function(1, "evil", "count", "f", "sql", "v")
    view = sql.View(replace(SNAPSHOT, functions={("evil", "count"): (mine,)}), VIEW.labels)
    analysis = analyse("select evil.count(email) from customers", view=view)
    assert "call evil.count" in operations(analysis)
    assert marks(analysis) == "du"
    state = sql.SessionState(sql.SessionFacts(search_path=("evil",)))
    assert "call evil.count" in operations(analyse("select count(email) from customers", state, view))


NEWER = [
    ("json_scalar('1')", "json_scalar"),
    ("json_value('1', '$')", "json_value"),
    ("json_query('1', '$')", "json_query"),
    ("json_exists('1', '$')", "json_exists"),
    ("json_serialize('1')", "json_serialize"),
    ("json('1')", "json"),
    ("json_array('1')", "json_array"),
    ("json_object()", "json_object"),
    ("json_arrayagg('1')", "json_arrayagg"),
]


@pytest.mark.parametrize(("text", "name"), NEWER)
def test_what_only_a_newer_grammar_knows_is_a_call(text: str, name: str) -> None:
    mine = Function(1, "public", name, "f", "sql", "v")
    old = replace(SNAPSHOT, functions={("public", name): (mine,)})
    new = replace(old, server_version=180000)
    found = analyse(f"select {text}", view=sql.View(old, VIEW.labels))
    assert f"call public.{name}" in operations(found)
    assert marks(found) == "u"
    assert marks(analyse(f"select {text}", view=sql.View(new, VIEW.labels))) == "-"


def test_system_user_is_a_column_where_the_grammar_does_not_have_it() -> None:
    text = "select upper(system_user) from (select ssn as system_user from customers) x"
    assert analyse(text).reach.is_derived
    view = sql.View(replace(SNAPSHOT, server_version=160000), VIEW.labels)
    assert not analyse(text, view=view).reach.is_derived


SSN = "filter public.customers.ssn other"


@pytest.mark.parametrize(
    "text",
    [
        "select c.id from customers c, generate_series(1, ascii(substr(c.ssn, 1, 1))) g",
        "select c.id, generate_series(1, ascii(substr(c.ssn, 2, 1))) from customers c",
        "select id, regexp_matches(ssn, '^0') from customers",
        "select c.id from customers c, regexp_matches(c.ssn, '^0')",
        "select id, (string_to_array(ssn, '1')).unnest from customers",
        "select id from customers c where exists (select from generate_series(1, ascii(c.ssn) - 48))",
        "select id from customers c, xmltable('/a' passing (c.ssn::xml) columns a text)",
        "select id from customers c, json_table(c.ssn::jsonb, '$[*]' columns (a int path '$'))",
        "select id from customers order by string_to_table(ssn, '1')",
    ],
)
def test_what_makes_the_number_of_rows_is_a_filter(text: str) -> None:
    assert SSN in operations(analyse(text))


def test_a_user_s_function_that_returns_a_set_makes_the_number_of_rows() -> None:
    mine = Function(1, "public", "rows", "f", "sql", "i", returns_set=True)
    view = sql.View(replace(SNAPSHOT, functions={("public", "rows"): (mine,)}), VIEW.labels)
    assert SSN in operations(analyse("select id, rows(ssn) from customers", view=view))


def test_counts_that_follow_from_labelled_values_are_not_shown_by_a_plan() -> None:
    text = "select 1 from customers c, generate_series(1, ascii(c.ssn)) g"
    assert analyse(f"explain analyze {text}").reach.is_derived
    assert not analyse(f"explain {text}").reach.is_derived
