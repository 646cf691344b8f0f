"""Definitions that are checked against what is there, or whose size shows what they hold."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS, Condition, Written
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row
from tests.leaks.attacker.questions import Question


def _named(of: Condition, prefix: str = "") -> Condition:
    """A definition names the columns of its table without an alias, a trigger those of the old row."""

    def write(question: Question) -> Written:
        return Written(of.write(question).sql.replace("c.", prefix))

    return Condition(of.name, of.space, write)


def _undone(name: str, *texts: str) -> tuple[str, ...]:
    return (name, "BEGIN", *texts, "ROLLBACK")


_KINDS = (SPLITS["range"], SPLITS["regex"], SPLITS["substr"])
_FAILS = "(1 / (CASE WHEN id = <row> AND <cond> THEN 0 ELSE 1 END))"

ORACLE = Oracle(
    "definition",
    "constraints, indexes and views over secrets",
    (
        *by_row(
            _undone("CHECK", "ALTER TABLE customers ADD CHECK (id <> <row> OR <cond>)"),
            _undone("unique index", "CREATE UNIQUE INDEX ON customers ((1)) WHERE id = 1 OR (id = <row> AND <cond>)"),
            _undone("index that fails", f"CREATE INDEX ON customers ({_FAILS})"),
            _undone("index predicate that fails", f"CREATE INDEX ON customers (id) WHERE {_FAILS} = 1"),
            _undone("generated column", f"ALTER TABLE customers ADD COLUMN g int GENERATED ALWAYS AS {_FAILS} STORED"),
            _undone("type", "ALTER TABLE customers ALTER COLUMN vip DROP DEFAULT", f"ALTER TABLE customers ALTER COLUMN vip TYPE int USING {_FAILS}"),
            _undone("exclusion", "ALTER TABLE customers ADD EXCLUDE USING btree ((1) WITH =) WHERE (id = 1 OR (id = <row> AND <cond>))"),
            _undone("index rows", "CREATE INDEX d<n> ON customers (id) WHERE id = <row> AND <cond>", "SELECT reltuples FROM pg_class WHERE relname = 'd<n>'"),
            _undone("index size", "CREATE INDEX d<n> ON customers USING hash (name) WHERE id <> <row> OR <cond>", "SELECT reltuples FROM pg_class WHERE relname = 'd<n>'"),
            _undone("statistics", "CREATE STATISTICS s<n> ON (id = <row> AND <cond>), id FROM customers", "ANALYZE customers", "SELECT n_distinct FROM pg_stats_ext_exprs WHERE statistics_name = 's<n>'"),
            _undone("row security", "CREATE POLICY p<n> ON customers USING (id <> <row> OR <cond>)", "ALTER TABLE customers ENABLE ROW LEVEL SECURITY", "ALTER TABLE customers FORCE ROW LEVEL SECURITY", "SELECT count(*) FROM customers WHERE id = <row>"),
            conditions=[_named(each) for each in _KINDS],
        ),
        *by_row(
            _undone("trigger", "CREATE TRIGGER t<n> BEFORE UPDATE ON customers FOR EACH ROW WHEN (OLD.id = <row> AND <cond>) EXECUTE FUNCTION suppress_redundant_updates_trigger()", "UPDATE customers c SET vip = c.vip WHERE c.id = <row>"),
            conditions=[_named(each, "OLD.") for each in _KINDS],
        ),
        *by_row(
            _undone("view", f"CREATE VIEW w<n> AS SELECT c.id {OF} AND <cond>", "SELECT count(*) FROM w<n>"),
            _undone("temporary view", f"CREATE TEMP VIEW w<n> AS SELECT c.id {OF} AND <cond>", "SELECT count(*) FROM w<n>"),
            ("view, kept", f"CREATE VIEW w<n> AS SELECT c.id {OF} AND <cond>", "SELECT count(*) FROM w<n>", "DROP VIEW w<n>"),
            ("materialised view", f"CREATE MATERIALIZED VIEW w<n> AS SELECT c.id {OF} AND <cond>", "SELECT reltuples FROM pg_class WHERE relname = 'w<n>'", "SELECT count(*) FROM w<n>"),
            ("materialised view, size", f"CREATE MATERIALIZED VIEW w<n> AS SELECT (SELECT string_agg(md5(g::text), '') FROM generate_series(1, CASE WHEN <cond> THEN 1 ELSE 3000 END) g) AS x {OF}", "SELECT pg_total_relation_size('w<n>')"),
            ("table, size", f"CREATE TEMP TABLE w<n> AS SELECT c.ssn AS x {OF} AND <cond>", "SELECT pg_relation_size('w<n>')"),
            ("masked table, size", f"CREATE TEMP TABLE w<n> AS SELECT repeat(c.ssn, CASE WHEN <cond> THEN 1 ELSE 100000 END) AS x {OF}", "SELECT pg_total_relation_size('w<n>')"),
            ("rule", "CREATE TABLE r<n> (one int)", f"CREATE RULE u AS ON INSERT TO r<n> DO INSTEAD SELECT c.id {OF} AND <cond>", "INSERT INTO r<n> VALUES (1)"),
            ("function", f"CREATE FUNCTION pg_temp.f<n>() RETURNS bigint LANGUAGE sql AS $f$ SELECT count(*) {OF} AND <cond> $f$", "SELECT pg_temp.f<n>() AS r"),
            ("partition", "CREATE TEMP TABLE q<n> (b bool) PARTITION BY LIST (b)", "CREATE TEMP TABLE q<n>t PARTITION OF q<n> FOR VALUES IN (true)", f"INSERT INTO q<n> SELECT <cond> {OF}"),
            conditions=_KINDS,
        ),
    ),
)  # fmt: skip
