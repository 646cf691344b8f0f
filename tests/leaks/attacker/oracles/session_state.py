"""What a masked expression leaves behind in the session or the server: random numbers, transactions, counters."""

from __future__ import annotations

from tests.leaks.attacker.asking import Say
from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_FLUSH = "SELECT pg_stat_force_next_flush()"
_SEED = "SELECT setseed(0.25)"
_SCANS = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'victim'"
_READS = "(SELECT count(*) FROM victim v)"

ORACLE = Oracle(
    "session-state",
    "what an expression leaves behind",
    (
        *by_row(
            ("random", _SEED, f"SELECT CASE WHEN <cond> THEN random() END {OF}", "SELECT random()"),
            ("random, in a WHERE", _SEED, f"SELECT 1 {OF} AND <cond> AND random() > 2", "SELECT random()"),
            ("random, in a column", _SEED, f"SELECT CASE WHEN <cond> THEN c.ssn || random() ELSE c.ssn END {OF}", "SELECT random()"),
            ("random_normal", _SEED, f"SELECT CASE WHEN <cond> THEN gen_random_uuid() END {OF}", "SELECT random()"),
            ("setseed", f"SELECT setseed(CASE WHEN <cond> THEN 0.5 ELSE 0.25 END) {OF}", "SELECT random()"),
            ("setseed, CASE", _SEED, f"SELECT CASE WHEN <cond> THEN setseed(0.5) END {OF}", "SELECT random()"),
            ("transaction", "BEGIN", f"SELECT CASE WHEN <cond> THEN pg_current_xact_id() END {OF}", "SELECT pg_current_xact_id_if_assigned() IS NULL", "ROLLBACK"),
            ("scans", _FLUSH, "BEGIN", f"SELECT CASE WHEN <cond> THEN {_READS} END {OF}", _SCANS, "ROLLBACK"),
            ("scans, in a column", _FLUSH, "BEGIN", f"SELECT CASE WHEN <cond> THEN c.ssn || {_READS} ELSE c.ssn END {OF}", _SCANS, "ROLLBACK"),
            ("scans, later", "SELECT pg_stat_reset_single_table_counters('victim'::regclass)", f"SELECT CASE WHEN <cond> THEN {_READS} END {OF}", "SELECT pg_stat_force_next_flush()", "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'victim'"),
            ("updates", _FLUSH, "BEGIN", "UPDATE customers c SET vip = c.vip WHERE c.id = <row> AND <cond>", "SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'customers'", "ROLLBACK"),
            ("prepared", f"PREPARE s<n> AS SELECT 1 {OF} AND <cond>", "SELECT custom_plans FROM pg_prepared_statements WHERE name = 's<n>'", "EXECUTE s<n>", "DEALLOCATE s<n>"),
            ("activity", f"SELECT CASE WHEN <cond> THEN set_config('application_name', 'y', false) ELSE set_config('application_name', 'z', false) END {OF}", Say("SELECT application_name FROM pg_stat_activity WHERE application_name IN ('y', 'z')", "b")),
            ("snapshot", "BEGIN", f"SELECT CASE WHEN <cond> THEN pg_export_snapshot() END {OF}", "SELECT count(*) FROM pg_ls_dir('pg_snapshots')", "ROLLBACK"),
            ("backend memory", f"SELECT CASE WHEN <cond> THEN length(repeat(c.ssn, 5000000)) END {OF}", "SELECT sum(total_bytes) > 60000000 FROM pg_backend_memory_contexts"),
            conditions=(SPLITS["range"], SPLITS["regex"], SPLITS["substr"]),
        ),
        *by_digit(
            ("random, of a digit", _SEED, "SELECT count(random()) FROM customers c, generate_series(1, <digit>::int) WHERE c.id = <row>", "SELECT random()"),
            ("random, within a column", _SEED, f"SELECT (SELECT sum(random()) FROM generate_series(1, <digit>::int)) {OF}", "SELECT random()"),
            ("setseed of a digit", f"SELECT setseed(<digit>::int / 10.0) {OF}", "SELECT random()"),
        ),
    ),
)  # fmt: skip
