"""With how many values a column is compared: splitting a list over a text does not make it shorter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.inspect import sql
from narrows.model.action import Action
from narrows.model.snapshot import Function
from narrows.model.statement import Parameter
from tests.inspect.sql.sample import VIEW, analyse

UNKNOWN = -1


def values(
    text: str,
    parameters: tuple[Parameter, ...] = (),
    state: sql.SessionState | None = None,
    view: sql.View = VIEW,
) -> str:
    """`ssn constant 2, email pattern 1`, in the order of the text's operations."""
    found = analyse(text, state, view).statement(parameters).operations
    assert not any(each.arrays for each in found)
    return ", ".join(
        f"{each.resource.path[-1]} {each.facts['kind']} {each.facts['values']}"
        for each in found
        if each.action is Action.FILTER
    )


SIZES = "".join(f", {each} size -1" for each in ("card", "dob", "email", "note", "phone", "ssn"))
"""A plan shows how wide they are."""
WHERE = "SELECT 1 FROM customers WHERE "

CASES = [
    (WHERE + "ssn = 'a'", "ssn constant 1"),
    (WHERE + "ssn <> 'a'", "ssn constant 1"),
    (WHERE + "ssn IS DISTINCT FROM $1", "ssn constant 1"),
    (WHERE + "ssn IN ('a', $1, lower('B'))", "ssn constant 3"),
    (WHERE + "ssn NOT IN ('a', 'b')", "ssn constant 2"),
    (WHERE + "ssn = ANY (ARRAY['a', 'b', NULL])", "ssn constant 3"),
    (WHERE + "ssn <> ALL (ARRAY['a', 'b'])", "ssn constant 2"),
    (WHERE + "ssn = ANY (ARRAY['a', 'b']::varchar[])", "ssn constant 2"),
    (WHERE + "ssn = ANY (ARRAY[ARRAY['a', 'b'], ARRAY['c', 'd']])", "ssn constant 4"),
    (WHERE + "ssn = ANY (ARRAY['{a,b}'::text[], '{c,d}'])", "ssn constant 4"),
    (WHERE + "ssn = ANY ('{a,b,c}')", "ssn constant 3"),
    (WHERE + "ssn = ANY ('{a,b,\"c,d\"}'::text[])", "ssn constant 3"),
    (WHERE + "ssn = ANY ('{a,b}'::_text)", "ssn constant 2"),
    (WHERE + "ssn = ANY ('{}')", "ssn constant 0"),
    (WHERE + "ssn IN (VALUES ('a'), ('b'))", "ssn constant 2"),
    (WHERE + "ssn IN (SELECT unnest('{a,b}'::text[]))", "ssn constant 2"),
    (WHERE + "ssn IN (SELECT u FROM unnest(ARRAY['a', 'b']) u)", "ssn constant 2"),
    (WHERE + "ssn IN (SELECT * FROM unnest(ARRAY['a', 'b']) AS u(x))", "ssn constant 2"),
    (WHERE + "lower(ssn) IN ('a', 'b')", "ssn constant 2"),
    (WHERE + "(ssn, id) = ('a', 1)", "ssn constant 1"),
    (WHERE + "(ssn, id) IN (('a', 1), ('b', 2))", "ssn constant 2"),
    (WHERE + "(ssn, email) = ('a', 'b')", "ssn constant 1, email constant 1"),
    (WHERE + "(ssn, ssn) = ('a', 'b')", "ssn constant 2"),
    (WHERE + "'a' IN (ssn, email)", "ssn constant 1, email constant 1"),
    (WHERE + "ssn LIKE ANY (ARRAY['a%', 'b%'])", "ssn pattern 2"),
    (WHERE + "left(ssn, 1) IN ('1', '2', '3')", "ssn pattern 3"),
    (WHERE + "ssn > 'a'", "ssn range 1"),
    (WHERE + "ssn BETWEEN 'a' AND 'b'", "ssn range 2"),
    (WHERE + "ssn > ALL (ARRAY['a', 'b', 'c'])", "ssn range 1"),
    (WHERE + "ssn IS NULL", "ssn null 0"),
    # they add up
    (WHERE + "ssn = 'a' OR ssn = 'b' OR 'c' = ssn", "ssn constant 3"),
    (WHERE + "ssn IN ('a', 'b') AND ssn = ANY ('{c}')", "ssn constant 3"),
    (WHERE + "NOT (ssn <> 'a' AND ssn <> 'b')", "ssn constant 2"),
    (WHERE + "ssn = 'a' UNION ALL " + WHERE + "ssn IN ('b', 'c')", "ssn constant 3"),
    ("WITH x AS (" + WHERE + "ssn = 'a') " + WHERE + "ssn = 'b'", "ssn constant 2"),
    (WHERE + "EXISTS (" + WHERE + "ssn = 'a') OR ssn = 'b'", "ssn constant 2"),
    (WHERE + "ssn = 'a'; " + WHERE + "ssn IN ('b', 'c')", "ssn constant 3"),
    (
        "SELECT count(*) FILTER (WHERE ssn = 'a'), count(*) FILTER (WHERE ssn = 'b') FROM customers",
        "ssn constant 2",
    ),
    (
        "SELECT 1 FROM customers c JOIN orders o ON c.ssn = 'a' AND o.id = c.id WHERE ssn = 'b'",
        "ssn constant 2",
    ),
    ("UPDATE customers SET vip = true WHERE ssn IN ('a', 'b')", "ssn constant 2"),
    ("EXPLAIN ANALYZE " + WHERE + "ssn IN ('a', 'b')", "ssn constant 2" + SIZES),
    ("DECLARE c CURSOR FOR " + WHERE + "ssn IN ('a', 'b')", "ssn constant 2"),
    # a recursive query is walked twice, and asks once
    (
        (
            "WITH RECURSIVE t AS (SELECT ssn FROM customers WHERE ssn = 'a' UNION SELECT ssn FROM t"
            " WHERE ssn = 'b') SELECT 1 FROM t WHERE ssn = 'c'"
        ),
        "ssn constant 3, ssn group -1",
    ),
    # set operations compare as well
    ("SELECT ssn FROM customers INTERSECT SELECT 'a'::text", "ssn constant 1"),
    ("SELECT ssn FROM customers INTERSECT (SELECT 'a' UNION ALL SELECT 'b')", "ssn match -1"),
    ("SELECT ssn FROM customers INTERSECT SELECT unnest('{a,b}'::text[])::text", "ssn match -1"),
    (
        "INSERT INTO customers(id, ssn) VALUES (1, 'a'), (2, 'b') ON CONFLICT (ssn) DO NOTHING",
        "ssn constant 2",
    ),
    # nobody knows how many
    (WHERE + "ssn = ANY (string_to_array($1, ','))", "ssn constant -1"),
    (WHERE + "ssn = ANY (ARRAY['a'] || $1)", "ssn constant -1"),
    (WHERE + "ssn = 'a' OR ssn = ANY (string_to_array($1, ','))", "ssn constant -1"),
    (WHERE + "ssn = ANY ('1 2 3'::int2vector)", "ssn constant -1"),
    (WHERE + "ssn IN (SELECT k FROM scratch)", "ssn match -1"),
    (WHERE + "ssn IN (SELECT k FROM unnest(ARRAY['a']) u, scratch)", "ssn match -1"),
    ("SELECT 1 FROM customers, scratch WHERE ssn IN (SELECT k FROM unnest(ARRAY['a']) u)", "ssn match -1"),
    (WHERE + "ssn IN (SELECT unnest(ARRAY['a']) FROM scratch)", "ssn match -1"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_values_that_a_column_is_compared_with_are_counted(text: str, expected: str) -> None:
    assert values(text) == expected


def array(*items: str) -> Parameter:
    return Parameter(("{" + ",".join(items) + "}").encode(), False, 0)


BOUND = [
    (WHERE + "ssn = ANY ($1)", "ssn constant 3"),
    (WHERE + "ssn <> ALL ($1::text[])", "ssn constant 3"),
    (WHERE + "ssn = 'x' OR ssn = ANY ($1)", "ssn constant 4"),
    (WHERE + "ssn = ANY ($1) OR ssn = ANY ($1)", "ssn constant 6"),
    (WHERE + "ssn = ANY ($1) OR ssn = ANY ($2)", "ssn constant 4"),
    (WHERE + "ssn IN (SELECT unnest($1::text[]))", "ssn constant 3"),
    (WHERE + "ssn = ANY (SELECT x FROM unnest($1::text[]) AS x)", "ssn constant 3"),
    (WHERE + "ssn = ANY (ARRAY[$1, $2]) AND ssn = $3", "ssn constant 5"),
    (WHERE + "ssn LIKE ANY ($1) AND email = ANY ($2)", "ssn pattern 3, email constant 1"),
    (WHERE + "ssn = ANY ($7)", "ssn constant -1"),
    ("DECLARE c CURSOR FOR " + WHERE + "ssn = ANY ($1)", "ssn constant 3"),
    ("EXPLAIN " + WHERE + "ssn = ANY ($1)", "ssn constant 3" + SIZES),
]


@pytest.mark.parametrize(("text", "expected"), BOUND)
def test_an_array_is_counted_once_it_is_bound(text: str, expected: str) -> None:
    assert analyse(text).awaits_arrays
    assert values(text, (array("a", "b", "c"), array("d"), array("e"))) == expected
    unbound = [each.split()[-1] for each in values(text).split(", ")]
    assert set(unbound) == {str(UNKNOWN)}


PREPARED = [
    ("EXECUTE p('{a,b}')", "ssn constant 3"),
    ("EXECUTE p(ARRAY['a', 'b', 'c'])", "ssn constant 4"),
    ("EXECUTE p(string_to_array('a,b', ','))", "ssn constant -1"),
    ("EXECUTE p(NULL)", "ssn constant 2"),
    ("EXECUTE p", "ssn constant -1"),
    ("EXPLAIN EXECUTE p('{a,b}')", "ssn constant 3" + SIZES),
]


def prepared(text: str) -> sql.SessionState:
    (part,) = analyse(text).parts
    (effect,) = part.effects
    assert isinstance(effect, sql.PrepareStatement | sql.DeclareCursor)
    if isinstance(effect, sql.PrepareStatement):
        return sql.SessionState(prepared={effect.name: effect.inner})
    return sql.SessionState(cursors={effect.name: effect.inner})


@pytest.mark.parametrize(("text", "expected"), PREPARED)
def test_execute_counts_its_own_constants(text: str, expected: str) -> None:
    state = prepared("PREPARE p AS " + WHERE + "ssn = ANY ($1) OR ssn = 'x'")
    assert values(text, state=state) == expected


def test_a_bind_brings_what_an_execute_without_constants_lacks() -> None:
    state = prepared("PREPARE p AS " + WHERE + "ssn = ANY ($1)")
    assert values("EXECUTE p", (array("a", "b"),), state) == "ssn constant 2"


def test_preparing_asks_nothing_and_fetching_nothing_new() -> None:
    """An array that no Bind has brought yet, or that was counted when the cursor was declared, is one value."""
    text = WHERE + "ssn = ANY ($1)"
    assert values("PREPARE p AS " + text) == "ssn constant 1"
    assert values("FETCH 5 FROM c", state=prepared("DECLARE c CURSOR FOR " + text)) == "ssn constant 1"


def test_very_many_mentions_of_an_array_are_unknown() -> None:
    text = WHERE + " OR ".join(["ssn = ANY ($1)"] * 100)
    assert values(text, (array("a"),)) == "ssn constant -1"


def test_arrays_of_a_type_that_has_another_separator_are_unknown() -> None:
    customers = VIEW.snapshot.by_name["public", "customers"]
    columns = tuple(
        replace(column, type_name="public.geometry") if column.name == "ssn" else column
        for column in customers.columns
    )
    changed = replace(customers, columns=columns)
    snapshot = replace(
        VIEW.snapshot,
        by_name={**VIEW.snapshot.by_name, ("public", "customers"): changed},
        relations={**VIEW.snapshot.relations, changed.oid: changed},
    )
    view = sql.View(snapshot, VIEW.labels)
    assert values(WHERE + "ssn = ANY ('{a:b}')", view=view) == "ssn constant -1"
    assert values(WHERE + "ssn IN ('a', 'b')", view=view) == "ssn constant 2"


def test_a_function_that_is_seen_through_compares_with_what_it_is_called_with() -> None:
    """Its parameter is no parameter of the statement: each row may bring another."""
    body = "SELECT count(*) FROM customers WHERE ssn = $1"
    function = Function(99, "public", "tries", "f", "sql", "s", parameters=("",), body=body)
    listed = replace(function, name="lists", body=body.replace("$1", "ANY ($1)"))
    functions = {**VIEW.snapshot.functions, ("public", "tries"): (function,), ("public", "lists"): (listed,)}
    view = sql.View(replace(VIEW.snapshot, functions=functions), VIEW.labels)
    assert values("SELECT tries(k) FROM scratch", view=view) == "ssn match -1"
    assert values("SELECT lists($1)", (array("a"),), view=view) == "ssn match -1"


def test_columns_come_in_one_order_whatever_the_hashes() -> None:
    """The refusal names the first that policy does not permit, and must not differ from run to run."""
    columns = [each.split()[0] for each in values("SELECT 1 FROM customers c ORDER BY c").split(", ")]
    assert len(columns) > 3
    assert columns == sorted(columns)


CONSTANTS = st.integers(0, 10**6).map(lambda number: f"'{number}'")


@given(st.lists(st.lists(CONSTANTS, min_size=1, max_size=6), min_size=1, max_size=6), st.data())
def test_however_a_list_is_split_its_values_add_up(lists: list[list[str]], data: st.DataObject) -> None:
    forms = [
        "ssn IN ({})",
        "ssn = ANY (ARRAY[{}])",
        "lower(ssn) IN ({})",
        "(ssn, 1) IN (SELECT 'x', 2) OR ssn IN ({})",
        "EXISTS (SELECT 1 FROM customers d WHERE d.ssn IN ({}))",
        "ssn IN (SELECT unnest(ARRAY[{}]))",
    ]
    conditions = [data.draw(st.sampled_from(forms)).format(", ".join(each)) for each in lists]
    glue = data.draw(st.sampled_from([" OR ", " AND ", " UNION ALL " + WHERE, "; " + WHERE]))
    found = values(WHERE + glue.join(conditions)).split(", ")
    assert f"ssn constant {sum(map(len, lists))}" in found
