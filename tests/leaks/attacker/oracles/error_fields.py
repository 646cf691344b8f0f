"""Errors that always come and differ: by code, by what came before; notices and warnings."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import EITHER, OF, TWICE
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_CODES = "CASE WHEN <cond> THEN 1 / (c.id - c.id) ELSE (c.name || 'x')::int END"

ORACLE = Oracle(
    "error-fields",
    "codes, rows before an error, notices",
    (
        *by_row(
            ("code", f"SELECT {_CODES} {OF}"),
            ("code in a WHERE", f"SELECT 1 {OF} AND {_CODES} = 1"),
            ("code of two rows", f"SELECT CASE WHEN <cond> THEN (SELECT g FROM generate_series(1, 2) g) ELSE 1 / (c.id - c.id) END {OF}"),
            ("code of a size", f"SELECT CASE WHEN <cond> THEN length(repeat(c.name, 200000000)) ELSE 1 / (c.id - c.id) END {OF}"),
            ("code of a constraint", f"INSERT INTO customers (id, name) SELECT CASE WHEN <cond> THEN 1 ELSE NULL END, 'x' {OF}"),
            ("name of a constraint", f"INSERT INTO customers (id, name, ssn) SELECT CASE WHEN <cond> THEN 1 ELSE 999999 END, 'x', 'x' {OF}"),
            ("rows before", f"SELECT v.n, 1 / (CASE WHEN {EITHER} THEN 0 ELSE 2 - v.n END) {TWICE}"),
            ("rows before, by order", f"SELECT q.n, 1 / (q.n - 1) FROM (SELECT v.n {TWICE} ORDER BY {EITHER}, v.n) q"),
            ("warning", f"SELECT CASE WHEN <cond> THEN pg_cancel_backend(1) END {OF}"),
            ("notice of a cast", f"SELECT CASE WHEN <cond> THEN to_tsquery('simple', '') END {OF}"),
            ("notice of a stop word", f"SELECT CASE WHEN <cond> THEN to_tsquery('english', 'the') END {OF}"),
            ("notice of a lock", f"SELECT CASE WHEN <cond> THEN pg_advisory_unlock(77) END {OF}"),
            ("notice of ts_rewrite", f"SELECT CASE WHEN <cond> THEN phraseto_tsquery('english', 'the') END {OF}"),
            ("debugging", "SET client_min_messages = debug5", f"SELECT 1 {OF} AND <cond>", "RESET client_min_messages"),
            ("debugging, masked", "SET client_min_messages = debug5", f"SELECT nullif(<cond>, true) {OF}", "RESET client_min_messages"),
            ("parameter status", f"SELECT set_config(CASE WHEN <cond> THEN 'application_name' ELSE 'x.y' END, 'z', false) {OF}", "RESET application_name"),
            ("notification", "LISTEN ch", f"SELECT CASE WHEN <cond> THEN pg_notify('ch', 'x') END {OF}", "UNLISTEN ch"),
            ("end of the session", f"SELECT CASE WHEN <cond> THEN pg_terminate_backend(pg_backend_pid()) END {OF}"),
            conditions=USUAL,
        ),
        *by_digit(
            ("rows before, of a digit", "SELECT g, 1 / (g - <digit>::int - 1) FROM customers c, generate_series(1, 10) g WHERE c.id = <row>"),
            ("notification of a digit", "LISTEN ch", f"SELECT pg_notify('ch', <digit>) {OF}", "UNLISTEN ch"),
        ),
    ),
)  # fmt: skip
