"""Who may ask about a labelled value: conditions become filter operations with the kind of the test."""

from __future__ import annotations

import pytest

from tests.inspect.sql.sample import analyse, marks, operations

SSN = "filter public.customers.ssn"
EMAIL = "filter public.customers.email"

CASES = [
    ("SELECT 1 FROM customers WHERE ssn='x'", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE 'x'=ssn", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE ssn=$1", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE ssn=$1::text AND vip", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE NOT (vip OR ssn<>'x')", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE ssn IN ('a', 'b')", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE ssn = ANY ($1)", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE ssn IS NULL", f"{SSN} null", "-"),
    ("SELECT 1 FROM customers WHERE ssn IS NOT DISTINCT FROM 'x'", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE lower(ssn) = lower('X')", f"{SSN} constant", "-"),
    ("SELECT count(ssn) FROM customers", f"{SSN} null", "-"),
    ("SELECT 1 FROM customers WHERE ssn > 'x'", f"{SSN} range", "-"),
    ("SELECT 1 FROM customers WHERE ssn BETWEEN 'a' AND 'b'", f"{SSN} range", "-"),
    ("SELECT 1 FROM customers WHERE (ssn, id) > ('a', 1)", f"{SSN} range", "-"),
    ("SELECT 1 FROM customers GROUP BY vip HAVING min(ssn) > 'x'", f"{SSN} range", "-"),
    ("SELECT 1 FROM customers WHERE ssn LIKE 'x%'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE ssn NOT ILIKE 'x%'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE ssn ~ '^x'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE ssn SIMILAR TO 'x'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE left(ssn, 3) = 'x'", f"{SSN} pattern", "-"),
    (
        "SELECT 1 FROM orders WHERE EXISTS (SELECT 1 FROM customers WHERE ssn LIKE '5%')",
        f"{SSN} pattern",
        "-",
    ),
    ("SELECT 1 FROM customers c JOIN kyc k ON k.ssn=c.ssn", f"{SSN} join, filter public.kyc.ssn join", "-"),
    ("SELECT 1 FROM customers JOIN kyc USING (ssn)", f"{SSN} join, filter public.kyc.ssn join", "-"),
    ("SELECT 1 FROM customers NATURAL JOIN kyc", f"{SSN} join, filter public.kyc.ssn join", "-"),
    ("SELECT 1 FROM customers c, scratch s WHERE s.k=c.ssn", f"{SSN} match", "-"),
    (
        "SELECT 1 FROM customers WHERE ssn IN (SELECT ssn FROM kyc)",
        f"{SSN} join, filter public.kyc.ssn join",
        "-",
    ),
    ("SELECT id FROM customers ORDER BY ssn", f"{SSN} order", "-"),
    ("SELECT ssn AS s FROM customers ORDER BY s", f"{SSN} order", "-"),
    ("SELECT id, ssn FROM customers ORDER BY 2", f"{SSN} order", "-"),
    ("SELECT count(*) FROM customers GROUP BY ssn", f"{SSN} group", "-"),
    ("SELECT DISTINCT ssn FROM customers", f"{SSN} group", "-"),
    ("SELECT DISTINCT ON (ssn) id FROM customers", f"{SSN} group", "-"),
    ("SELECT count(*) FROM customers GROUP BY ROLLUP (ssn, vip)", f"{SSN} group", "-"),
    (
        "SELECT 1 FROM customers WHERE ssn=(SELECT ssn FROM kyc WHERE id=1)",
        f"{SSN} join, filter public.kyc.ssn join",
        "-",
    ),
    ("SELECT 1 FROM orders WHERE id < (SELECT ssn::int FROM customers)", f"{SSN} other, {SSN} fallible", "d"),
    # what tells no more than that a value is there
    ("SELECT 1 FROM customers WHERE ssn IS NOT NULL OR vip", f"{SSN} null", "-"),
    ("SELECT 1 FROM customers WHERE NOT ssn IS NULL", f"{SSN} null", "-"),
    ("SELECT 1 FROM customers WHERE left(ssn, 1) IS NULL", f"{SSN} other", "d"),
    ("SELECT 1 FROM customers WHERE (ssn = 'x') IS TRUE", f"{SSN} constant", "-"),
    # a column is compared with another: the same labels join, any other could be a table of guesses
    ("SELECT 1 FROM customers a JOIN customers b ON a.ssn=b.ssn", f"{SSN} join", "-"),
    ("SELECT 1 FROM customers WHERE ssn=phone", f"{SSN} match, filter public.customers.phone match", "-"),
    ("SELECT 1 FROM customers WHERE ssn IN (SELECT k FROM scratch)", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn NOT IN (SELECT k FROM scratch)", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn = ANY (SELECT lower(k) FROM scratch)", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn <> ALL (SELECT k FROM scratch)", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn < ANY (SELECT k FROM scratch)", f"{SSN} range", "-"),
    ("SELECT 1 FROM customers WHERE ssn = (SELECT k FROM scratch LIMIT 1)", f"{SSN} match", "d"),
    (
        "SELECT 1 FROM customers WHERE ssn = (SELECT email FROM customers LIMIT 1)",
        f"{SSN} match, {EMAIL} match",
        "-",
    ),
    ("SELECT 1 FROM customers c JOIN scratch s(ssn) USING (ssn)", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers NATURAL JOIN scratch s(ssn)", f"{SSN} match", "-"),
    ("SELECT v.ssn FROM customers JOIN (VALUES ('a')) v(ssn) USING (ssn)", f"{SSN} match", "d"),
    ("SELECT 1 FROM scratch WHERE k IN (SELECT ssn FROM customers)", f"{SSN} match", "-"),
    (
        "SELECT 1 FROM customers c JOIN customers d ON c.ssn=d.ssn AND c.ssn=d.email",
        f"{SSN} join, {SSN} match, {EMAIL} match",
        "-",
    ),
    ("SELECT 1 FROM customers WHERE lower(ssn)=name", f"{SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn=name||'x'", f"{SSN} match", "d"),
    ("SELECT 1 FROM customers WHERE ssn IN ('a', name)", f"{SSN} constant, {SSN} match", "-"),
    ("SELECT 1 FROM customers WHERE ssn=nowhere.x", f"{SSN} match, filter ?.nowhere.x match", "u"),
    # the same for every row, or it lists what a value may be
    ("SELECT 1 FROM customers WHERE ssn=lower(btrim('x')) || 'y'", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE dob=current_date - 7", "filter public.customers.dob constant", "-"),
    ("SELECT 1 FROM customers WHERE dob=now()", "filter public.customers.dob constant", "-"),
    (
        "SELECT 1 FROM customers, generate_series(1, 9) WHERE ssn=nextval('audit_log_id_seq')::text",
        f"{SSN} match",
        "d",
    ),
    ("SELECT 1 FROM customers, generate_series(1, 9) WHERE ssn=random()::text", f"{SSN} match", "d"),
    ("SELECT 1 FROM customers WHERE ssn=current_setting('a.b')", f"{SSN} match", "d"),
    ("SELECT 1 FROM customers WHERE ssn=now_or_never()", f"{SSN} other", "du"),
    # what stands around a column must not be more than case
    ("SELECT 1 FROM customers WHERE lower(ssn) COLLATE \"C\" = 'x'", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE left(ssn, 1) COLLATE \"C\" = 'x'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE (ssn || 'a') COLLATE \"C\" = 'x'", f"{SSN} other", "d"),
    ("SELECT 1 FROM customers WHERE btrim(ssn, '12') = '3'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE (left(ssn, 1), id) = ('3', 1)", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM customers WHERE left(ssn, 1) IN (SELECT k FROM scratch)", f"{SSN} other", "d"),
    ("SELECT 1 FROM orders WHERE 'x' IN (SELECT ssn FROM customers)", f"{SSN} constant", "-"),
    ("SELECT 1 FROM customers WHERE 'x' = ANY (ARRAY[ssn, email])", f"{SSN} constant, {EMAIL} constant", "-"),
    # what a condition could carry out in a clean column is derived, too
    (
        "SELECT g FROM customers, generate_series(1, 9) g WHERE g = ssn::int",
        f"{SSN} other, {SSN} fallible",
        "d",
    ),
    ("SELECT g FROM customers, generate_series('a', 'b') g WHERE ssn = g", f"{SSN} match", "d"),
    ("SELECT v FROM (VALUES ('a')) t(v) WHERE v IN (SELECT ssn FROM customers)", f"{SSN} match", "d"),
    ("SELECT g FROM generate_series(1, 9) g WHERE g IN (SELECT ssn FROM customers)", f"{SSN} match", "d"),
    ("SELECT generate_series(1, ssn::int) FROM customers", f"{SSN} other, {SSN} fallible", "d"),
    ("SELECT 1 FROM customers WHERE ssn::int = 1", f"{SSN} other, {SSN} fallible", "d"),
    ("SELECT 1 FROM customers WHERE ssn || 'a' = name", f"{SSN} other", "d"),
    ("SELECT 1 FROM customers WHERE CASE WHEN ssn LIKE '5%' THEN true END", f"{SSN} other", "d"),
    ("SELECT 1 FROM orders WHERE id = (SELECT ssn::int FROM customers)", f"{SSN} other, {SSN} fallible", "d"),
    ("SELECT 1 FROM orders WHERE 'x' IN (SELECT upper(ssn) FROM customers)", f"{SSN} other", "d"),
    ("DELETE FROM victim WHERE id <= (SELECT length(ssn) FROM customers)", f"{SSN} other", "d"),
    ("SELECT rank() OVER (PARTITION BY ssn) FROM customers", f"{SSN} group", "d"),
    ("SELECT CASE WHEN ssn > 'x' THEN 1 END FROM customers", "", "d"),
    ("SELECT CASE WHEN ssn > 'x' THEN 1/0 END FROM customers", f"{SSN} other", "d"),
    ("SELECT coalesce(nullif(ssn, 'x'), (1/0)::text) FROM customers", f"{SSN} other", "d"),
    # inside other places
    ("SELECT count(*) FILTER (WHERE ssn = 'x') FROM customers", f"{SSN} constant", "-"),
    ("UPDATE customers SET vip=true WHERE ssn='x'", f"{SSN} constant", "-"),
    ("DELETE FROM customers WHERE ssn='x'", f"{SSN} constant", "-"),
    (
        "EXPLAIN SELECT 1 FROM kyc WHERE ssn='x'",
        "filter public.kyc.ssn constant, filter public.kyc.ssn size",
        "-",
    ),
    ("SELECT ssn::numeric FROM customers", f"{SSN} size", "d"),
    ("SELECT id FROM v_const", "filter public.customers.ssn view", "-"),
    ("UPDATE customers SET ssn=lower(ssn)", f"{SSN} key", "d"),
    ("UPDATE customers SET ssn=nullif(ssn, 'x')", f"{SSN} key, {SSN} other", "d"),
    ("SELECT 1 FROM (SELECT ssn AS s FROM customers) x WHERE s='x'", f"{SSN} constant", "-"),
    ("WITH x AS (SELECT ssn AS s FROM customers) SELECT 1 FROM x WHERE s LIKE 'x'", f"{SSN} pattern", "-"),
    ("SELECT 1 FROM v_contacts WHERE contact='x'", "filter public.customers.email constant", "-"),
    ("SELECT 1 FROM v_nested WHERE c2 LIKE 'x'", f"{SSN} other", "d"),
    ("SELECT 1 FROM v_nested WHERE label='c1'", "", "-"),
    ("SELECT 1 FROM customers_old WHERE ssn='x'", "filter public.customers_old.ssn constant", "-"),
    ("SELECT 1 FROM payroll WHERE band='senior'", "filter public.payroll.band constant", "-"),
    ("SELECT 1 FROM nowhere WHERE x='x'", "filter public.nowhere.* constant", "u"),
    # clean columns are nobody's business
    ("SELECT 1 FROM customers WHERE id=1 AND name LIKE 'A%' ORDER BY name", "", "-"),
    ("SELECT 1 FROM customers c JOIN orders o ON o.customer_id=c.id", "", "-"),
]


@pytest.mark.parametrize(("text", "expected", "reach"), CASES)
def test_a_condition_on_a_labelled_column_is_a_filter(text: str, expected: str, reach: str) -> None:
    analysis = analyse(text)
    filters = {each for each in operations(analysis) if each.startswith("filter")}
    assert filters == set(filter(None, expected.split(", ")))
    assert marks(analysis) == reach


def test_a_filter_operation_names_the_labels() -> None:
    (found,) = [
        each for each in analyse("SELECT 1 FROM customers WHERE ssn='x'").statement().operations if each.facts
    ]
    assert found.labels == {"ssn"}
    assert found.facts == {"kind": "constant", "values": 1}
    assert str(found.resource) == 'Column::"shop/public.customers.ssn"'
