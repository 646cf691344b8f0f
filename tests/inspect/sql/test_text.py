"""Texts as a whole: batches, limits, hostile texts, and the secrets that must not be written down."""

from __future__ import annotations

import pickle

import pytest

from narrows.inspect import sql
from tests.inspect.sql.sample import VIEW, analyse, marks, operations, reason

MIXED = """
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT f()
CREATE SCHEMA s; CREATE TABLE s.t (a int)
CREATE TYPE mood AS ENUM ('a'); SELECT name::mood FROM orders, scratch
CREATE RULE r AS ON UPDATE TO scratch DO ALSO DELETE FROM victim; UPDATE scratch SET k='c'
SET search_path = evil; SELECT * FROM scratch
SET ROLE bob; DELETE FROM victim
SELECT set_config('search_path', 'evil', false); SELECT * FROM scratch
RESET ALL; SELECT * FROM scratch
DO 'BEGIN END'; SELECT * FROM scratch
SELECT run_sql('x'); SELECT * FROM scratch
CALL proc_out('x'); SELECT * FROM scratch
BEGIN; CREATE TABLE t (a int); COMMIT; TABLE t
CREATE EXTENSION hstore; SELECT * FROM orders
BEGIN; CREATE OR REPLACE VIEW v_contacts AS SELECT 1 AS id; ROLLBACK; SELECT * FROM v_contacts
BEGIN; CREATE OR REPLACE VIEW v_orders AS SELECT ssn AS name FROM customers; COMMIT; SELECT * FROM v_orders
""".strip().splitlines()


TOLD = """
CREATE TABLE t (a int); SELECT a FROM t -> -
CREATE TABLE t (a int); INSERT INTO t VALUES (1) -> -
CREATE TEMP TABLE customers AS SELECT name AS ssn FROM public.customers; SELECT ssn FROM customers -> -
CREATE TEMP TABLE t AS SELECT ssn AS a FROM customers; SELECT a FROM t -> customers.ssn
CREATE TEMP TABLE t(a text); INSERT INTO t SELECT ssn FROM customers; SELECT a FROM t -> customers.ssn
ALTER TABLE victim RENAME TO v2; SELECT v FROM v2 -> -
ALTER TABLE scratch ADD COLUMN x text; SELECT x FROM scratch -> -
CREATE VIEW v AS SELECT 1 AS a; SELECT a FROM v -> -
CREATE OR REPLACE VIEW v_orders AS SELECT id, ssn AS name FROM customers; SELECT name FROM v_orders -> customers.ssn
CREATE TABLE kids() INHERITS (customers); INSERT INTO kids SELECT * FROM customers; SELECT ssn FROM kids -> customers.ssn
DROP TABLE IF EXISTS scratch; CREATE TABLE scratch(k int); SELECT k FROM scratch -> -
""".strip().splitlines()


@pytest.mark.parametrize("line", TOLD)
def test_what_an_earlier_statement_of_the_same_text_made_is_known(line: str) -> None:
    text, taint = line.split(" -> ")
    analysis = analyse(text)
    assert analysis.refusal is None, analysis.refusal
    outputs = analysis.parts[-1].reach.outputs or ()
    carried = {".".join(column.path[3:]) for output in outputs for column in output.columns}
    assert carried == set(taint.strip("-").split())
    assert not any(output.is_undecided for output in outputs)


@pytest.mark.parametrize("text", MIXED)
def test_a_statement_that_depends_on_an_earlier_one_of_the_same_text_is_refused(text: str) -> None:
    assert reason(analyse(text)) == "MIXED_BATCH"


TOGETHER = """
BEGIN; UPDATE orders SET amount=1 WHERE id=1; COMMIT
SELECT 1; SELECT 2;;
SET CONSTRAINTS ALL DEFERRED; DELETE FROM orders
SET work_mem = '1MB'; SELECT * FROM orders
SET LOCAL statement_timeout = 1; SELECT * FROM orders
CREATE TABLE t (a int); SELECT * FROM orders
DROP TABLE victim; DROP TABLE scratch
CREATE TABLE t (a int); CREATE TABLE u (a int)
CREATE INDEX i ON orders (id); SELECT * FROM orders
TRUNCATE scratch; INSERT INTO scratch VALUES ('a')
SET search_path = evil; SET search_path = public
PREPARE q(int) AS SELECT name FROM customers WHERE id=$1; EXECUTE q(1); DEALLOCATE q
BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers; FETCH 5 FROM c; MOVE 1 FROM c; CLOSE c; COMMIT
DO 'BEGIN END'; COMMIT
""".strip().splitlines()


