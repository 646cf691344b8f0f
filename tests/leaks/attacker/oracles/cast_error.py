"""Casts that fail for some values only."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row


def _cast(type_: str, good: str, bad: str = "x") -> tuple[str, str]:
    return type_, f"SELECT (CASE WHEN <cond> THEN '{bad}' ELSE '{good}' END)::{type_} {OF}"


ORACLE = Oracle(
    "cast-error",
    "casts that fail for some values",
    (
        *by_row(
            _cast("int", "1"),
            _cast("numeric", "1"),
            _cast("float8", "1"),
            _cast("bool", "t"),
            _cast("date", "2000-01-01"),
            _cast("timestamptz", "2000-01-01"),
            _cast("interval", "1 day", "day day"),
            _cast("uuid", "00000000-0000-0000-0000-000000000000"),
            _cast("inet", "1.1.1.1"),
            _cast("macaddr", "08:00:2b:01:02:03"),
            _cast("bytea", "a", "\\\\x1"),
            _cast("point", "(1,1)"),
            _cast("int4range", "empty"),
            _cast("int[]", "{}"),
            _cast("bit varying", "1", "2"),
            _cast("money", "1"),
            _cast("oid", "1"),
            _cast("regclass", "pg_class", "no_such_thing"),
            _cast("regtype", "int4", "no_such_thing"),
            _cast("regproc", "now", "no_such_thing"),
            _cast("tsquery", "a", "a b"),
            _cast("xid8", "1"),
            _cast("hstore", "a=>1", "a=>"),
            _cast("information_schema.cardinal_number", "1", "-1"),
            ("smallint", f"SELECT (CASE WHEN <cond> THEN 99999 ELSE 1 END)::smallint {OF}"),
            ("in a WHERE", f"SELECT 1 {OF} AND (CASE WHEN <cond> THEN 'x' ELSE '1' END)::int = 1"),
            ("in ORDER BY", f"SELECT 1 {OF} ORDER BY (CASE WHEN <cond> THEN 'x' ELSE '1' END)::int"),
            ("of the condition", f"SELECT substr((<cond>)::text, 1, 1)::int {OF}"),
            ("domain", "CREATE DOMAIN pg_temp.d<n> AS bool CHECK (VALUE)", f"SELECT (<cond>)::pg_temp.d<n> {OF}"),
            ("domain of the owner", "CREATE DOMAIN d<n> AS bool CHECK (VALUE)", f"SELECT (<cond>)::d<n> {OF}"),
            ("enum", "CREATE TYPE e<n> AS ENUM ('true')", f"SELECT (<cond>)::text::e<n> {OF}"),
            ("written", "BEGIN", "UPDATE customers c SET dob = (CASE WHEN <cond> THEN 'x' ELSE '2000-01-01' END)::date WHERE c.id = <row>", "ROLLBACK"),
            conditions=(SPLITS["range"], SPLITS["substr"], SPLITS["regex"]),
        ),
    ),
)  # fmt: skip
