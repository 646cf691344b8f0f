"""The analysis of SQL and policy speak the same words: every fact it finds can be asked about, none has a wrong type."""

from __future__ import annotations

import pytest

from narrows import policy
from narrows.inspect.sql import SessionState, View, analyse
from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.statement import Statement
from narrows.model.verdict import Effect, MaskObligation
from narrows.policy import schema
from tests.masking.world import LABELS, SNAPSHOT
from tests.policy.world import DECLARED, FRIDA, LOADER, NOW, SAM, load, query, sources

VIEW = View(SNAPSHOT, LABELS.of("shop", "shop"), {"snapshot": SNAPSHOT.id})
EVERYTHING = load('@id("all") permit(principal, action, resource);')
SAMPLE = policy.load(sources(), DECLARED)

STATEMENTS = """\
SELECT 1
SELECT * FROM customers
SELECT ssn FROM customers WHERE id = 1
SELECT city FROM customers WHERE ssn = '1' ORDER BY email LIMIT 3
EXPLAIN SELECT * FROM orders
INSERT INTO orders VALUES (1, 'a', 'b') RETURNING *
UPDATE orders SET what = 'x' WHERE id = 1
DELETE FROM orders
MERGE INTO orders o USING events e ON o.id = e.id WHEN MATCHED THEN DELETE
COPY customers TO STDOUT
COPY orders FROM STDIN
COPY orders FROM PROGRAM 'x'
COPY orders TO '/tmp/x'
BEGIN
SAVEPOINT s
COMMIT
SET search_path = public
SET LOCAL statement_timeout = 5
SET ROLE app
RESET ALL
DISCARD ALL
SHOW ALL
SHOW work_mem
LISTEN c
NOTIFY c, 'x'
LOCK TABLE orders
TRUNCATE orders
CREATE TABLE public.x (a int)
ALTER TABLE orders ADD COLUMN x int
DROP TABLE orders
DROP DATABASE shop
CREATE EXTENSION citext
CREATE ROLE y
GRANT SELECT ON orders TO y
REVOKE SELECT ON orders FROM y
COMMENT ON TABLE orders IS 'x'
ALTER SYSTEM SET work_mem = '1MB'
VACUUM orders
ANALYZE
DO $$ BEGIN END $$
CALL public.f()
PREPARE p AS SELECT 1
DEALLOCATE ALL
DECLARE c CURSOR FOR SELECT 1
CLOSE ALL
SET CONSTRAINTS ALL DEFERRED
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
CHECKPOINT
REFRESH MATERIALIZED VIEW public.m
CREATE PUBLICATION p
SELECT pg_terminate_backend(1)
SELECT set_config('work_mem', '1MB', true)
SELECT current_setting('work_mem')
;
-- ping
SELECT 1; SELECT ssn FROM customers"""


def read(sql: str) -> Statement:
    return analyse(sql, VIEW, SessionState()).statement()


@pytest.mark.parametrize("sql", STATEMENTS.split("\n"))
def test_whoever_may_do_everything_may_do_this(sql: str) -> None:
    statement = read(sql)
    assert statement.refusal is None, statement.refusal
    verdict = policy.evaluate(EVERYTHING, query(SAM, statement), NOW)
    assert verdict.effect is Effect.ALLOW, verdict.message


@pytest.mark.parametrize("sql", STATEMENTS.split("\n"))
def test_every_fact_can_be_named_in_a_policy(sql: str) -> None:
    statement = read(sql)
    assert set(statement.facts) <= {rule.name for rule in schema.SQL}
    for operation in statement.operations:
        assert set(operation.facts) <= {rule.name for rule in schema.facts_of(operation.action)}, operation


@pytest.mark.parametrize(
    "sql", ["DELETE FROM orders", "DELETE FROM orders WHERE true", "UPDATE orders SET what = 'x'"]
)
def test_a_change_without_a_where_is_refused(sql: str) -> None:
    assert policy.evaluate(SAMPLE, query(LOADER, read(sql)), NOW).policies == ("changes-need-a-where",)


def test_a_change_of_rows_that_it_names_is_not() -> None:
    verdict = policy.evaluate(SAMPLE, query(LOADER, read("DELETE FROM orders WHERE id = 1")), NOW)
    assert verdict.effect is Effect.ALLOW, verdict.message


def test_the_same_select_at_three_rungs() -> None:
    statement = read("SELECT ssn FROM customers WHERE id = 1")
    (ssn,) = (column for column in statement.disclosures if column.path[-1] == "ssn")
    shown = []
    for who in (SAM, LOADER, FRIDA):
        verdict = policy.evaluate(SAMPLE, query(who, statement), NOW)
        assert verdict.effect is Effect.ALLOW, verdict.message
        (masks,) = verdict.obligations
        assert isinstance(masks, MaskObligation)
        shown.append(masks.rungs[ssn])
    assert shown == [Rung.PARTIAL, Rung.TOKEN, Rung.RAW]


def test_looking_up_by_value_is_not_trying_values_out() -> None:
    allowed = "SELECT id FROM customers WHERE ssn = '078-05-1120' AND id = 1"
    tried = "SELECT id FROM customers WHERE ssn LIKE '078%' AND id = 1"
    assert policy.evaluate(SAMPLE, query(SAM, read(allowed)), NOW).effect is Effect.ALLOW
    assert policy.evaluate(SAMPLE, query(SAM, read(tried)), NOW).reason is Reason.NOT_PERMITTED
