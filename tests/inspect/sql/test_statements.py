"""Every statement of the grammar: its class and the operations it needs."""

from __future__ import annotations

import pglast.ast
import pytest

from narrows.inspect import sql
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.statements import STATEMENTS
from narrows.inspect.sql.tree import parse
from tests.inspect.sql.sample import analyse, operations, reason

NOT_ON_THEIR_OWN = {
    "RawStmt",  # the wrapper
    "ReturnStmt",  # inside a SQL function's body
    "PLAssignStmt",  # PL/pgSQL
    "SetOperationStmt",  # made by PostgreSQL's analysis
    "ReplicaIdentityStmt",  # inside ALTER TABLE
}

CASES: list[tuple[str, str, str]] = [
    # text, kind, operations ("action resource", separated by commas)
    ("SELECT 1", "select", "show leak"),
    ("SELECT id FROM orders", "select", "select public.orders"),
    ("SELECT 1 FROM orders x, victim y", "select", "select public.orders, select public.victim"),
    ("SELECT 1 FROM orders FOR UPDATE", "select", "select public.orders, lock public.orders"),
    (
        "SELECT 1 FROM orders o, victim v FOR SHARE OF v",
        "select",
        "select public.orders, select public.victim, lock public.victim",
    ),
    ("TABLE orders", "select", "select public.orders"),
    ("VALUES (1), (2)", "select", "show leak"),
    (
        "SELECT id FROM orders UNION SELECT id FROM victim EXCEPT SELECT 1",
        "select",
        "select public.orders, select public.victim",
    ),
    (
        "WITH x AS MATERIALIZED (DELETE FROM victim RETURNING 1) SELECT 1",
        "select",
        "delete public.victim, select public.victim",
    ),
    ("WITH x AS (SELECT 1) SELECT * FROM x", "select", "show leak"),
    (
        "SELECT x.id FROM orders AS x WHERE x.id IN (SELECT id FROM victim)",
        "select",
        "select public.orders, select public.victim",
    ),
    ("SELECT 1 INTO t FROM orders", "create_as", "create public.t, select public.orders"),
    ("CREATE TABLE t AS SELECT 1 FROM orders", "create_as", "create public.t, select public.orders"),
    ("CREATE TEMP TABLE t AS SELECT 1 FROM orders", "create_as", "create pg_temp.t, select public.orders"),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT ssn FROM customers",
        "create_as",
        "create public.m, select public.customers",
    ),
    ("INSERT INTO orders VALUES (1)", "insert", "insert public.orders"),
    ("INSERT INTO orders DEFAULT VALUES", "insert", "insert public.orders"),
    ("INSERT INTO orders SELECT id FROM victim", "insert", "insert public.orders, select public.victim"),
    ("INSERT INTO orders VALUES (1) RETURNING id", "insert", "insert public.orders, select public.orders"),
    ("INSERT INTO orders VALUES (1) ON CONFLICT DO NOTHING", "insert", "insert public.orders"),
    (
        "INSERT INTO orders AS o VALUES (1) ON CONFLICT (id) DO UPDATE SET amount=excluded.amount+o.amount",
        "insert",
        "insert public.orders, update public.orders",
    ),
    ("UPDATE orders SET amount=1", "update", "update public.orders"),
    (
        "UPDATE orders o SET amount=v.id FROM victim v WHERE v.id=o.id",
        "update",
        "update public.orders, select public.victim",
    ),
    ("DELETE FROM orders", "delete", "delete public.orders"),
    ("DELETE FROM orders USING victim", "delete", "delete public.orders, select public.victim"),
    (
        "MERGE INTO orders o USING victim v ON v.id=o.id WHEN MATCHED AND v.id>1 THEN DELETE "  # noqa: ISC004
        "WHEN MATCHED THEN UPDATE SET amount=1 WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id)",
        "merge",
        "delete public.orders, update public.orders, insert public.orders, select public.victim",
    ),
    ("TRUNCATE orders, victim", "truncate", "truncate public.orders, truncate public.victim"),
    ("LOCK TABLE orders", "lock", "lock public.orders"),
    ("COPY orders TO STDOUT", "copy", "select public.orders, export public.orders"),
    ("COPY (SELECT 1 FROM orders) TO STDOUT", "copy", "select public.orders, export public.orders"),
    (
        "COPY (DELETE FROM orders RETURNING 1) TO STDOUT",
        "copy",
        "delete public.orders, select public.orders, export public.orders",
    ),
    ("COPY orders FROM STDIN", "copy", "insert public.orders"),
    ("COPY orders FROM '/tmp/x'", "copy", "insert public.orders, server_file shop"),
    ("COPY orders FROM PROGRAM 'id'", "copy", "insert public.orders, server_program shop"),
    ("COPY orders TO '/tmp/x'", "copy", "select public.orders, export public.orders, server_file shop"),
    (
        "COPY orders TO PROGRAM 'cat'",
        "copy",
        "select public.orders, export public.orders, server_program shop",
    ),
    # definitions
    ("CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT 'x')", "create", "create public.t"),
    ("CREATE TABLE evil.t (a int)", "create", "create evil.t"),
    ("CREATE TEMP TABLE t (a int)", "create", "create pg_temp.t"),
    ("CREATE TABLE t (a int REFERENCES victim)", "create", "create public.t, select public.victim"),
    ("CREATE TABLE t (LIKE orders)", "create", "create public.t, select public.orders"),
    ("CREATE TABLE t () INHERITS (orders)", "create", "create public.t, alter public.orders"),
    ("CREATE TABLE t (a int DEFAULT full_price(1))", "create", "create public.t, call public.full_price"),
    (
        "CREATE TABLE t (a int CHECK (a > 1), b int GENERATED ALWAYS AS (a + 1) STORED)",
        "create",
        "create public.t",
    ),
    ("CREATE FOREIGN TABLE t (a int) SERVER s", "create", "create public.t"),
    ("CREATE VIEW v AS SELECT id FROM orders", "create", "create public.v, select public.orders"),
    (
        "CREATE OR REPLACE VIEW v_orders AS SELECT 1",
        "create",
        "create public.v_orders, alter public.v_orders",
    ),
    ("CREATE INDEX i ON orders (id)", "create", "alter public.orders"),
    ("CREATE INDEX CONCURRENTLY ON orders (lower(status)) WHERE id > 1", "create", "alter public.orders"),
    ("CREATE SEQUENCE s", "create", "create public.s"),
    ("CREATE STATISTICS s ON id, status FROM orders", "create", "alter public.orders"),
    (
        "CREATE TRIGGER t BEFORE INSERT ON orders EXECUTE FUNCTION audit_row()",
        "create",
        "alter public.orders, execute_code leak",
    ),
    (
        "CREATE RULE r AS ON UPDATE TO scratch DO ALSO DELETE FROM victim",
        "create",
        "alter public.scratch, execute_code leak, delete public.victim",
    ),
    ("CREATE POLICY p ON orders USING (id > 1)", "create", "alter public.orders"),
    (
        "ALTER POLICY p ON orders USING (id IN (SELECT id FROM victim))",
        "alter",
        "alter public.orders, select public.victim",
    ),
    ("ALTER TABLE orders ADD COLUMN x int", "alter", "alter public.orders"),
    ("ALTER TABLE orders DROP COLUMN status", "alter", "alter public.orders, drop public.orders"),
    ("ALTER TABLE orders OWNER TO bob", "alter", "alter public.orders, grant bob"),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES victim",
        "alter",
        "alter public.orders, select public.victim",
    ),
    ("ALTER TABLE orders INHERIT victim", "alter", "alter public.orders, alter public.victim"),
    (
        "ALTER TABLE events ATTACH PARTITION scratch DEFAULT",
        "alter",
        "alter public.events, alter public.scratch",
    ),
    ("ALTER TABLE orders REPLICA IDENTITY FULL", "alter", "alter public.orders"),
    ("ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b", "alter", "alter leak, configure_server shop"),
    ("ALTER VIEW v_orders RENAME TO w", "alter", "alter public.v_orders"),
    ("ALTER INDEX i RENAME TO j", "alter", "alter public.i"),
    ("ALTER SEQUENCE audit_log_id_seq RESTART", "alter", "alter public.audit_log_id_seq"),
    ("ALTER STATISTICS s SET STATISTICS 10", "alter", "alter public"),
    ("ALTER TABLE orders RENAME COLUMN status TO s", "alter", "alter public.orders"),
    ("ALTER TABLE orders RENAME CONSTRAINT a TO b", "alter", "alter public.orders"),
    ("ALTER TRIGGER t_audit ON customers RENAME TO x", "alter", "alter public.customers"),
    ("ALTER TABLE orders SET SCHEMA evil", "alter", "alter public.orders, create evil"),
    ("ALTER FUNCTION full_price(numeric) OWNER TO bob", "alter", "alter public.full_price, grant bob"),
    ("ALTER FUNCTION full_price(numeric) DEPENDS ON EXTENSION hstore", "alter", "alter public.full_price"),
    ("DROP TABLE victim, evil.scratch", "drop", "drop public.victim, drop evil.scratch"),
    ("DROP VIEW v_orders", "drop", "drop public.v_orders"),
    ("DROP INDEX i", "drop", "drop public.i"),
    ("DROP SCHEMA evil CASCADE", "drop", "drop evil"),
    ("DROP FUNCTION full_price(numeric)", "drop", "drop public.full_price"),
    ("DROP TYPE mood", "drop", "drop public"),
    ("DROP EXTENSION hstore", "drop", "drop leak"),
    ("DROP TRIGGER t_audit ON customers", "drop", "alter public.customers"),
    ("DROP RULE r ON scratch", "drop", "alter public.scratch"),
    ("DROP POLICY p ON orders", "drop", "alter public.orders"),
    ("DROP CAST (text AS int)", "drop", "drop leak"),
    ("DROP OPERATOR evil.+ (text, int)", "drop", "drop evil"),
    ("DROP ACCESS METHOD x", "drop", "drop leak"),
    ("DROP TRANSFORM FOR hstore LANGUAGE x", "drop", "drop leak"),
    ("COMMENT ON TABLE orders IS 'x'", "comment", "comment public.orders"),
    ("COMMENT ON COLUMN orders.id IS 'x'", "comment", "comment public.orders"),
    ("COMMENT ON DATABASE leak IS 'x'", "comment", "comment leak"),
    ("COMMENT ON ROLE bob IS 'x'", "comment", "comment bob"),
    ("SECURITY LABEL ON TABLE victim IS 'x'", "alter", "alter public.victim"),
    ("REFRESH MATERIALIZED VIEW mv_people", "refresh", "refresh public.mv_people"),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "create",
        "create public.f, execute_code leak",
    ),
    (
        "CREATE PROCEDURE evil.f() LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
        "create",
        "create evil.f, execute_code leak",
    ),
    (
        "ALTER FUNCTION full_price(numeric) SECURITY DEFINER",
        "alter",
        "alter public.full_price, execute_code leak",
    ),
    ("CREATE AGGREGATE a (int) (SFUNC=int4pl, STYPE=int)", "create", "create public.a, execute_code leak"),
    ("CREATE TYPE mood AS ENUM ('a')", "create", "create public"),
    ("CREATE TYPE t AS (a int)", "create", "create public"),
    ("CREATE TYPE t AS RANGE (SUBTYPE=int)", "create", "create public, execute_code leak"),
    (
        "CREATE DOMAIN d AS int CHECK (full_price(VALUE) > 1)",
        "create",
        "create public, call public.full_price",
    ),
    ("ALTER DOMAIN d ADD CHECK (full_price(VALUE) > 1)", "alter", "alter public, call public.full_price"),
    ("ALTER TYPE mood ADD VALUE 'b'", "alter", "alter public"),
    ("ALTER TYPE t SET (RECEIVE = x)", "alter", "alter public, execute_code leak"),
    ("ALTER TYPE t ADD ATTRIBUTE b int", "alter", "alter public.t"),
    ("ALTER COLLATION c REFRESH VERSION", "alter", "alter public"),
    ("CREATE COLLATION c (locale='C')", "create", "create public"),
    ("CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM f", "create", "create public, execute_code leak"),
    (
        "CREATE OPERATOR CLASS c FOR TYPE int USING btree AS STORAGE int",
        "create",
        "create public, execute_code leak",
    ),
    ("CREATE OPERATOR FAMILY f USING btree", "create", "create public"),
    (
        "ALTER OPERATOR FAMILY f USING btree DROP OPERATOR 1 (int, int)",
        "alter",
        "alter public, execute_code leak",
    ),
    ("ALTER OPERATOR evil.+ (text, int) SET (RESTRICT = NONE)", "alter", "alter evil, execute_code leak"),
    ("ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR word", "alter", "alter public"),
    ("ALTER TEXT SEARCH DICTIONARY d (a = b)", "alter", "alter public"),
    ("CREATE SCHEMA s AUTHORIZATION bob", "create", "create s"),
    ("CREATE CAST (text AS int) WITHOUT FUNCTION", "create", "create leak, execute_code leak"),
    (
        "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION f(internal))",
        "create",
        "create leak, execute_code leak",
    ),
    ("CREATE ACCESS METHOD a TYPE INDEX HANDLER h", "create", "create leak, execute_code leak"),
    ("CREATE LANGUAGE plperl", "create", "create leak, execute_code leak"),
    ("CREATE LANGUAGE x HANDLER h", "create", "create leak, execute_code leak"),
    (
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        "create",
        "create leak, execute_code leak",
    ),
    ("ALTER EVENT TRIGGER e DISABLE", "alter", "alter leak, execute_code leak"),
    ("CREATE EXTENSION dblink", "create", "create leak, execute_code leak"),
    ("ALTER EXTENSION dblink UPDATE", "alter", "alter leak, execute_code leak"),
    ("ALTER EXTENSION dblink DROP FUNCTION f()", "alter", "alter leak, execute_code leak"),
    ("CREATE FOREIGN DATA WRAPPER w", "create", "create leak, execute_code leak, configure_server shop"),
    (
        "ALTER FOREIGN DATA WRAPPER w OPTIONS (a 'b')",
        "alter",
        "alter leak, execute_code leak, configure_server shop",
    ),
    ("CREATE SERVER s FOREIGN DATA WRAPPER w", "create", "create leak, configure_server shop"),
    ("ALTER SERVER s OPTIONS (a 'b')", "alter", "alter leak, configure_server shop"),
    ("CREATE USER MAPPING FOR bob SERVER s", "create", "create leak, configure_server shop"),
    ("ALTER USER MAPPING FOR bob SERVER s OPTIONS (a 'b')", "alter", "alter leak, configure_server shop"),
    ("DROP USER MAPPING FOR bob SERVER s", "drop", "drop leak, configure_server shop"),
    ("IMPORT FOREIGN SCHEMA x FROM SERVER s INTO public", "create", "create leak, configure_server shop"),
    ("CREATE PUBLICATION p FOR TABLE orders", "create", "create leak, replicate shop, export public.orders"),
    ("ALTER PUBLICATION p ADD TABLE orders", "alter", "alter leak, replicate shop, export public.orders"),
    ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "create", "create leak, replicate shop"),
    ("ALTER SUBSCRIPTION s DISABLE", "alter", "alter leak, replicate shop"),
    ("DROP SUBSCRIPTION s", "drop", "drop leak, replicate shop"),
    # databases, the server, roles
    ("CREATE DATABASE d", "create", "create d"),
    ("DROP DATABASE leak", "drop", "drop leak"),
    ("ALTER DATABASE d CONNECTION LIMIT 1", "alter", "alter d"),
    ("ALTER DATABASE d REFRESH COLLATION VERSION", "alter", "alter d"),
    ("ALTER DATABASE d SET work_mem='1MB'", "alter", "alter d"),
    ("CREATE TABLESPACE t LOCATION '/x'", "create", "create shop, server_file leak"),
    ("ALTER TABLESPACE t SET (seq_page_cost=1)", "alter", "alter shop"),
    ("DROP TABLESPACE t", "drop", "drop shop"),
    ("ALTER SYSTEM SET work_mem='1MB'", "server", "configure_server shop"),
    ("CHECKPOINT", "server", "configure_server shop"),
    ("LOAD 'x'", "load", "server_file shop, execute_code leak"),
    ("CREATE ROLE bob LOGIN", "create", "create bob, grant bob"),
    ("CREATE USER bob", "create", "create bob, grant bob"),
    ("ALTER ROLE bob SUPERUSER", "alter", "alter bob"),
    ("ALTER ROLE bob SET work_mem='1MB'", "alter", "alter bob"),
    ("ALTER ROLE ALL SET work_mem='1MB'", "alter", "configure_server shop"),
    ("ALTER ROLE bob RENAME TO rob", "alter", "alter bob"),
    ("ALTER GROUP bob ADD USER rob", "alter", "alter bob"),
    ("DROP ROLE bob, rob", "drop", "drop bob, drop rob"),
    ("GRANT SELECT ON orders, evil.scratch TO bob", "grant", "grant public.orders, grant evil.scratch"),
    ("REVOKE SELECT ON orders FROM bob", "revoke", "revoke public.orders"),
    ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO bob", "grant", "grant public"),
    ("GRANT EXECUTE ON FUNCTION full_price(numeric) TO bob", "grant", "grant public.full_price"),
    ("GRANT USAGE ON SCHEMA evil TO bob", "grant", "grant evil"),
    ("GRANT CONNECT ON DATABASE leak TO bob", "grant", "grant leak"),
    ("GRANT SET ON PARAMETER work_mem TO bob", "grant", "grant shop"),
    ("GRANT admins TO bob", "grant", "grant admins"),
    ("REVOKE admins FROM bob", "revoke", "revoke admins"),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob", "alter", "grant leak"),
    ("DROP OWNED BY bob", "drop", "drop leak, grant bob"),
    ("REASSIGN OWNED BY bob TO rob", "alter", "alter leak, grant bob, grant rob"),
    # upkeep
    ("VACUUM", "maintain", "maintain leak"),
    ("VACUUM (FULL, ANALYZE) orders", "maintain", "maintain public.orders"),
    ("ANALYZE orders (id)", "maintain", "maintain public.orders"),
    ("CLUSTER orders USING orders_pkey", "maintain", "maintain public.orders"),
    ("REINDEX TABLE orders", "maintain", "maintain public.orders"),
    ("REINDEX DATABASE leak", "maintain", "maintain leak"),
    # code
    ("DO 'BEGIN END'", "do", "execute_code leak"),
    ("CALL proc_out('x')", "call", "call public.proc_out"),
    ("SELECT full_price(1)", "select", "call public.full_price"),
    ("SELECT get_ssn(1)", "select", "call public.get_ssn"),
    ("SELECT unheard_of(1)", "select", "call public.unheard_of"),
    ("SELECT evil.unheard_of(1)", "select", "call evil.unheard_of"),
    ("SELECT lower('x'), pg_catalog.upper('x'), now(), count(*)", "select", "show leak"),
    ("SELECT nextval('audit_log_id_seq')", "select", "update public.audit_log_id_seq"),
    ("SELECT setval('public.\"audit_log_id_seq\"'::regclass, 1)", "select", "update public.audit_log_id_seq"),
    ("SELECT nextval($1)", "select", "update public"),
    ("SELECT pg_terminate_backend(1)", "select", "terminate shop"),
    ("SELECT pg_read_file('/etc/passwd')", "select", "server_file shop"),
    ("SELECT lo_import('/etc/passwd')", "select", "server_file shop"),
    (
        "SELECT lo_create(1), lo_unlink(1)",
        "select",
        "insert pg_catalog.pg_largeobject, delete pg_catalog.pg_largeobject",
    ),
    ("SELECT pg_reload_conf()", "select", "configure_server shop"),
    ("SELECT pg_advisory_lock(1)", "select", "lock leak"),
    ("SELECT pg_notify('a', 'b')", "select", "notify leak"),
    ("SELECT pg_create_logical_replication_slot('a', 'b')", "select", "replicate shop"),
    ("SELECT pg_stat_reset()", "select", "maintain leak"),
    ("SELECT pg_sleep(1)", "select", "show leak"),
    ("SELECT current_setting('app.tenant')", "select", "show leak"),
    # statements about statements
    ("EXPLAIN SELECT 1 FROM orders", "explain", "explain public.orders"),
    ("EXPLAIN DELETE FROM orders", "explain", "explain public.orders"),
    ("EXPLAIN (ANALYZE off) DELETE FROM orders", "explain", "explain public.orders"),
    ("EXPLAIN ANALYSE DELETE FROM orders", "explain", "explain public.orders, delete public.orders"),
    (
        "EXPLAIN (ANALYZE, BUFFERS) UPDATE orders SET id=1",
        "explain",
        "explain public.orders, update public.orders",
    ),
    ("EXPLAIN SELECT full_price(1)", "explain", "explain leak, call public.full_price"),
    ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "explain", "explain leak, create public.t"),
    ("PREPARE p AS DELETE FROM orders", "prepare", "delete public.orders"),
    ("DEALLOCATE p", "deallocate", "configure leak"),
    ("DECLARE c CURSOR FOR SELECT 1 FROM orders", "declare", "select public.orders"),
    ("CLOSE c", "close", "transact leak"),
    # the session
    ("SET work_mem = '1MB'", "set", "configure leak"),
    ("SET search_path = a, b", "set", "configure leak"),
    ("SET ROLE bob", "set", "assume_role bob"),
    ("SET ROLE NONE", "set", "configure leak"),
    ("RESET ROLE", "set", "configure leak"),
    ("SET SESSION AUTHORIZATION bob", "set", "assume_role bob"),
    ("SET log_statement = 'none'", "set", "configure_server shop"),
    ("SET session_replication_role = replica", "set", "configure_server shop"),
    ("SET TIME ZONE 'UTC'", "set", "configure leak"),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "set", "transact leak"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "set", "configure leak"),
    ("RESET ALL", "set", "configure leak"),
    ("SHOW search_path", "show", "show leak"),
    ("DISCARD ALL", "discard", "configure leak"),
    ("BEGIN", "transaction", "transact leak"),
    ("START TRANSACTION READ ONLY", "transaction", "transact leak"),
    ("COMMIT AND CHAIN", "transaction", "transact leak"),
    ("ROLLBACK TO a", "transaction", "transact leak"),
    ("PREPARE TRANSACTION 'x'", "transaction", "transact leak"),
    ("COMMIT PREPARED 'x'", "transaction", "transact leak"),
    ("SET CONSTRAINTS ALL DEFERRED", "transaction", "transact leak"),
    ("LISTEN a", "listen", "listen leak"),
    ("UNLISTEN *", "listen", "listen leak"),
    ("NOTIFY a, 'b'", "notify", "notify leak"),
]


