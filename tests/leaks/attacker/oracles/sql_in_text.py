"""SQL inside a text that a function runs."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS, Condition, Written
from tests.leaks.attacker.phrasing import Oracle, by_row
from tests.leaks.attacker.questions import Question

_INNER = "SELECT count(*) FROM customers c WHERE c.id = <row> AND <cond>"


def _quoted(of: Condition) -> Condition:
    def write(question: Question) -> Written:
        return Written(of.write(question).sql.replace("'", "''"))

    return Condition(of.name, of.space, write)


ORACLE = Oracle(
    "sql-in-text",
    "functions that run a text",
    (
        *by_row(
            ("query_to_xml", f"SELECT query_to_xml('{_INNER}', true, true, '')"),
            ("ts_stat", "SELECT count(*) FROM ts_stat('SELECT ''a''::tsvector FROM customers c WHERE c.id = <row> AND <cond>')"),
            ("crosstab", "SELECT count(*) FROM crosstab('SELECT 1, 1, 1 FROM customers c WHERE c.id = <row> AND <cond>') AS x(a int, b int)"),
            ("cursor_to_xml", "BEGIN", "DECLARE k CURSOR FOR SELECT 1", f"SELECT query_to_xml('{_INNER}', false, true, '')", "ROLLBACK"),
            ("function", f"SELECT run_sql('{_INNER}')"),
            ("DO", f"DO 'BEGIN IF ({_INNER.replace(chr(39), chr(39) * 2)}) > 0 THEN RAISE EXCEPTION ''x''; END IF; END'"),
            conditions=(_quoted(SPLITS["range"]), _quoted(SPLITS["regex"])),
        ),
        *by_row(
            ("function of a row", "SELECT count(*) FROM (SELECT get_ssn(<row>) AS ssn) c WHERE <cond>"),
            ("function of plpgsql", "SELECT count(*) FROM (SELECT get_ssn_pl(<row>) AS ssn) c WHERE <cond>"),
            ("function of all", "SELECT count(*) FROM all_customers() c WHERE c.id = <row> AND <cond>"),
            ("functional notation", "SELECT count(*) FROM (SELECT ssn(d) AS ssn FROM customers d WHERE d.id = <row>) c WHERE <cond>"),
            ("view", "SELECT count(*) FROM (SELECT v.id, v.code AS ssn FROM v_codes v) c WHERE c.id = <row> AND regexp_replace(c.ssn, '(...)(..)(....)', '\\1-\\2-\\3') IS NOT NULL AND (SELECT <cond> FROM (SELECT regexp_replace(c.ssn, '(...)(..)(....)', '\\1-\\2-\\3') AS ssn) c)"),
            conditions=(SPLITS["range"], SPLITS["regex"]),
        ),
    ),
)  # fmt: skip
