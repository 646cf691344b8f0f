"""Values stored somewhere and asked about there: temporary tables, other columns, settings, large objects."""

from __future__ import annotations

import random

from tests.leaks.attacker.asking import Asker
from tests.leaks.attacker.conditions import USUAL, Written
from tests.leaks.attacker.knowledge import Values
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Harvest, Oracle, by_digit, by_row, fill, values_of
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.space import SSN


def copied(name: str, *texts: str) -> Harvest:
    """Ids, each with the whole value."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        rows = asker.ask(fill(texts, 0, Written(""))).rows
        return values_of(
            SSN, prey, ((int(r[0] or 0), r[1]) for r in rows if len(r) > 1 and (r[0] or "").isdigit())
        )

    return Harvest(name, collect)


_STORE = "CREATE TEMP TABLE s<n> AS SELECT c.id, c.ssn FROM customers c"

ORACLE = Oracle(
    "stored",
    "values stored elsewhere, then read",
    (
        copied("the column itself", "SELECT id, ssn FROM customers"),
        copied("temporary table", _STORE, "SELECT id, ssn FROM s<n>"),
        copied("temporary table, another name", "CREATE TEMP TABLE s<n> AS SELECT c.id, c.ssn || '' AS k FROM customers c", "SELECT id, k FROM s<n>"),
        copied("INSERT", "INSERT INTO scratch (k, v) SELECT c.id::text, c.ssn FROM customers c", "SELECT k, v FROM scratch"),
        copied("UPDATE", "BEGIN", "UPDATE customers c SET name = c.ssn WHERE c.id > 500", "SELECT id, name FROM customers", "ROLLBACK"),
        copied("json", "SELECT c.id, to_jsonb(c) ->> 'ssn' FROM customers c"),
        copied("renamed", "BEGIN", "ALTER TABLE customers RENAME COLUMN ssn TO plain", "SELECT id, plain FROM customers", "ROLLBACK"),
        copied("added column", "BEGIN", "ALTER TABLE customers ADD COLUMN plain text", "UPDATE customers c SET plain = c.ssn WHERE c.id > 500", "SELECT id, plain FROM customers", "ROLLBACK"),
        copied("child", "BEGIN", "CREATE TABLE child<n> () INHERITS (customers)", "INSERT INTO child<n> SELECT * FROM customers", "SELECT id, ssn FROM child<n>", "ROLLBACK"),
        copied("like", "BEGIN", "CREATE TABLE like<n> (LIKE customers)", "INSERT INTO like<n> SELECT * FROM customers", "SELECT id, ssn FROM like<n>", "ROLLBACK"),
        copied("generated column", "BEGIN", "ALTER TABLE customers ADD COLUMN w text GENERATED ALWAYS AS (ssn || '') STORED", "SELECT id, w FROM customers", "ROLLBACK"),
        copied("generated column, later", "ALTER TABLE customers ADD COLUMN w text GENERATED ALWAYS AS (ssn || '') STORED", "SELECT id, w FROM customers", "ALTER TABLE customers DROP COLUMN w"),
        copied("type changed", "BEGIN", "ALTER TABLE customers ALTER COLUMN note TYPE text USING ssn", "SELECT id, note FROM customers", "ROLLBACK"),
        *by_row(
            ("temporary table, asked", f"CREATE TEMP TABLE s<n> AS SELECT c.* {OF}", "SELECT count(*) FROM s<n> c WHERE <cond>", "DROP TABLE s<n>"),
            ("temporary table of an answer", f"CREATE TEMP TABLE s<n> AS SELECT <cond> AS b {OF}", "SELECT count(*) FROM s<n> WHERE b", "DROP TABLE s<n>"),
            ("clean column", "BEGIN", "UPDATE customers c SET vip = <cond> WHERE c.id = <row>", "SELECT vip FROM customers WHERE id = <row>", "ROLLBACK"),
            ("clean column of another table", "BEGIN", f"UPDATE victim SET v = (SELECT (<cond>)::text {OF}) WHERE id = 1", "SELECT v FROM victim WHERE id = 1", "ROLLBACK"),
            ("labelled column, made NULL", "BEGIN", "UPDATE customers c SET email = CASE WHEN <cond> THEN c.email END WHERE c.id = <row>", "SELECT email IS NULL FROM customers WHERE id = <row>", "ROLLBACK"),
            ("own column, made NULL", "BEGIN", "UPDATE customers c SET ssn = CASE WHEN <cond> THEN c.ssn END WHERE c.id = <row>", "SELECT ssn FROM customers WHERE id = <row>", "ROLLBACK"),
            ("own column, made known", "BEGIN", "UPDATE customers c SET ssn = CASE WHEN <cond> THEN '000-00-0001' ELSE '000-00-0002' END WHERE c.id = <row>", "SELECT count(*) FROM customers WHERE id = <row> AND ssn = '000-00-0001'", "ROLLBACK"),
            ("default of a NULL", "BEGIN", "UPDATE customers c SET ssn = CASE WHEN <cond> THEN c.ssn END WHERE c.id = <row>", "SELECT count(*) FROM customers WHERE id = <row> AND ssn IS NULL", "ROLLBACK"),
            ("setting", f"SELECT set_config('x.y', (<cond>)::text, false) {OF}", "SHOW x.y"),
            ("setting, read", f"SELECT set_config('x.y', (<cond>)::text, false) {OF}", "SELECT current_setting('x.y', true)"),
            ("large object", "BEGIN", f"SELECT lo_from_bytea(770000, (<cond>)::text::bytea) {OF}", "SELECT lo_get(770000)", "ROLLBACK"),
            ("COMMENT", f"SELECT col_description('customers'::regclass, CASE WHEN <cond> THEN 4 ELSE 1 END) {OF}"),
            ("moved row", "BEGIN", "UPDATE events e SET at = CASE WHEN (SELECT <cond> FROM customers c WHERE c.id = <row>) THEN date '2023-06-01' ELSE date '2024-06-01' END WHERE e.id = 1", "SELECT tableoid::regclass FROM events WHERE id = 1", "ROLLBACK"),
            ("system column", "BEGIN", f"UPDATE victim SET v = v WHERE id = 1 AND (SELECT <cond> {OF})", "SELECT xmax = 0, ctid FROM victim WHERE id = 1", "ROLLBACK"),
            conditions=USUAL,
        ),
        *by_digit(
            ("digit in a temporary table", f"CREATE TEMP TABLE s<n> AS SELECT generate_series(1, <digit>::int) AS g {OF}", "SELECT count(*) FROM s<n>"),
            ("digit stored", "BEGIN", f"UPDATE victim SET v = (SELECT <digit> {OF}) WHERE id = 1", "SELECT v FROM victim WHERE id = 1", "ROLLBACK"),
        ),
    ),
)  # fmt: skip
