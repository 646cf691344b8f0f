"""What each output column may carry: the labelled columns in it, whether unchanged, and where nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.model.reach import Output
from narrows.model.snapshot import Function
from tests.inspect.sql.sample import SNAPSHOT, VIEW, analyse

CASES = """
# columns as they stand
SELECT id, ssn FROM customers -> -, =customers.ssn
SELECT x FROM (SELECT ssn FROM customers) AS s(x) -> =customers.ssn
WITH x(a) AS (SELECT ssn FROM customers), y AS (SELECT a AS b, 1 AS c FROM x) SELECT b, c FROM y -> =customers.ssn, -
SELECT c.name, o.amount, k.ssn FROM customers c JOIN orders o ON o.customer_id=c.id JOIN kyc k ON k.id=c.id -> -, -, =kyc.ssn
SELECT ssn FROM customers UNION ALL SELECT ssn FROM kyc -> =customers.ssn kyc.ssn
# expressions, each by itself
SELECT upper(name), upper(ssn), id + 1 FROM customers -> -, customers.ssn, -
SELECT count(*), max(ssn), sum(id) FROM customers GROUP BY vip -> -, customers.ssn, -
SELECT name FROM customers UNION ALL SELECT ssn FROM customers -> customers.ssn
SELECT CASE WHEN ssn > 'x' THEN 'a' END, CASE WHEN vip THEN 'a' END FROM customers -> customers.ssn, -
SELECT (SELECT ssn FROM customers WHERE id=1), (SELECT name FROM customers WHERE id=1) -> customers.ssn, -
SELECT EXISTS (SELECT 1 FROM customers WHERE ssn = 'x') -> -
SELECT row_number() OVER (ORDER BY id), lag(ssn) OVER (ORDER BY id) FROM customers -> -, customers.ssn
SELECT (c).name, (c).ssn FROM customers c -> -, =customers.ssn
SELECT g, upper(ssn) FROM customers, generate_series(1, 3) g -> -, customers.ssn
SELECT data->>'city', cust_id FROM profiles -> profiles.data, -
SELECT j.ssn, j.doc FROM (customers JOIN kyc USING (ssn)) j -> =customers.ssn kyc.ssn, -
# recursion, column by column
WITH RECURSIVE r(i,v) AS (SELECT 1, ''::text UNION ALL SELECT i+1, v||(SELECT ssn FROM customers WHERE id=i) FROM r WHERE i<3) SELECT i, v FROM r -> -, customers.ssn
WITH RECURSIVE r(a,b,c) AS (SELECT 'x', ssn, 'y' FROM customers UNION ALL SELECT b, c, a FROM r) SELECT a, b, c FROM r -> customers.ssn, customers.ssn, customers.ssn
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM t WHERE n < 9) SELECT sum(n), max(n) FROM t -> -, -
# views by their definitions
SELECT id, who, contact FROM v_contacts -> -, -, =customers.email
SELECT id, label, code FROM v_codes -> -, -, customers.ssn
SELECT label, c2 FROM v_nested -> -, customers.ssn
SELECT * FROM mv_people -> -, -, =customers.email, =payroll.salary
SELECT * FROM v_orders -> -, -, -
SELECT * FROM evil.orders -> -, -, customers.card, =customers.ssn, =customers.dob
# what comes with a column: children, foreign keys, generation
SELECT ssn, archived_on FROM customers_old -> =customers_old.ssn, -
SELECT ssn FROM kyc -> =kyc.ssn
SELECT band, emp_id FROM payroll -> payroll.band, -
# writing
UPDATE customers SET vip=vip WHERE id=1 RETURNING id, ssn, upper(email) -> -, =customers.ssn, customers.email
WITH d AS (DELETE FROM kyc WHERE id=1 RETURNING *) SELECT d.id, d.ssn AS x FROM d -> -, =kyc.ssn
COPY (SELECT name, lower(ssn) FROM customers) TO STDOUT -> -, customers.ssn
SELECT md5(ssn)::uuid, get_byte(ssn::bytea, id) FROM customers -> customers.ssn, customers.ssn
# what nobody sees through stands alone
SELECT id, get_ssn(1) FROM customers -> -, ?
SELECT a.id, b FROM orders a, people() b -> -, ?
SELECT full_price(amount), id FROM orders -> -, -
SELECT name::mood, name FROM customers -> ?, -
SELECT pid, query FROM pg_stat_activity -> -, pg_stat_activity.query
SELECT * FROM crosstab($$SELECT name, 'a', ssn FROM customers WHERE id=1$$) AS ct(r text, v text) -> customers.ssn, customers.ssn
""".strip().splitlines()


def said(output: Output) -> str:
    names = " ".join(sorted(".".join(column.path[3:]) for column in output.columns))
    return "?" if output.is_undecided else "=" * output.is_same + names if names else "-"


@pytest.mark.parametrize("line", [line for line in CASES if not line.startswith("#")])
def test_each_output_column_carries_what_went_into_it(line: str) -> None:
    text, expected = line.split(" -> ")
    analysis = analyse(text)
    assert analysis.refusal is None, analysis.refusal
    outputs = analysis.parts[0].reach.outputs
    assert outputs is not None
    assert [said(output) for output in outputs] == [each.strip() for each in expected.split(",")]


OPEN = [
    "SELECT * FROM nowhere",
    "SELECT (c).* FROM (SELECT c FROM customers c) s",
    "SELECT * FROM all_customers()",
]


@pytest.mark.parametrize("text", OPEN)
def test_where_the_columns_are_not_known_none_is_told(text: str) -> None:
    assert analyse(text).parts[0].reach.outputs is None


def test_a_view_that_cannot_be_read_may_show_anything() -> None:
    old = SNAPSHOT.by_name["public", "v_contacts"]
    new = replace(old, definition="SELECT nosuch(")
    snapshot = replace(
        SNAPSHOT,
        relations={**SNAPSHOT.relations, old.oid: new},
        by_name={**SNAPSHOT.by_name, ("public", "v_contacts"): new},
    )
    analysis = analyse("SELECT id FROM v_contacts", view=sql.View(snapshot, VIEW.labels))
    (output,) = analysis.parts[0].reach.outputs or ()
    assert output.is_undecided
    assert analysis.reach.is_unknown


def function(name: str, body: str, *parameters: str) -> Function:
    return Function(1, "public", name, "f", "sql", "s", body=body, parameters=parameters)


SEEN = """
SELECT ssn FROM public.customers WHERE id = i -> customers.ssn
SELECT name FROM public.customers WHERE id = $1 -> -
BEGIN ATOMIC SELECT name FROM public.customers WHERE id = i; END -> -
RETURN i + 1 -> -
SELECT i + other(i) -> ?
UPDATE public.customers SET vip = true -> ?
SELECT 1; SELECT 2 -> ?
SELECT f(i) -> ?
not sql at all -> ?
""".strip().splitlines()


@pytest.mark.parametrize("line", SEEN)
def test_a_function_in_sql_is_seen_through_where_all_of_it_is(line: str) -> None:
    body, expected = line.split(" -> ")
    known = {**SNAPSHOT.functions, ("public", "f"): (function("f", body, "i"),)}
    view = sql.View(replace(SNAPSHOT, functions=known), VIEW.labels)
    analysis = analyse("SELECT f(1), f(id) FROM orders", view=view)
    assert [said(output) for output in analysis.parts[0].reach.outputs or ()] == [expected, expected]
    calls = [each.facts for each in analysis.statement().operations if str(each.resource).endswith('f"')]
    assert calls == [{"is_seen": expected != "?"}]


@pytest.mark.parametrize("more", [{"body": None}, {"kind": "p"}])
def test_a_function_that_may_do_more_is_not_seen_through(more: dict[str, object]) -> None:
    known = {**SNAPSHOT.functions, ("public", "f"): (replace(function("f", "SELECT 1", "i"), **more),)}  # type: ignore[arg-type]
    view = sql.View(replace(SNAPSHOT, functions=known), VIEW.labels)
    (output,) = analyse("SELECT f(1)", view=view).parts[0].reach.outputs or ()
    assert output.is_undecided