@pytest.mark.parametrize(("text", "kind", "expected"), CASES)
def test_a_statement_needs_exactly_these_operations(text: str, kind: str, expected: str) -> None:
    analysis = analyse(text)
    assert reason(analysis) is None, analysis.refusal
    assert analysis.kind == kind
    assert operations(analysis) == set(expected.split(", "))


def test_every_statement_of_the_grammar_has_a_row_and_a_case() -> None:
    grammar = {name for name in vars(pglast.ast) if name.endswith("Stmt")} - NOT_ON_THEIR_OWN
    assert grammar == STATEMENTS.keys()
    shown = {parsed.type for text, _, _ in CASES for parsed in parse(text, sql.LIMITS)}
    assert grammar - shown <= {"ExecuteStmt", "FetchStmt"}


def test_execute_and_fetch_need_what_they_run() -> None:
    prepared = analyse("PREPARE p AS DELETE FROM orders RETURNING id").parts[0].effects[0]
    declared = analyse("DECLARE c CURSOR FOR SELECT ssn FROM customers").parts[0].effects[0]
    assert isinstance(prepared, sql.PrepareStatement)
    assert isinstance(declared, sql.DeclareCursor)
    state = sql.SessionState(prepared={"p": prepared.inner}, cursors={"c": declared.inner})
    assert operations(analyse("EXECUTE p", state)) == {"delete public.orders", "select public.orders"}
    assert operations(analyse("FETCH ALL FROM c", state)) == {"select public.customers"}
    assert analyse("FETCH ALL FROM c", state).reach.columns
    assert operations(analyse("EXPLAIN ANALYZE EXECUTE p", state)) >= {"delete public.orders"}
    assert reason(analyse("EXECUTE nobody", state)) == "EFFECT_UNDECIDED"
    assert analyse("EXECUTE nobody", state).refusal.sqlstate == "26000"  # type: ignore[union-attr]
    assert analyse("FETCH nobody", state).refusal.sqlstate == "34000"  # type: ignore[union-attr]


