"""What leaves in bulk is an export, and policy is told how much a statement touches."""

from __future__ import annotations

import pytest

from tests.inspect.sql.sample import UNLABELLED, VIEW, analyse, operations, with_rows

LARGE = with_rows(VIEW, "customers", 1_000_000)
UNKNOWN = with_rows(VIEW, "customers", -1)

EXPORTS = """
SELECT * FROM customers
SELECT id FROM customers
SELECT name FROM customers WHERE vip
SELECT name FROM customers WHERE id > 1
SELECT name FROM customers WHERE id = 1 OR vip
SELECT name FROM customers LIMIT 10001
SELECT name FROM customers LIMIT $1
SELECT name FROM customers LIMIT ALL
SELECT name FROM customers ORDER BY name FETCH FIRST 5 ROWS WITH TIES
SELECT name FROM customers, orders WHERE orders.id = 1
SELECT name FROM customers c JOIN orders o ON o.customer_id = c.id
SELECT name FROM customers UNION ALL SELECT 'x' LIMIT 20000
SELECT * FROM (SELECT name FROM customers) s
WITH x AS (SELECT name FROM customers) SELECT * FROM x
SELECT array_agg(name) FROM customers
SELECT json_agg(c), count(*) FROM customers c
SELECT name, count(*) FROM customers GROUP BY name
DECLARE c CURSOR FOR SELECT name FROM customers
UPDATE customers SET vip = true RETURNING name
DELETE FROM customers WHERE vip RETURNING *
WITH d AS (DELETE FROM customers RETURNING *) SELECT * FROM d
COPY customers TO STDOUT
COPY (SELECT name FROM customers WHERE id = 1) TO STDOUT
EXPLAIN ANALYZE SELECT name FROM customers
""".strip().splitlines()

NO_EXPORTS = """
SELECT name FROM customers WHERE id = 1
SELECT name FROM customers WHERE id = $1 AND vip
SELECT name FROM customers WHERE id IN (1, 2, 3)
SELECT name FROM customers WHERE email = 'a@b'
SELECT name FROM customers LIMIT 10
SELECT * FROM (SELECT name FROM customers LIMIT 5) s
SELECT * FROM (SELECT name FROM customers) s LIMIT 5
SELECT name FROM customers UNION ALL SELECT 'x' LIMIT 20
SELECT c.name FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id = 1
SELECT count(*), max(name) FROM customers
SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers)
SELECT EXISTS (SELECT 1 FROM customers)
SELECT id FROM orders
UPDATE customers SET vip = true WHERE id = 1 RETURNING name
UPDATE customers SET vip = true
INSERT INTO customers(id, name) VALUES (1, 'x') RETURNING *
""".strip().splitlines()


@pytest.mark.parametrize("text", EXPORTS)
def test_labelled_tables_without_a_bound_are_exported(text: str) -> None:
    for view in (LARGE, UNKNOWN):
        assert "export public.customers" in operations(analyse(text, view=view))


@pytest.mark.parametrize("text", NO_EXPORTS)
def test_a_key_a_limit_or_an_aggregate_bounds_a_read(text: str) -> None:
    assert not {each for each in operations(analyse(text, view=LARGE)) if each.startswith("export")}


def test_small_and_unlabelled_tables_are_not_exported() -> None:
    assert operations(analyse("SELECT * FROM customers")) == {"select public.customers"}
    assert operations(analyse("SELECT * FROM customers", view=with_rows(UNLABELLED, "customers", -1))) == {
        "select public.customers"
    }


