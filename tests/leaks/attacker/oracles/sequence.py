"""Sequences: set to a value, or advanced where the condition holds, and read."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_SEQ = "'audit_log_id_seq'"

ORACLE = Oracle(
    "sequence",
    "sequences set or advanced by a value",
    (
        *by_digit(
            ("setval", f"SELECT setval({_SEQ}, 1 + <digit>::int) {OF}", f"SELECT nextval({_SEQ})"),
            ("setval, last_value", f"SELECT setval({_SEQ}, 1 + <digit>::int) {OF}", "SELECT last_value FROM audit_log_id_seq"),
            ("ALTER", f"SELECT setval({_SEQ}, 1)", f"SELECT nextval({_SEQ}) FROM customers c, generate_series(1, <digit>::int) WHERE c.id = <row>", f"SELECT currval({_SEQ})"),
            ("lastval", f"SELECT setval({_SEQ}, 1)", f"SELECT max(nextval({_SEQ})) FROM customers c, generate_series(0, <digit>::int) WHERE c.id = <row>", "SELECT lastval()"),
        ),
        *by_row(
            ("nextval", f"SELECT setval({_SEQ}, 1)", f"SELECT CASE WHEN <cond> THEN nextval({_SEQ}) END {OF}", "SELECT last_value FROM audit_log_id_seq"),
            ("nextval, in a WHERE", f"SELECT setval({_SEQ}, 1)", f"SELECT nextval({_SEQ}) {OF} AND <cond>", "SELECT last_value FROM audit_log_id_seq"),
            ("nextval, in a column", f"SELECT setval({_SEQ}, 1)", f"SELECT CASE WHEN <cond> THEN c.ssn || nextval({_SEQ}) END {OF}", f"SELECT nextval({_SEQ})"),
            ("skipped insert", f"SELECT setval({_SEQ}, 1)", f"INSERT INTO audit_log (who) SELECT 'x' {OF} AND <cond>", f"SELECT nextval({_SEQ})"),
            conditions=(SPLITS["range"], SPLITS["regex"], SPLITS["substr"]),
        ),
    ),
)  # fmt: skip