def test_execute_resolves_names_under_the_facts_that_hold_then() -> None:
    prepared = analyse("PREPARE p AS SELECT * FROM scratch").parts[0].effects[0]
    assert isinstance(prepared, sql.PrepareStatement)
    state = sql.SessionState(sql.SessionFacts(search_path=("evil",)), {"p": prepared.inner})
    assert operations(analyse("EXECUTE p", state)) == {"select evil.scratch"}


def test_a_protocol_level_prepared_statement_can_be_executed_by_sql() -> None:
    inner = analyse("SELECT id FROM orders WHERE id=$1").parts[0]
    assert operations(analyse("EXECUTE s(1)", sql.SessionState(prepared={"s": inner}))) == {
        "select public.orders"
    }


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("SELECT 1", {"returns_rows", "takes_snapshot"}),
        ("INSERT INTO orders VALUES (1)", {"takes_snapshot"}),
        ("INSERT INTO orders VALUES (1) RETURNING 1", {"takes_snapshot", "returns_rows"}),
        ("BEGIN", {"is_transaction_control"}),
        ("SAVEPOINT a", {"is_transaction_control"}),
        ("COMMIT", {"is_transaction_control", "is_barrier"}),
        ("SET search_path = a", {"is_barrier"}),
        ("SET work_mem = '1MB'", set()),
        ("SHOW search_path", {"returns_rows"}),
        ("CREATE TABLE t (a int)", {"takes_snapshot", "changes_schema", "is_barrier"}),
        ("DO 'BEGIN END'", {"takes_snapshot", "changes_schema", "is_barrier", "may_change_session"}),
        ("SELECT get_ssn(1)", {"takes_snapshot", "returns_rows", "may_change_session"}),
        ("SELECT full_price(1)", {"takes_snapshot", "returns_rows"}),
        ("VACUUM orders", {"takes_snapshot", "has_own_transaction"}),
        ("PREPARE p AS SELECT 1", {"takes_snapshot", "is_barrier"}),
        ("LOCK TABLE orders", set()),
    ],
)
def test_what_the_relay_must_know_of_a_statement(text: str, flags: set[str]) -> None:
    part = analyse(text).parts[0]
    names = listed(
        """
        returns_rows takes_snapshot changes_schema is_barrier is_transaction_control has_own_transaction
        may_change_session
        """
    )
    assert {name for name in names if getattr(part, name)} == flags