@pytest.mark.parametrize("text", TOGETHER)
def test_statements_that_do_not_depend_on_one_another_may_come_together(text: str) -> None:
    assert reason(analyse(text)) is None


def test_one_refused_statement_refuses_the_whole_text() -> None:
    analysis = analyse("DELETE FROM victim; SELECT query_to_xml('x', true, true, '')")
    assert reason(analysis) == "EFFECT_UNDECIDED"
    assert analysis.statement().operations == ()
    assert analysis.statement().refusal is analysis.refusal


def test_the_parts_are_slices_of_the_text() -> None:
    parts = analyse("SELECT 'é; ' ; -- c\n SELECT 2;").parts
    assert [part.text.strip() for part in parts] == ["SELECT 'é; '", "SELECT 2"]


EVASIONS = [
    ("drop/**/table/**/victim", {"drop public.victim"}),
    ('DROP TABLE U&"\\0076ictim"', {"drop public.victim"}),
    (";;;DROP TABLE victim", {"drop public.victim"}),
    ("SELECT ';';DROP TABLE victim--';", {"drop public.victim", "show leak"}),
    ("SELECT $a$;$a$;DROP TABLE victim", {"drop public.victim", "show leak"}),
    ("SELECT a$b$ FROM victim", {"select public.victim"}),
    ("-- x\rDROP TABLE victim", {"drop public.victim"}),
    ("SELECT E'\\'; DROP TABLE nope; --'; DROP TABLE victim", {"drop public.victim", "show leak"}),
    ("SELECT 'a'\n'b'; DROP TABLE victim", {"drop public.victim", "show leak"}),
    ("/* /* */ DROP TABLE orders; */ DROP TABLE victim", {"drop public.victim"}),
    ("SELECT 1 FROM orders x, victim y", {"select public.orders", "select public.victim"}),
    ("EXPLAIN ANALYSE DELETE FROM victim", {"explain public.victim", "delete public.victim"}),
    ("WITH x AS MATERIALIZED (DELETE FROM victim) SELECT 1", {"delete public.victim"}),
    ("EXPLAIN SELECT 1; DELETE FROM victim", {"explain leak", "delete public.victim"}),
    ("SELECT 1 FROM ONLY (victim)", {"select public.victim"}),
    ("SELECT 1 FROM ROWS FROM (full_price(1))", {"call public.full_price"}),
    ("SELECT 1 ORDER BY get_ssn(1)", {"call public.get_ssn"}),
    ("SELECT 1 LIMIT (SELECT count(*) FROM victim)", {"select public.victim"}),
    ("VALUES ((SELECT count(*) FROM victim))", {"select public.victim"}),
]


@pytest.mark.parametrize(("text", "expected"), EVASIONS)
def test_what_the_lexer_of_a_lesser_gateway_would_miss(text: str, expected: set[str]) -> None:
    assert operations(analyse(text)) == expected


def test_a_text_of_nothing_is_empty_and_passes() -> None:
    for text in ("", ";;", "-- x", " /* x */ "):
        analysis = analyse(text)
        assert (analysis.parts, analysis.refusal, analysis.kind) == ((), None, "empty")


HOSTILE = [
    ("select 1\0; drop table victim", "NUL_BYTE"),
    ("select 1 \udcff", "UNPARSABLE"),
    ("selec 1", "UNPARSABLE"),
    ("SELECT 'a\\' , ssn , \\'b' FROM customers", "UNPARSABLE"),
    ("IDENTIFY_SYSTEM", "UNPARSABLE"),
    ("SELECT " + "(" * 3000 + "1" + ")" * 3000, None),
    ("SELECT " + "(" * 100_000 + "1" + ")" * 100_000, "TOO_COMPLEX"),
    ("SELECT " + "NOT " * 3000 + "true", "TOO_COMPLEX"),
    ("SELECT " + "1+" * 3000 + "1", "TOO_COMPLEX"),
    ("SELECT " + "(SELECT " * 1000 + "1" + ")" * 1000, "TOO_COMPLEX"),
    (" UNION ALL ".join(["SELECT 1"] * 3000), "TOO_COMPLEX"),
    ("SELECT 1" + " FROM (SELECT *,*" * 30 + " FROM customers" + ") s" * 30, "TOO_COMPLEX"),
    ("SELECT 1 FROM " + ", ".join(["orders"] * 1000), "TOO_COMPLEX"),
    ("WITH RECURSIVE a AS (" * 20 + "SELECT 1" + ") SELECT 1" * 20, "TOO_COMPLEX"),
    (";".join(["SELECT 1"] * 10_001), "TOO_COMPLEX"),
    ("SELECT " + ", ".join(f"f{index}()" for index in range(3000)), "TOO_COMPLEX"),
    (
        "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT ssn FROM customers) SELECT upper(ssn) FROM a",
        "EFFECT_UNDECIDED",
    ),
]