FACTS = [
    ("SELECT 1", {"is_bounded": True, "rows_estimate": 0}),
    (
        "SELECT name FROM customers WHERE id=1",
        {"is_bounded": True, "rows_estimate": 1, "constant_filters": {"customers.id"}},
    ),
    (
        "SELECT name FROM customers",
        {"is_bounded": False, "rows_estimate": 1_000_000, "has_limit": False, "limit": -1},
    ),
    (
        "SELECT name FROM customers LIMIT 5",
        {"is_bounded": False, "rows_estimate": 5, "has_limit": True, "limit": 5},
    ),
    ("SELECT name FROM customers LIMIT $1", {"has_limit": True, "limit": -1}),
    ("DELETE FROM victim", {"is_bounded": False}),
    ("DELETE FROM victim WHERE true", {"is_bounded": False}),
    ("DELETE FROM victim WHERE 1=1 OR id=3", {"is_bounded": False}),
    ("DELETE FROM victim WHERE id IS NOT NULL", {"is_bounded": False}),
    ("DELETE FROM victim WHERE id=id", {"is_bounded": False}),
    ("DELETE FROM victim WHERE NOT id=3", {"is_bounded": False}),
    ("DELETE FROM victim WHERE id<>3", {"is_bounded": False}),
    ("DELETE FROM victim WHERE v LIKE '%'", {"is_bounded": False}),
    ("DELETE FROM victim v USING generate_series(1,1)", {"is_bounded": False}),
    ("DELETE FROM victim WHERE id=3", {"is_bounded": True, "constant_filters": {"victim.id"}}),
    ("DELETE FROM victim WHERE id=3 OR v='x'", {"is_bounded": True, "constant_filters": set()}),
    ("DELETE FROM victim WHERE id IN (SELECT id FROM orders)", {"is_bounded": True}),
    ("DELETE FROM victim WHERE CURRENT OF c", {"is_bounded": True}),
    ("UPDATE victim SET v='none' WHERE v IS NULL", {"is_bounded": True, "constant_filters": set()}),
    ("UPDATE victim SET v='none' WHERE v IS NULL OR true", {"is_bounded": False}),
    ("UPDATE victim SET v='none' WHERE 1 IS NULL", {"is_bounded": False}),
    ("UPDATE customers SET name='x' WHERE vip", {"is_bounded": True}),
    ("UPDATE customers SET name='x' WHERE NOT vip", {"is_bounded": True}),
    ("UPDATE customers SET name='x' WHERE vip IS TRUE", {"is_bounded": True}),
    ("UPDATE customers SET name='x' WHERE vip IS NOT TRUE", {"is_bounded": False}),
    ("UPDATE customers SET name='x' WHERE NOT (vip OR NOT vip)", {"is_bounded": False}),
    (
        "WITH d AS (DELETE FROM victim RETURNING 1) SELECT 1 FROM orders WHERE id=1",
        {"is_bounded": False, "constant_filters": set()},
    ),
    ("SELECT 1 FROM (SELECT * FROM victim) s WHERE s.id=1", {"is_bounded": False}),
    ("MERGE INTO victim v USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE", {"is_bounded": False}),
    ("SELECT 1 FROM customers, orders", {"touches": {"email", "ssn", "phone", "card", "dob", "free_text"}}),
    ("SELECT 1 FROM orders", {"touches": set()}),
    ("UPDATE customers SET vip=true WHERE id=1", {"has_triggers": True}),
    ("SELECT 1 FROM customers", {"has_triggers": False}),
    ("SET work_mem='1MB'", {"settings": {"work_mem"}}),
    ("SELECT 1 FROM nowhere", {"is_unknown": True, "rows_estimate": -1}),
    (
        "BEGIN; DELETE FROM victim; COMMIT",
        {"is_multi": True, "is_bounded": False, "kinds": {"transaction", "delete"}},
    ),
]


@pytest.mark.parametrize(("text", "expected"), FACTS)
def test_policy_is_told_how_much_a_statement_touches(text: str, expected: dict[str, object]) -> None:
    facts = analyse(text, view=LARGE).statement().facts
    assert {name: facts[name] for name in expected} == expected


def test_every_statement_has_every_fact() -> None:
    names = set(analyse("SELECT 1").statement().facts)
    for text in ("", "BEGIN", "SELECT 1; SELECT 2", "syntax error", "COPY orders TO STDOUT"):
        assert set(analyse(text).statement().facts) == names


EVERY_ROW = """
UPDATE orders SET status='x' WHERE id IN (SELECT id FROM orders)
UPDATE orders SET status='x' WHERE id IN (SELECT id FROM orders WHERE id = 1 UNION SELECT id FROM orders)
DELETE FROM orders WHERE id IS DISTINCT FROM NULL
""".strip().splitlines()


@pytest.mark.parametrize("text", EVERY_ROW)
def test_what_is_true_of_every_row_bounds_nothing(text: str) -> None:
    assert analyse(text).statement().facts["is_bounded"] is False


def test_a_subquery_that_leaves_something_out_is_a_bound() -> None:
    text = "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE status = 'x' LIMIT 100)"
    assert analyse(text).statement().facts["is_bounded"] is True
