"""Command tags and counts of rows: how many were changed, copied, stored, moved over."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import ALL, OF, by_digits
from tests.leaks.attacker.phrasing import Oracle, by_row

ORACLE = Oracle(
    "command-tag",
    "counts in command tags and counts of rows",
    (
        *by_digits("rows", ALL),
        *by_row(
            ("UPDATE", "UPDATE customers c SET vip = c.vip WHERE c.id = <row> AND <cond>"),
            ("UPDATE FROM", "UPDATE victim v SET v = v.v FROM customers c WHERE v.id = 1 AND c.id = <row> AND <cond>"),
            ("DELETE", "BEGIN", "DELETE FROM customers c WHERE c.id = <row> AND <cond>", "ROLLBACK"),
            ("DELETE USING", "BEGIN", "DELETE FROM victim v USING customers c WHERE v.id = 1 AND c.id = <row> AND <cond>", "ROLLBACK"),
            ("INSERT SELECT", f"INSERT INTO scratch (k) SELECT 'k' {OF} AND <cond>"),
            ("MERGE", "MERGE INTO scratch s USING (SELECT c.id FROM customers c WHERE c.id = <row> AND <cond>) q ON s.k = 'never' WHEN NOT MATCHED THEN INSERT (k) VALUES ('m')"),
            ("MERGE, condition", "MERGE INTO scratch s USING (SELECT c.* FROM customers c WHERE c.id = <row>) c ON s.k = 'never' WHEN NOT MATCHED AND <cond> THEN INSERT (k) VALUES ('m')"),
            ("MERGE ON", "MERGE INTO victim v USING (SELECT c.* FROM customers c WHERE c.id = <row>) c ON v.id = 1 AND <cond> WHEN MATCHED THEN UPDATE SET v = v.v"),
            ("CREATE TABLE AS", f"CREATE TEMP TABLE t<n> AS SELECT 1 AS one {OF} AND <cond>"),
            ("SELECT INTO", "SELECT 1 AS one INTO TEMP t<n> FROM customers c WHERE c.id = <row> AND <cond>"),
            ("COPY", f"COPY (SELECT c.id {OF} AND <cond>) TO STDOUT"),
            ("materialised view", f"CREATE MATERIALIZED VIEW m<n> AS SELECT c.id {OF} AND <cond>"),
            ("SELECT", f"SELECT 'x' {OF} AND <cond>"),
            ("SELECT of the column", f"SELECT c.ssn {OF} AND <cond>"),
            ("FOR UPDATE", f"SELECT c.id {OF} AND <cond> FOR UPDATE"),
            ("WITH DELETE", "BEGIN", "WITH d AS (DELETE FROM customers c WHERE c.id = <row> AND <cond> RETURNING 1) SELECT count(*) FROM d", "ROLLBACK"),
            ("upsert", f"INSERT INTO scratch (k) SELECT 'k' {OF} ON CONFLICT DO NOTHING RETURNING (SELECT count(*) {OF} AND <cond>)"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