@pytest.mark.parametrize(("text", "expected"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_refused_and_never_raise(text: str, expected: str | None) -> None:
    assert reason(analyse(text)) == expected


def _nested_assignments(depth: int, before: str = "") -> str:
    text = "SELECT 1, 2"
    for _ in range(depth):
        text = (
            f"WITH u AS (UPDATE orders SET {before}(id, amount) /* = */ = ({text}) RETURNING 1) SELECT 1, 2"
        )
    return text


def test_assignments_to_several_columns_cannot_fill_the_memory() -> None:
    """The parser prints the right side once per column; nested ones multiply."""
    for text in (_nested_assignments(40), _nested_assignments(40, "status = 'x', ")):
        assert reason(analyse(text)) == "TOO_COMPLEX"
    wide = "UPDATE orders SET (" + ", ".join(["id"] * 3000) + ") = (SELECT " + ", ".join(["1"] * 3000) + ")"
    assert reason(analyse(wide)) == "TOO_COMPLEX"
    assert reason(analyse(_nested_assignments(5))) is None
    assert reason(analyse("UPDATE orders SET " + ", ".join(["(id, amount) = (1, 2)"] * 500))) is None
    chain = " AND ".join(["coalesce(status, 'a') = 'b'", "(id, amount) = (1, 2)"] * 500)
    assert reason(analyse(f"UPDATE orders SET status = 'x' WHERE {chain}")) is None


def test_a_long_chain_of_conditions_is_no_deep_nesting() -> None:
    text = "SELECT 1 FROM orders WHERE " + " OR ".join(f"id = {number}" for number in range(3000))
    assert reason(analyse(text)) is None


def test_a_text_over_the_limit_is_refused_unparsed() -> None:
    small = sql.Limits(text_bytes=100)
    assert reason(sql.analyse("SELECT '" + "é" * 60 + "'", VIEW, None, small)) == "TOO_LARGE"
    assert reason(sql.analyse("SELECT '" + "e" * 60 + "'", VIEW, None, small)) is None


def test_a_syntax_error_has_its_position_in_characters() -> None:
    refusal = analyse("select 'é' from from").refusal
    assert refusal is not None
    assert (refusal.position, refusal.sqlstate) == (17, "42601")


SECRETS = [
    ("ALTER ROLE bob PASSWORD 's3cret'", "ALTER ROLE bob PASSWORD '<secret>'"),
    (
        "CREATE USER é ENCRYPTED PASSWORD E's3\\'cret' VALID UNTIL 'x'",
        "CREATE USER é ENCRYPTED PASSWORD '<secret>' VALID UNTIL 'x'",
    ),
    ("ALTER ROLE bob PASSWORD $$s3cret$$", "ALTER ROLE bob PASSWORD '<secret>'"),
    ("ALTER ROLE bob PASSWORD NULL", "ALTER ROLE bob PASSWORD NULL"),
    (
        "SELECT 'é'; ALTER USER bob WITH PASSWORD 's3cret' ;",
        "SELECT 'é'; ALTER USER bob WITH PASSWORD '<secret>' ;",
    ),
    (
        "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'u', password 's3cret')",
        "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user '<secret>', password '<secret>')",
    ),
    (
        "ALTER SERVER s OPTIONS (SET host 'h', ADD token 's3cret')",
        "ALTER SERVER s OPTIONS (SET host 'h', ADD token '<secret>')",
    ),
    (
        "CREATE SUBSCRIPTION s CONNECTION 'host=h pass=s3cret' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION '<secret>' PUBLICATION p",
    ),
    ("ALTER SUBSCRIPTION s CONNECTION 's3cret'", "ALTER SUBSCRIPTION s CONNECTION '<secret>'"),
    (
        "SELECT dblink('host=h password=s3cret', 'SELECT 1')",
        "SELECT dblink('host=h password=<secret>', 'SELECT 1')",
    ),
    ("SELECT dblink_connect('c', 's3cret')", "SELECT dblink_connect('<secret>', '<secret>')"),
    (
        "SELECT * FROM dblink('postgresql://u:s3cret@h/d', 'x') t(a int)",
        "SELECT * FROM dblink('postgresql://u:<secret>@h/d', 'x') t(a int)",
    ),
    (
        "SELECT pgp_sym_encrypt(name, 's3cret') FROM orders",
        "SELECT pgp_sym_encrypt(name, '<secret>') FROM orders",
    ),
    ("SELECT crypt('s3cret', gen_salt('bf'))", "SELECT crypt('<secret>', gen_salt('<secret>'))"),
    (
        "ALTER SYSTEM SET primary_conninfo = 'password=s3cret'",
        "ALTER SYSTEM SET primary_conninfo = 'password=<secret>'",
    ),
    ("SET narrows.token = 's3cret'", "SET narrows.token = '<secret>'"),
    ("SET narrows.reveal = 'ssn'", "SET narrows.reveal = 'ssn'"),
    (
        "SELECT set_config('narrows.token', 's3cret', false)",
        "SELECT set_config('narrows.token', '<secret>', false)",
    ),
    (
        "DO $$BEGIN ALTER ROLE bob PASSWORD 's3cret'; END$$",
        "DO $$BEGIN ALTER ROLE bob PASSWORD <secret>; END$$",
    ),
    ("ALTER ROLE bob PASWORD 's3cret'", "ALTER ROLE bob PASWORD 's3cret'"),
    ("ALTER ROLE bob SET PASSWORD 's3cret", "ALTER ROLE bob SET <secret>"),
    ("PREPARE p AS SELECT crypt('s3cret', 'x')", "PREPARE p AS SELECT crypt('<secret>', '<secret>')"),
    ("SELECT password FROM users WHERE secret = 'x'", "SELECT password FROM users WHERE secret = 'x'"),
]


@pytest.mark.parametrize(("text", "expected"), SECRETS)
def test_secrets_are_replaced_and_every_other_byte_is_kept(text: str, expected: str) -> None:
    assert analyse(text).text_redacted == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "do $$ begin /* secret= */ delete from tickets where id = 2; end $$",
            "delete from tickets where id = 2",
        ),
        ("select lower('select iban from payroll /* password= */')", "select iban from payroll"),
        ("select dblink('host=h password=''a b'' user=u', 'x')", "user=u"),
        (r"select dblink(E'host=h password=a\\ b user=u', 'x')", "user=u"),
    ],
)
def test_a_word_that_announces_a_secret_hides_nothing_else(text: str, kept: str) -> None:
    """Or a caller could hide from the journal what ran."""
    redacted = analyse(text).text_redacted
    assert kept in redacted
    assert "a b" not in redacted
    assert " b " not in redacted.replace("begin", "")


