"""Everyday statements pass and are clean; what leaks on a direct connection is seen for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from narrows.inspect import sql
from tests.inspect.sql.sample import analyse, marks, operations

_HERE = Path(__file__).parent
HARMLESS = [(case["id"], case["sql"]) for case in yaml.safe_load((_HERE / "harmless.yaml").read_text())]
CLIENTS = yaml.safe_load((_HERE / "clients.yaml").read_text())


@pytest.mark.parametrize(("id_", "text"), HARMLESS)
def test_everyday_statements_are_clean(id_: str, text: str) -> None:
    assert marks(analyse(text)) == "-"


@pytest.mark.parametrize(
    "text", [text for client in ("psql", "pg_dump", "drivers") for text in CLIENTS[client]]
)
def test_what_clients_send_by_themselves_is_clean(text: str) -> None:
    assert marks(analyse(text)) == "-"


@pytest.mark.parametrize("text", CLIENTS["unknown"])
def test_what_shows_definitions_is_unknown_and_not_refused(text: str) -> None:
    assert marks(analyse(text)) == "u"


DERIVED = """
SELECT concat_ws('|',id,ssn) FROM customers WHERE id=1
SELECT md5(ssn) FROM customers WHERE id=1
SELECT array_agg(ssn) FROM customers WHERE id<3
SELECT to_jsonb(c)->>'ssn' FROM customers c WHERE id=1
SELECT xmlforest(ssn,email) FROM customers WHERE id=1
SELECT (regexp_matches(ssn,'[0-9]','g'))[1] FROM customers WHERE id=1
SELECT ascii(substr(ssn,g,1)) FROM customers, generate_series(1,11) g WHERE id=1
SELECT greatest(ssn,'0') FROM customers WHERE id=1
SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers WHERE id=1
SELECT salary*2 FROM payroll WHERE emp_id=1
SELECT band || 'x' FROM payroll WHERE emp_id=1
SELECT ssn || '' FROM kyc
SELECT ssn || '' FROM customers_old
SELECT upper(cust_email) FROM events_2023
SELECT ssn IS NOT NULL AND ssn > '5' FROM customers WHERE id=1
SELECT CASE WHEN vip THEN ssn END FROM customers
SELECT CASE WHEN ssn > '5' THEN 1 ELSE 2 END FROM customers
SELECT (SELECT ssn FROM customers WHERE id=1)
SELECT ARRAY(SELECT ssn FROM customers)
SELECT u FROM customers c, unnest(ARRAY[c.ssn,c.card]) u WHERE id=1
SELECT name FROM customers WHERE id=99 UNION ALL SELECT ssn FROM customers WHERE id=1
SELECT 'a' UNION SELECT ssn FROM customers WHERE id=1
SELECT lag(ssn,0) OVER (ORDER BY id) FROM customers WHERE id=1
SELECT id, rank() OVER (ORDER BY ssn) FROM customers ORDER BY id
SELECT count(*) OVER w FROM customers WINDOW w AS (PARTITION BY ssn)
SELECT c FROM customers c WHERE id=1
SELECT customers FROM customers WHERE id=1
SELECT (c).* FROM (SELECT c FROM customers c WHERE id=1) s
SELECT c::text FROM customers c WHERE id=1
SELECT array_agg(c)::text FROM customers c WHERE id=1
SELECT c.row_to_json FROM customers c
SELECT row(c.*) FROM customers c
SELECT x+1 FROM (SELECT dob AS x FROM customers) s
SELECT upper(b) FROM (SELECT a AS b FROM (SELECT ssn AS a FROM customers) x) y
SELECT upper(t.d) FROM customers AS t(a,b,c,d)
WITH x(a) AS (SELECT ssn FROM customers) SELECT a || '!' FROM x
WITH RECURSIVE r(i,v) AS (SELECT 1, ''::text UNION ALL SELECT i+1, v||(SELECT ssn FROM customers WHERE id=1) FROM r WHERE i<3) SELECT v FROM r
SELECT * FROM customers NATURAL JOIN kyc WHERE customers.id=1
SELECT j.ssn FROM (customers JOIN kyc USING (ssn)) j
SELECT ssn FROM customers FULL JOIN kyc USING (ssn)
SELECT data#>>'{contact,email}' FROM profiles WHERE cust_id=1
SELECT value FROM profiles, jsonb_each(data) WHERE cust_id=1
SELECT emails[1] FROM profiles WHERE cust_id=1
SELECT y.s FROM profiles, xmltable('/a' passing xmlelement(name a, data->>'ssn') columns s text path '.') y
SELECT dob IS NULL, count(*) FROM customers GROUP BY 1
SELECT min(dob), max(ssn) FROM customers
SELECT count(DISTINCT ssn) FROM customers
SELECT json_object('k': ssn) FROM customers
SELECT ssn COLLATE "C" FROM customers
SELECT v FROM (VALUES ((SELECT ssn FROM customers WHERE id=1))) t(v)
SELECT ntile(10) OVER (ORDER BY salary), name FROM payroll
UPDATE customers SET email=lower(email) WHERE id=1
DELETE FROM orders o USING customers c WHERE c.id=1 AND o.customer_id=1 RETURNING c
INSERT INTO customers(id,name,email) VALUES (1,'x','y') ON CONFLICT (id) DO UPDATE SET vip=true RETURNING upper(ssn)
""".strip().splitlines()


@pytest.mark.parametrize("text", DERIVED)
def test_any_use_of_a_labelled_value_but_as_an_output_column_is_derived(text: str) -> None:
    assert marks(analyse(text)) == "d"


DIRECT = """
SELECT ssn FROM customers WHERE id=1
SELECT * FROM customers
SELECT c.* FROM customers c
SELECT U&"\\0073\\0073\\006e" FROM customers WHERE id=1
SELECT t.e FROM customers AS t(a,b,c,d,e,f) WHERE a=1
SELECT x FROM (SELECT ssn FROM customers WHERE id=1) AS s(x)
SELECT ssn/**/FROM/**/customers/**/WHERE/**/id=1
SELECT (c).ssn FROM customers c WHERE id=1
WITH x(a) AS (SELECT ssn FROM customers WHERE id=1), y AS (SELECT a AS b FROM x) SELECT b FROM y
WITH customers AS (SELECT ssn AS name FROM public.customers WHERE id=1) SELECT name FROM customers
SELECT l.v FROM customers c, LATERAL (SELECT c.ssn AS v) l WHERE c.id=1
SELECT c.ssn FROM customers c LEFT JOIN orders o ON o.customer_id=c.id
SELECT band FROM payroll
UPDATE customers SET vip=vip WHERE id=1 RETURNING ssn
WITH d AS (DELETE FROM kyc WHERE id=1 RETURNING *) SELECT d.ssn AS x FROM d
TABLE customers
""".strip().splitlines()


@pytest.mark.parametrize("text", DIRECT)
def test_a_plain_output_column_is_left_to_the_row_description(text: str) -> None:
    analysis = analyse(text)
    assert marks(analysis) == "-"
    assert analysis.reach.columns


UNKNOWN = """
SELECT get_ssn(1)
SELECT * FROM all_customers() WHERE id=1
SELECT evil.length(ssn) FROM customers WHERE id=1
SELECT ssn OPERATOR(evil.+) 1 FROM customers WHERE id=1
SELECT a FROM nowhere
SELECT c.secret_of FROM customers c WHERE id=1
SELECT (c).secret_of FROM customers c WHERE id=1
SELECT name::mood FROM customers
SELECT name::evil.text FROM customers
SELECT no_such_column FROM customers
SELECT stavalues1 FROM pg_statistic WHERE starelid='customers'::regclass
SELECT histogram_bounds::text FROM pg_stats
SELECT query FROM pg_stat_activity
SELECT * FROM pg_stat_activity
SELECT s FROM pg_stat_activity s
SELECT definition FROM pg_views
SELECT ev_action FROM pg_rewrite
SELECT * FROM information_schema.views
SELECT data FROM pg_largeobject
SELECT lo_get(1)
SELECT pg_get_viewdef('v_const'::regclass)
DO 'BEGIN END'
CALL proc_out('')
SHOW ALL
""".strip().splitlines()


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_not_known_reaches_every_labelled_column(text: str) -> None:
    analysis = analyse(text)
    assert "u" in marks(analysis)
    assert {column.path[3] for column in analysis.reach.columns} >= {
        "customers",
        "payroll",
        "profiles",
        "events",
    }


LAUNDERING = """
UPDATE orders SET status=(SELECT ssn FROM customers WHERE id=1) WHERE id=1
UPDATE customers SET name=ssn WHERE id=1
UPDATE customers SET email=ssn WHERE id=1
UPDATE orders SET (status, amount) = (SELECT ssn, 1 FROM customers) WHERE id=1
INSERT INTO scratch(k) VALUES ((SELECT ssn FROM customers WHERE id=1))
INSERT INTO scratch SELECT 'a', upper(ssn) FROM customers
INSERT INTO scratch TABLE v_contacts
WITH u AS (UPDATE orders o SET status=c.ssn FROM customers c WHERE o.id=1 RETURNING o.status) TABLE u
MERGE INTO scratch s USING customers c ON false WHEN NOT MATCHED THEN INSERT VALUES (c.name,c.ssn)
INSERT INTO customers(id,name) VALUES (1,'x') ON CONFLICT (id) DO UPDATE SET name=excluded.ssn
CREATE TABLE t AS SELECT ssn FROM customers
CREATE TABLE t AS SELECT upper(ssn) AS x FROM customers
SELECT ssn INTO t FROM customers
ALTER TABLE customers RENAME COLUMN ssn TO nick
ALTER TABLE customers RENAME TO people
ALTER SCHEMA public RENAME TO other
ALTER TABLE customers SET SCHEMA evil
ALTER TABLE events DETACH PARTITION events_2023
ALTER TABLE customers_old NO INHERIT customers
ALTER TABLE customers ADD COLUMN gx text GENERATED ALWAYS AS (ssn||'') STORED
ALTER TABLE customers ALTER phone TYPE int USING ssn::int
SELECT set_config('my.x',ssn,false) FROM customers
SELECT setval('audit_log_id_seq',replace(ssn,'-','')::bigint) FROM customers
SELECT pg_advisory_lock(replace(ssn,'-','')::bigint) FROM customers
SELECT lo_from_bytea(1,(SELECT ssn::bytea FROM customers WHERE id=1))
SELECT pg_notify('ch',ssn) FROM customers
SELECT pg_sleep(salary_k) FROM payroll
SELECT id FROM orders LIMIT (SELECT salary_k/2 FROM payroll WHERE emp_id=1)
COPY customers TO '/tmp/x'
COPY (SELECT upper(ssn) FROM customers) TO PROGRAM 'cat'
SELECT query_to_xml('SELECT 1',true,true,'')
SELECT ts_rewrite('a'::tsquery,'SELECT 1')
UPDATE pg_settings SET setting='off' WHERE name='row_security'
""".strip().splitlines()


@pytest.mark.parametrize("text", LAUNDERING)
def test_labelled_values_do_not_go_where_no_label_follows_them(text: str) -> None:
    analysis = analyse(text)
    assert marks(analysis) in ("EFFECT_UNDECIDED", "UNSUPPORTED")
    assert analysis.parts == ()


def test_a_value_may_go_where_the_same_label_stands() -> None:
    assert marks(analyse("INSERT INTO customers(id,name,ssn) SELECT id,doc,ssn FROM kyc")) == "d"


def test_a_temporary_copy_is_remembered_column_by_column() -> None:
    tracker = sql.FactTracker()
    for text in (
        "CREATE TEMP TABLE t AS SELECT ssn AS a, id AS b FROM customers",
        "CREATE TEMP TABLE u AS SELECT 1 AS a",
    ):
        tracker.apply(analyse(text).parts[0].effects)
    state = sql.SessionState(tracker.facts)
    assert operations(analyse("SELECT 1 FROM t WHERE a='x'", state)) == {
        "filter public.customers.ssn constant",
        "select pg_temp.t",
    }
    assert operations(analyse("SELECT b FROM t WHERE b=1", state)) == {"select pg_temp.t"}
    assert operations(analyse("SELECT 1 FROM u WHERE a='x'", state)) == {"select pg_temp.u"}
    assert marks(analyse("INSERT INTO scratch SELECT a, a FROM t", state)) == "EFFECT_UNDECIDED"
    assert marks(analyse("INSERT INTO scratch SELECT b, b FROM t", state)) == "-"
    assert marks(analyse("UPDATE u SET a = a + 1", state)) == "-"
