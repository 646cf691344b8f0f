"""Functions that make as many rows as a value says."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_digit, by_row

_N = "<digit>::int"

ORACLE = Oracle(
    "set-returning",
    "functions that return a set",
    (
        *by_digit(
            ("generate_series", f"SELECT 1 FROM customers c, generate_series(1, {_N}) WHERE c.id = <row>"),
            ("in the select list", f"SELECT generate_series(1, {_N}) {OF}"),
            ("count", f"SELECT count(*) FROM customers c, generate_series(1, {_N}) WHERE c.id = <row>"),
            ("ascii", f"SELECT generate_series(1, ascii(<digit>)) {OF}"),
            ("string_to_table", f"SELECT string_to_table(repeat('x,', {_N}), ',') {OF}"),
            ("regexp_split", f"SELECT regexp_split_to_table(repeat('x,', {_N}), ',') {OF}"),
            ("regexp_matches", f"SELECT regexp_matches(repeat('x', {_N}), 'x', 'g') {OF}"),
            ("unnest", f"SELECT unnest(array_fill(0, ARRAY[{_N}])) {OF}"),
            ("subscripts", f"SELECT generate_subscripts(array_fill(0, ARRAY[{_N}]), 1) {OF}"),
            ("json", f"SELECT json_array_elements(('[0' || repeat(',0', {_N}) || ']')::json) {OF}"),
            ("jsonb path", f"SELECT jsonb_path_query(('[0' || repeat(',0', {_N}) || ']')::jsonb, '$[*]') {OF}"),
            ("rows from", f"SELECT 1 FROM customers c, ROWS FROM (generate_series(1, {_N}), generate_series(1, 0)) x WHERE c.id = <row>"),
            ("lateral", f"SELECT x FROM customers c CROSS JOIN LATERAL (SELECT generate_series(1, {_N})) x WHERE c.id = <row>"),
            ("to_tsvector", f"SELECT x.lexeme IS NULL FROM customers c, unnest(to_tsvector('simple', (SELECT string_agg('w' || g, ' ') FROM generate_series(1, {_N}) g))) x WHERE c.id = <row>"),
            ("recursive", f"WITH RECURSIVE r(n) AS (SELECT {_N} FROM customers c WHERE c.id = <row> UNION ALL SELECT n - 1 FROM r WHERE n > 0) SELECT count(*) FROM r"),
            ("hstore", f"SELECT each(hstore('a' || {_N}, '1') || hstore('a5', '1')) {OF}"),
            ("width of a table function", f"SELECT 1 FROM XMLTABLE('/r/x' PASSING (SELECT ('<r>' || repeat('<x/>', {_N}) || '</r>')::xml FROM customers c WHERE c.id = <row>) COLUMNS a text)"),
            ("join on a digit", f"SELECT g FROM customers c JOIN generate_series(0, 9) g ON g = {_N} WHERE c.id = <row>"),
        ),
        *by_row(
            ("CASE", f"SELECT generate_series(1, CASE WHEN <cond> THEN 1 ELSE 2 END) {OF}"),
            ("unnest", f"SELECT unnest(CASE WHEN <cond> THEN ARRAY[1] ELSE ARRAY[1, 2] END) {OF}"),
            ("regexp", f"SELECT regexp_matches((<cond>)::text, 'true') {OF}"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
