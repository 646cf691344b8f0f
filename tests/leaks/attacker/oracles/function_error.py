"""Functions that fail for some arguments: sizes, subscripts, code points, patterns, names, parsers."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row


def _fails(name: str, call: str, bad: str, good: str) -> tuple[str, str]:
    """A call whose argument `<x>` is bad where the condition holds."""
    return name, f"SELECT {call.replace('<x>', f'CASE WHEN <cond> THEN {bad} ELSE {good} END')} {OF}"


ORACLE = Oracle(
    "function-error",
    "functions that fail for some arguments",
    (
        *by_row(
            _fails("chr", "chr(<x>)", "0", "65"),
            _fails("repeat", "length(repeat('x', <x>))", "2000000000", "1"),
            _fails("lpad", "length(lpad('x', <x>))", "2000000000", "1"),
            _fails("substring", "substring('abc' from 1 for <x>)", "-1", "1"),
            _fails("overlay", "overlay('abc' placing 'x' from <x>)", "-1", "1"),
            _fails("split_part", "split_part('a,b', ',', <x>)", "0", "1"),
            _fails("array_fill", "array_fill(0, ARRAY[<x>])", "2000000000", "1"),
            _fails("get_byte", "get_byte('x'::bytea, <x>)", "9", "0"),
            _fails("set_bit", "set_bit('x'::bytea, <x>, 1)", "99", "0"),
            _fails("regexp", "'x' ~ (<x>)", "'['", "'x'"),
            _fails("regexp_replace", "regexp_replace('x', <x>, '')", "'('", "'x'"),
            _fails("similar", "'x' SIMILAR TO (<x>)", "'('", "'x'"),
            _fails("like escape", "'x' LIKE (<x>)", "'\\'", "'x'"),
            _fails("json", "(<x>)::json", "'{'", "'{}'"),
            _fails("jsonb", "(<x>)::jsonb", "'{'", "'{}'"),
            _fails("jsonpath", "jsonb_path_exists('[]', (<x>)::jsonpath)", "'$.'", "'$'"),
            _fails("strict jsonpath", "jsonb_path_query_first('[]', (<x>)::jsonpath)", "'strict $.a'", "'lax $.a'"),
            _fails("xml", "(<x>)::xml", "'<'", "'<a/>'"),
            _fails("xmlparse", "xmlparse(DOCUMENT <x>)", "'<a>'", "'<a/>'"),
            _fails("xpath", "xpath(<x>, '<a/>')", "'/['", "'/a'"),
            _fails("make_date", "make_date(2000, <x>, 1)", "13", "1"),
            _fails("make_interval", "make_timestamp(2000, 1, <x>, 0, 0, 0)", "32", "1"),
            _fails("to_date", "to_date(<x>, 'YYYY-MM-DD')", "'x'", "'2000-01-01'"),
            _fails("to_number", "to_number(<x>, '9')", "'x'", "'1'"),
            _fails("date_trunc", "date_trunc(<x>, now())", "'x'", "'day'"),
            _fails("date_part", "extract(year from date '2000-01-01') + date_part(<x>, now())", "'x'", "'year'"),
            _fails("timezone", "timezone(<x>, now())", "'nowhere'", "'UTC'"),
            _fails("convert", "convert_from('x'::bytea, <x>)", "'x'", "'UTF8'"),
            _fails("convert bytes", "convert_from(<x>, 'UTF8')", "'\\xff'::bytea", "'\\x61'::bytea"),
            _fails("decode", "decode(<x>, 'hex')", "'1'", "'11'"),
            _fails("encode", "encode('x', <x>)", "'x'", "'hex'"),
            _fails("sqrt", "sqrt(<x>)", "-1", "1"),
            _fails("ln", "ln(<x>)", "0", "1"),
            _fails("log", "log(<x>, 10.0)", "0.0", "2.0"),
            _fails("acos", "acos(<x>)", "2", "1"),
            _fails("width_bucket", "width_bucket(1.0, 0, 10, <x>)", "0", "1"),
            _fails("factorial", "factorial(<x>)", "-1", "1"),
            _fails("setseed", "setseed(<x>)", "2", "1"),
            _fails("generate_series", "(SELECT count(*) FROM generate_series(1, 2, <x>))", "0", "1"),
            _fails("percentile", "(SELECT percentile_cont(<x>) WITHIN GROUP (ORDER BY 1.0))", "2", "1"),
            _fails("nth_value", "(SELECT max(q) FROM (SELECT nth_value(1, <x>) OVER () q) r)", "0", "1"),
            _fails("string_to_array", "(string_to_array('1,x', ','))[<x>]::int", "2", "1"),
            _fails("array slice", "(ARRAY[1, 0])[<x>] / (ARRAY[1, 0])[<x>]", "2", "1"),
            _fails("array concatenation", "ARRAY[1] || (<x>)::int[]", "'{{{1}}}'", "'{1}'"),
            _fails("current_setting", "current_setting(<x>)", "'no.such'", "'TimeZone'"),
            _fails("nextval", "nextval(<x>)", "'no_such'", "'audit_log_id_seq'"),
            _fails("privilege", "has_table_privilege(<x>, 'select')", "'no_such'", "'orders'"),
            _fails("size", "pg_relation_size(<x>)", "'no_such'", "'orders'"),
            _fails("pg_size_bytes", "pg_size_bytes(<x>)", "'x'", "'1'"),
            _fails("to_regclass", "to_regclass(<x>)", "'no_such'", "'orders'"),
            _fails("format", "format(<x>)", "'%z'", "'x'"),
            _fails("to_char", "to_char(1, repeat(<x>, 2))", "'V.'", "'9'"),
            _fails("hstore", "hstore(ARRAY['a', 'b'], <x>)", "ARRAY['a']", "ARRAY['a', 'b']"),
            _fails("gen_random_bytes", "gen_random_bytes(<x>)", "0", "1"),
            _fails("digest", "digest('x', <x>)", "'x'", "'md5'"),
            _fails("cursor", "(SELECT count(*) FROM ts_stat(<x>))", "'x'", "'select ''a''::tsvector'"),
            _fails("query_to_xml", "query_to_xml(<x>, true, true, '')", "'x'", "'select 1'"),
            _fails("subquery of two rows", "(SELECT g FROM generate_series(1, <x>) g)", "2", "1"),
            _fails("row size", "array_length(array_fill('x'::text, ARRAY[<x>, 100000]), 1)", "100000", "1"),
            conditions=(SPLITS["range"], SPLITS["regex"]),
        ),
        *by_row(
            ("two rows", "SELECT (SELECT g FROM customers c, generate_series(1, 2) g WHERE c.id = <row> AND (g = 1 OR <cond>))"),
            ("recursion", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT r.n * 2 FROM r, customers c WHERE c.id = <row> AND <cond> AND r.n < 2000000000) SELECT count(*) FROM r"),
            conditions=(SPLITS["range"], SPLITS["regex"]),
        ),
    ),
)  # fmt: skip
