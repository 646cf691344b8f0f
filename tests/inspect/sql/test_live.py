"""The lists and the lineage of direct columns, held against real servers."""

from __future__ import annotations

from narrows.inspect import sql
from narrows.inspect.sql import catalogue, functions
from narrows.model.label import DatabaseLabels
from narrows.model.snapshot import Column, Relation, RelationKind, Snapshot
from tests.inspect.sql.derive_catalogue import VOLATILE
from tests.servers.postgres import Database

VOLATILE_SQL = """
SELECT DISTINCT proname FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'
"""
RELATIONS_SQL = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')
"""


def test_no_volatile_function_only_computes_but_those_named(shop: Database) -> None:
    volatile = {name for (name,) in shop.query(VOLATILE_SQL)}
    assert volatile & catalogue.FUNCTIONS <= set(VOLATILE)


def test_functions_that_read_files_or_run_sql_are_never_taken_for_computing(shop: Database) -> None:
    names = {name for (name,) in shop.query("SELECT proname FROM pg_proc WHERE pronamespace = 11")}
    risky = {
        name for name in names if name.startswith(("pg_read_", "pg_ls_", "lo_", "query_to", "binary_upgrade"))
    }
    assert not risky & catalogue.FUNCTIONS
    for name in names - catalogue.FUNCTIONS:
        found = functions.behaviour(name)
        assert found is None or found is not functions.COMPUTES


def test_every_system_relation_is_known(shop: Database) -> None:
    (version,) = shop.query("SHOW server_version_num")[0]
    for schema, name in shop.query(RELATIONS_SQL):
        assert catalogue.is_relation(schema, name, int(version)), (schema, name)


QUERIES = """
SELECT s, id FROM a
SELECT * FROM a
SELECT a.* FROM a
SELECT x.s AS other FROM a AS x
SELECT t.q FROM a AS t(p, q)
SELECT (x).s FROM a x
SELECT (x).* FROM a x
SELECT s || '' FROM a
SELECT s::text, s::varchar FROM a
SELECT x FROM (SELECT s AS x FROM a) t
SELECT x FROM (SELECT s FROM a) AS t(x)
SELECT x FROM (SELECT upper(s) AS x FROM a) t
SELECT * FROM (SELECT * FROM (SELECT s, id FROM a) t) u
SELECT (SELECT s FROM a LIMIT 1)
SELECT l.v FROM a, LATERAL (SELECT a.s AS v) l
WITH c AS (SELECT s FROM a), d(e) AS (SELECT s FROM c) SELECT e FROM d
WITH c AS MATERIALIZED (SELECT s FROM a) SELECT * FROM c
WITH RECURSIVE c(i, v) AS (SELECT id, s FROM a UNION ALL SELECT i + 1, v FROM c WHERE i < 3) SELECT v, i FROM c
SELECT s FROM a UNION ALL SELECT s FROM b
SELECT x FROM (SELECT s AS x FROM a UNION SELECT 'x') t
SELECT * FROM a JOIN b ON a.id = b.id
SELECT a.s, b.s FROM a LEFT JOIN b ON a.id = b.id
SELECT a.s, b.s FROM a FULL JOIN b ON a.id = b.id
SELECT * FROM a JOIN b USING (id)
SELECT s FROM a JOIN b USING (s)
SELECT s FROM a FULL JOIN b USING (s)
SELECT * FROM a NATURAL JOIN b
SELECT a.s FROM a JOIN b USING (s)
SELECT j.s FROM (a JOIN b USING (s)) j
SELECT * FROM (a CROSS JOIN b) AS j
SELECT a FROM a
SELECT s, count(*) FROM a GROUP BY s
SELECT max(s) FROM a
SELECT DISTINCT s FROM a
SELECT s FROM a ORDER BY s LIMIT 1
SELECT s FROM ONLY a TABLESAMPLE BERNOULLI (100)
SELECT v FROM (VALUES ((SELECT s FROM a LIMIT 1))) t(v)
SELECT ctid, tableoid, s FROM a
SELECT s FROM a FOR UPDATE
INSERT INTO a(id, s) VALUES (1, 'x') RETURNING s, upper(s), *
UPDATE a SET id = a.id FROM b RETURNING a.s, b.s
DELETE FROM a RETURNING s AS t
WITH d AS (DELETE FROM a RETURNING s) SELECT s FROM d
WITH d AS (INSERT INTO a(id) VALUES (1) RETURNING s) SELECT upper(s) FROM d
""".strip().splitlines()


def _view(database: Database) -> sql.View:
    rows = database.query(
        "SELECT oid::int, relname FROM pg_class WHERE relname IN ('a', 'b') AND relkind = 'r'"
    )
    columns = (Column("id", 1, 23, "integer"), Column("s", 2, 25, "text"))
    relations = {oid: Relation(oid, "public", name, RelationKind.TABLE, columns) for oid, name in rows}
    snapshot = Snapshot(
        id="live",
        connection="shop",
        database=database.name,
        is_home=True,
        server_version=150000,
        taken_at=0.0,
        relations=relations,
        by_name={(each.schema, each.name): each for each in relations.values()},
        schemas=frozenset({"public"}),
    )
    secret = frozenset({"secret"})
    return sql.View(snapshot, DatabaseLabels({("public", "a", "s"): secret, ("public", "b", "s"): secret}))


def test_direct_columns_are_those_that_the_row_description_names(shop: Database) -> None:
    shop.run("CREATE TABLE a (id int, s text); CREATE TABLE b (id int, s text)")
    view = _view(shop)
    with shop.connect() as connection:
        for text in QUERIES:
            analysis = sql.analyse(f"COPY ({text}) TO STDOUT", view)
            assert analysis.refusal is None, (text, analysis.refusal)
            copy = analysis.parts[0].copy
            assert copy is not None
            prepared = connection.pgconn.prepare(b"", text.encode())
            assert not prepared.error_message, text
            result = connection.pgconn.describe_prepared(b"")
            described = [(result.ftable(index), result.ftablecol(index)) for index in range(result.nfields)]
            if copy.columns is None:
                assert analysis.reach.is_derived, text
                continue
            assert len(copy.columns) == len(described), text
            is_masked = analysis.reach.is_derived or analysis.reach.is_unknown
            for column, origin in zip(copy.columns, described, strict=True):
                traced = (column.relation_oid, column.attnum)
                assert traced in ((0, 0), origin), (text, column, origin)
                assert traced == origin or is_masked or column.name in ("id", "ctid", "tableoid", "count"), (
                    text
                )
