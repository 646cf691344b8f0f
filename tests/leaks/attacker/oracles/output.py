"""A masked output that still differs: by type, by width, by shape, as text or binary."""

from __future__ import annotations

from tests.leaks.attacker.asking import How, Say
from tests.leaks.attacker.conditions import RANGE, USUAL
from tests.leaks.attacker.oracles.where import OF, by_digits
from tests.leaks.attacker.phrasing import Oracle, Text, by_digit, by_row

_TYPES = {
    "text": ("'x'::text", "'yy'::text"),
    "varchar": ("'x'::varchar(1)", "'yy'::varchar(9)"),
    "char": ("'x'::char(3)", "'yy'::char(3)"),
    '"char"': ("'x'::\"char\"", "'y'::\"char\""),
    "name": ("'x'::name", "'yy'::name"),
    "int2": ("1::int2", "2::int2"),
    "int4": ("1", "20000"),
    "int8": ("1::int8", "20000000000"),
    "float4": ("1::float4", "2::float4"),
    "float8": ("1::float8", "'NaN'::float8"),
    "numeric": ("1.0", "2.00000"),
    "bool": ("true", "false"),
    "date": ("'2000-01-01'::date", "'infinity'::date"),
    "timestamptz": ("'2000-01-01'::timestamptz", "'infinity'::timestamptz"),
    "interval": ("'1 day'::interval", "'2 years'::interval"),
    "bytea": ("'x'::bytea", "'yy'::bytea"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'::uuid", "'11111111-1111-1111-1111-111111111111'::uuid"),
    "json": ("'1'::json", "'[1, 2]'::json"),
    "jsonb": ("'{\"a\": 1}'::jsonb", "'null'::jsonb"),
    "xml": ("'<a/>'::xml", "'<b/>'::xml"),
    "text[]": ("'{}'::text[]", "'{a,b}'::text[]"),
    "int[]": ("'{1}'::int[]", "'{{1,2},{3,4}}'::int[]"),
    "null in array": ("ARRAY[NULL::int]", "ARRAY[1]"),
    "record": ("ROW(1)", "ROW(1, 2)"),
    "row of nulls": ("ROW(NULL)", "ROW(1)"),
    "point": ("'(1,1)'::point", "'(2,2)'::point"),
    "range": ("'empty'::int4range", "'[1,)'::int4range"),
    "bit": ("B'1'", "B'0'"),
    "varbit": ("B'1'::varbit", "B'0101'::varbit"),
    "money": ("1::money", "2::money"),
    "inet": ("'1.1.1.1'::inet", "'::1'::inet"),
    "macaddr": ("'08:00:2b:01:02:03'::macaddr", "'08:00:2b:01:02:04'::macaddr"),
    "tsvector": ("'a'::tsvector", "'b c'::tsvector"),
    "oid": ("1::oid", "2::oid"),
    "regclass": ("'pg_class'::regclass", "'pg_type'::regclass"),
    "hstore": ("''::hstore", "'a=>1'::hstore"),
    "domain": ("1::information_schema.cardinal_number", "2::information_schema.cardinal_number"),
}


def _phrases(how: How) -> list[tuple[str, Text]]:
    return [
        (f"{name}, {how}", Say(f"SELECT CASE WHEN <cond> THEN {one} ELSE {other} END {OF}", how=how))
        for name, (one, other) in _TYPES.items()
    ]


ORACLE = Oracle(
    "output",
    "outputs of every type and width",
    (
        *by_digits("all rows", "SELECT c.id, <cond> FROM customers c WHERE c.id BETWEEN 501 AND 2000"),
        *by_digit(
            ("repeat", f"SELECT repeat('x', <digit>::int) {OF}"),
            ("lpad", f"SELECT lpad('x', 1 + <digit>::int) {OF}"),
            ("array_fill", f"SELECT array_fill(0, ARRAY[<digit>::int]) {OF}"),
            ("bytes", f"SELECT decode(repeat('00', <digit>::int), 'hex') {OF}"),
            ("digit", f"SELECT <digit> {OF}"),
        ),
        *by_row(
            ("bare", f"SELECT <cond> {OF}"),
            ("sum", f"SELECT sum((<cond>)::int) {OF}"),
            ("bool_or", f"SELECT bool_or(<cond>) {OF}"),
            ("string_agg", f"SELECT string_agg(CASE WHEN <cond> THEN 'x' ELSE 'yy' END, ',') {OF}"),
            ("beside", f"SELECT 1, 2, CASE WHEN <cond> THEN 'x' || substr(c.name, 1, 1) ELSE '' END {OF}"),
            ("RETURNING", "UPDATE customers c SET vip = c.vip WHERE c.id = <row> RETURNING <cond>"),
            ("VALUES", "VALUES ((SELECT <cond> FROM customers c WHERE c.id = <row>))"),
            ("WITH", f"WITH q AS (SELECT <cond> AS b {OF}) SELECT b FROM q"),
            conditions=USUAL,
        ),
        *by_row(*_phrases(How.SIMPLE), *_phrases(How.BINARY), conditions=RANGE),
    ),
)  # fmt: skip