def test_a_refusal_of_an_unparsable_text_does_not_quote_a_secret() -> None:
    refusal = analyse("ALTER ROLE bob PASSWORD s3cret").refusal
    assert refusal is not None
    assert "s3cret" not in refusal.message


def test_what_prepare_keeps_has_no_secrets() -> None:
    effect = analyse("PREPARE p AS SELECT crypt('s3cret', 'x')").parts[0].effects[0]
    assert isinstance(effect, sql.PrepareStatement)
    assert "s3cret" not in repr(effect.inner) + effect.inner.text
    assert reason(analyse("EXECUTE p", sql.SessionState(prepared={"p": effect.inner}))) is None


def test_analyses_views_and_states_go_to_another_process() -> None:
    analysis = analyse("SELECT ssn, upper(name) FROM customers, v_contacts WHERE id = 1")
    assert pickle.loads(pickle.dumps(analysis)) == analysis
    view = pickle.loads(pickle.dumps(VIEW))
    assert view.key == VIEW.key
    assert marks(analyse("SELECT upper(ssn) FROM customers", view=view)) == "d"
    state = sql.SessionState(sql.SessionFacts(search_path=("evil",)), {"p": analysis.parts[0]})
    assert pickle.loads(pickle.dumps(state)) == state


def test_views_with_other_labels_have_other_keys() -> None:
    assert sql.View(VIEW.snapshot).key != VIEW.key
    assert sql.View(VIEW.snapshot, VIEW.labels, VIEW.versions).key == VIEW.key
    assert sql.View(VIEW.snapshot, VIEW.labels, VIEW.versions, 1).key != VIEW.key


def test_the_versions_that_an_analysis_relied_on_go_with_the_statement() -> None:
    assert analyse("SELECT 1").statement().versions == {"snapshot": "sample", "labels": "corpus"}
