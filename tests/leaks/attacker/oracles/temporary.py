"""A temporary table that holds masked values, with constraints, indexes and partitions that look at them."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS, Condition, Written
from tests.leaks.attacker.oracles.order import ordered
from tests.leaks.attacker.oracles.stored import copied
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row
from tests.leaks.attacker.questions import Question


def _stored(of: Condition) -> Condition:
    """The same condition on the column `v` of the temporary table."""

    def write(question: Question) -> Written:
        return Written(of.write(question).sql.replace("c.ssn", "v"))

    return Condition(of.name, of.space, write)


_TABLE = "CREATE TEMP TABLE k<n> (v text)"
_FILL = f"INSERT INTO k<n> SELECT c.ssn {OF}"
_PARTED = "CREATE TEMP TABLE k<n> (v text) PARTITION BY LIST ((<cond>))"
_TRUE = "CREATE TEMP TABLE k<n>t PARTITION OF k<n> FOR VALUES IN (true)"
_FALSE = "CREATE TEMP TABLE k<n>f PARTITION OF k<n> FOR VALUES IN (false)"
_GENERATED = "CREATE TEMP TABLE k<n> (id int, v text, w text GENERATED ALWAYS AS (v || '')"
_BOTH = "INSERT INTO k<n> (id, v) SELECT c.id, c.ssn FROM customers c"
_COPY = "CREATE TEMP TABLE k<n> AS SELECT c.id, c.ssn FROM customers c"

ORACLE = Oracle(
    "temporary",
    "constraints, indexes and partitions of temporary tables that hold secrets",
    (
        ordered("index only", _COPY, "CREATE INDEX ON k<n> (ssn, id)", "SET enable_seqscan = off", "SET enable_bitmapscan = off", "SELECT id, ssn FROM k<n>"),
        ordered("CLUSTER", _COPY, "CREATE INDEX i<n> ON k<n> (ssn)", "CLUSTER k<n> USING i<n>", "SELECT id FROM k<n>"),
        ordered("primary key", "CREATE TEMP TABLE k<n> (ssn text, id int, PRIMARY KEY (ssn, id))", "INSERT INTO k<n> SELECT c.ssn, c.id FROM customers c", "SET enable_seqscan = off", "SET enable_bitmapscan = off", "SELECT id, ssn FROM k<n>"),
        copied("generated column, whole", f"{_GENERATED} STORED)", _BOTH, "SELECT id, w FROM k<n>"),
        copied("generated column, returned", f"{_GENERATED} STORED)", f"{_BOTH} RETURNING id, w"),
        copied("generated column, copied on", f"{_GENERATED} STORED)", _BOTH, "CREATE TEMP TABLE j<n> AS SELECT id, w FROM k<n>", "SELECT id, w FROM j<n>"),
        copied("generated column, added", _COPY, "ALTER TABLE k<n> ADD w text GENERATED ALWAYS AS (ssn || '') STORED", "SELECT id, w FROM k<n>"),
        copied("type changed", _COPY, "ALTER TABLE k<n> ADD w text", "ALTER TABLE k<n> ALTER w TYPE text USING ssn", "SELECT id, w FROM k<n>"),
        copied("renamed", _COPY, "ALTER TABLE k<n> RENAME ssn TO w", "SELECT id, w FROM k<n>"),
        copied("child", "CREATE TEMP TABLE k<n> (id int, ssn text)", "CREATE TEMP TABLE j<n> () INHERITS (k<n>)", "INSERT INTO k<n> SELECT c.id, c.ssn FROM customers c", "INSERT INTO j<n> SELECT c.id, c.ssn FROM customers c", "SELECT id, ssn FROM ONLY k<n> UNION ALL SELECT id, ssn FROM j<n>"),
        copied("child, from the parent", "CREATE TEMP TABLE k<n> (id int, ssn text)", "CREATE TEMP TABLE j<n> () INHERITS (k<n>)", "INSERT INTO j<n> SELECT c.id, c.ssn FROM customers c", "SELECT id, ssn FROM k<n>"),
        copied("partition", "CREATE TEMP TABLE k<n> (id int, ssn text) PARTITION BY RANGE (id)", "CREATE TEMP TABLE j<n> PARTITION OF k<n> DEFAULT", "INSERT INTO k<n> SELECT c.id, c.ssn FROM customers c", "SELECT id, ssn FROM j<n>"),
        copied("partition, from the whole", "CREATE TEMP TABLE k<n> (id int, ssn text) PARTITION BY RANGE (id)", "CREATE TEMP TABLE j<n> PARTITION OF k<n> DEFAULT", "INSERT INTO j<n> SELECT c.id, c.ssn FROM customers c", "SELECT id, ssn FROM k<n>"),
        copied("rule", "CREATE TEMP TABLE k<n> (id int, ssn text)", "CREATE TEMP TABLE j<n> (id int, w text)", "CREATE RULE r AS ON INSERT TO k<n> DO INSTEAD INSERT INTO j<n> VALUES (NEW.id, NEW.ssn)", "INSERT INTO k<n> SELECT c.id, c.ssn FROM customers c", "SELECT id, w FROM j<n>"),
        copied("view", _COPY, "CREATE TEMP VIEW j<n> AS SELECT id, ssn AS w FROM k<n>", "SELECT id, w FROM j<n>"),
        copied("like", _COPY, "CREATE TEMP TABLE j<n> (LIKE k<n>)", "INSERT INTO j<n> SELECT * FROM k<n>", "SELECT id, ssn FROM j<n>"),
        copied("upsert", "CREATE TEMP TABLE k<n> (id int PRIMARY KEY, w text)", "INSERT INTO k<n> SELECT id, 'x' FROM customers ON CONFLICT DO NOTHING", "INSERT INTO k<n> SELECT c.id, c.ssn FROM customers c ON CONFLICT (id) DO UPDATE SET w = EXCLUDED.w", "SELECT id, w FROM k<n>"),
        *by_row(
            ("CHECK", "CREATE TEMP TABLE k<n> (v text CHECK (<cond>))", _FILL),
            ("CHECK, added", _TABLE, _FILL, "ALTER TABLE k<n> ADD CHECK (<cond>)"),
            ("index that fails", _TABLE, "CREATE INDEX ON k<n> ((1 / (<cond>)::int))", _FILL),
            ("index rows", _TABLE, _FILL, "CREATE INDEX i<n> ON k<n> ((1)) WHERE <cond>", "SELECT reltuples FROM pg_class WHERE relname = 'i<n>'"),
            ("unique index", _TABLE, "CREATE UNIQUE INDEX ON k<n> ((1)) WHERE <cond>", _FILL, _FILL),
            ("unique index, skipped", _TABLE, "CREATE UNIQUE INDEX ON k<n> ((1)) WHERE <cond>", _FILL, f"{_FILL} ON CONFLICT DO NOTHING"),
            ("generated column", "CREATE TEMP TABLE k<n> (v text, b bool GENERATED ALWAYS AS (<cond>) STORED)", f"INSERT INTO k<n> (v) SELECT c.ssn {OF}", "SELECT b IS TRUE AS b FROM k<n>"),
            ("generated column that fails", "CREATE TEMP TABLE k<n> (v text, b int GENERATED ALWAYS AS (1 / (<cond>)::int) STORED)", f"INSERT INTO k<n> (v) SELECT c.ssn {OF}"),
            ("no partition", _PARTED, _TRUE, _FILL),
            ("which partition", _PARTED, _TRUE, _FALSE, _FILL, "SELECT tableoid = 'k<n>t'::regclass FROM k<n>"),
            ("rows of a partition", _PARTED, _TRUE, _FALSE, _FILL, "SELECT count(*) FROM k<n>t"),
            ("size of a partition", _PARTED, _TRUE, _FALSE, _FILL, "SELECT pg_relation_size('k<n>t')"),
            ("asked", _TABLE, _FILL, "SELECT count(*) FROM k<n> WHERE <cond>"),
            ("deleted", _TABLE, _FILL, "DELETE FROM k<n> WHERE <cond>"),
            conditions=[_stored(SPLITS[name]) for name in ("range", "substr", "regex")],
        ),
    ),
)  # fmt: skip
