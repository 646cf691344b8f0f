"""What expressions make of values.

Laws: a template's holes are typed, `{text}` for any value and `{text!}` for one that carries no secret; what some values
make fail stands in FAILING alone; nothing here is volatile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.noninterference.kinds import KINDS, ORDERED

HOLE = re.compile(rf"\{{({'|'.join(KINDS)})(!?)\}}")

_SAME = (
    "coalesce({T}, {T})",
    "case when {bool!} then {T} else {T} end",
    "case {int!} when 1 then {T} when 2 then {T} end",
    "({T})",
)
_ORDERED = ("nullif({T}, {T})", "greatest({T}, {T})", "least({T}, {T})")
"""Of every kind."""

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "text": (
        "upper({text})",
        "lower({text})",
        "initcap({text})",
        "reverse({text})",
        "left({text}, 2)",
        "right({text}, 3)",
        "substr({text}, 2, 3)",
        "substring({text} from 2 for 3)",
        "substring({text} from '[a-z]+')",
        "trim(both ' ' from {text})",
        "overlay({text} placing '#' from 1)",
        "replace({text}, 'a', 'b')",
        "translate({text}, 'abc', 'xyz')",
        "concat({text}, {int}, {date})",
        "concat_ws('-', {text}, {text})",
        "format('%s/%s', {text}, {num})",
        "{text} || {text}",
        "lpad({text}, 6, '.')",
        "repeat({text}, 2)",
        "split_part({text}, ' ', 1)",
        "regexp_replace({text}, '[0-9]', '#')",
        "md5({text})",
        "quote_literal({text})",
        "quote_ident({text})",
        "to_hex({int})",
        "to_char({num}, '999.99')",
        "to_char({date}, 'YYYY-MM')",
        "to_char({ts}, 'HH24:MI')",
        "{int}::text",
        "{jsonb}::text",
        "{json}::text",
        "{uuid}::text",
        "{bool}::text",
        "{arr}::text",
        "cast({num} as text)",
        "{text}::varchar(10)",
        "{text}::text",
        '{text} collate "C"',
        "{enum}::text",
        "{pair}::text",
        "encode({bytea}, 'hex')",
        "array_to_string({arr}, ',')",
        "({arr})[1]",
        "({pair}).x",
        "{jsonb} ->> 'a'",
        "{json} ->> 'a'",
        "{jsonb} #>> '{a,b}'",
        "jsonb_typeof({jsonb})",
        "jsonb_pretty({jsonb})",
        "json_extract_path_text({json}, 'a', 'b')",
        "pg_typeof({text})::text",
    ),
    "int": (
        "length({text})",
        "char_length({text})",
        "octet_length({bytea})",
        "position('a' in {text})",
        "strpos({text}, 'n')",
        "ascii({text})",
        "{int} + 1",
        "{int} - {int}",
        "- {int}",
        "abs({int})",
        "{int} % 7",
        "extract(year from {date})::int",
        "date_part('day', {ts})::int",
        "cardinality({arr})",
        "array_length({arr}, 1)",
        "array_position({arr}, {text})",
        "{date} - date '2000-01-01'",
        "num_nulls({text}, {int})",
        "hashtext({text})",
        "pg_column_size({text})",
        "({pair}).y",
        "{bool}::int",
        "floor({num})::int",
        "width_bucket({num}, 0, 100, 4)",
    ),
    "num": (
        "{num} + {num}",
        "round({num}, 1)",
        "abs({num})",
        "{int}::numeric",
        "trunc({num})",
        "- {num}",
        "sign({num})",
        "{int} * 1.5",
    ),
    "bool": (
        "{text} = {text}",
        "{text} like 'a%'",
        "{text} ~ '^[0-9]'",
        "{text} ilike '%N%'",
        "{text} similar to '%(a|b)%'",
        "{int} < {int}",
        "{int} between 1 and 50",
        "{num} > {num}",
        "{date} >= {date}",
        "{uuid} = {uuid}",
        "{text} in ('ann', {text})",
        "{int} = any (array[1, {int}])",
        "{text} is null",
        "{int} is not null",
        "{text} is distinct from {text}",
        "not {bool}",
        "{bool} and {bool}",
        "{bool} or {bool}",
        "{bool} is true",
        "({text}, {int}) = ({text}, {int})",
        "row({int}, {text}) is null",
        "{jsonb} ? 'a'",
        "{jsonb} @> '{\"n\": 1}'",
        "{arr} @> array['a']",
        "{arr} && {arr}",
        "starts_with({text}, 'a')",
        "{enum} > 'glad'",
    ),
    "date": ("{date} + 1", "{ts}::date", "make_date(2020, 1, 1)", "{date} - 3"),
    "ts": ("date_trunc('month', {ts})", "{date}::timestamp", "{ts} + interval '1 day'"),
    "jsonb": (
        "to_jsonb({text})",
        "to_jsonb({int})",
        "to_jsonb({arr})",
        "to_jsonb({pair})",
        "jsonb_build_object('a', {text}, 'n', {int})",
        "jsonb_build_array({text}, {num}, {date})",
        "{json}::jsonb",
        "{jsonb} -> 'a'",
        "{jsonb} #> '{a,b}'",
        "jsonb_strip_nulls({jsonb})",
        "jsonb_path_query_first({jsonb}, '$.a')",
    ),
    "json": (
        "to_json({text})",
        "json_build_object('a', {text}, 'b', {bool})",
        "json_build_array({int}, {text})",
        "{jsonb}::json",
        "{json} -> 'a'",
        "row_to_json(row({text}, {int}))",
        "array_to_json({arr})",
    ),
    "arr": (
        "array[{text}, {text}]",
        "{arr} || {text}",
        "array_append({arr}, {text})",
        "array_remove({arr}, {text})",
        "string_to_array({text}, ' ')",
        "({arr})[1:2]",
        "regexp_split_to_array({text}, ' ')",
        "array_replace({arr}, 'a', {text})",
        "regexp_match({text}, '([a-z])(.)')",
    ),
    "uuid": ("({uuid})",),
    "bytea": (
        "sha256({bytea})",
        "convert_to({text}, 'UTF8')",
        "{bytea} || {bytea}",
        "substr({bytea}, 1, 2)",
        "uuid_send({uuid})",
        "textsend({text})",
        "int8send({int})",
    ),
    "enum": ("({enum})",),
    "pair": ("row({text}, {int})::{s}.pair", "({text}, {int})::{s}.pair"),
}

FAILING: Mapping[str, tuple[str, ...]] = {
    "text": (
        "chr({int}::int)",
        "convert_from({bytea}, 'UTF8')",
        "substr({text}, 1, {int}::int)",
        "regexp_replace('a', {text}, 'b')",
        "{text}::{s}.code",
    ),
    "int": (
        "{text}::int",
        "{int} / {int}",
        "{int} * {int} * {int}",
        "({jsonb} ->> 'n')::int",
        "jsonb_array_length({jsonb})",
        "get_byte({bytea}, 3)",
        "power(10, {int})::int",
    ),
    "num": ("{text}::numeric", "{num} / {num}", "ln({num})", "sqrt({num})", "{num}::numeric(4,2)"),
    "bool": ("{text}::bool", "1 / {int} > 0", "'a' ~ {text}"),
    "date": ("{text}::date", "make_date({int}::int, {int}::int, 1)", "{date} + {int}::int * 1000000"),
    "ts": ("{text}::timestamp",),
    "jsonb": ("{text}::jsonb", "{jsonb} - 'a'", "jsonb_set({jsonb}, '{a}', '1')"),
    "json": ("{text}::json", "json_build_object({text}, 1)"),
    "arr": ("{text}::text[]",),
    "uuid": ("{text}::uuid",),
    "bytea": ("decode({text}, 'hex')", "{text}::bytea"),
    "enum": ("{text}::{s}.mood",),
    "pair": ("{text}::{s}.pair",),
}
"""What some values make fail."""


NEWER: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    16: {
        "json": (
            "json_object('a': {text}, 'b': {int})",
            "json_array({text}, {date})",
            "json_array(select {text} limit 1)",
        ),
        "text": ("json_array({int}, {text})::text",),
    },
    17: {
        "text": (
            "json_value({jsonb}, '$.a')",
            "json_serialize({json})",
            "json_value({jsonb}, '$.b' default {text} on empty)",
        ),
        "bool": ("json_exists({jsonb}, '$.a')",),
        "jsonb": ("json_query({jsonb}, '$.a')",),
    },
}
"""Since which version there is more."""


def templates(kind: str, version: int = 15) -> tuple[str, ...]:
    """How a value of the kind is computed from others; none fails by a value."""
    hole = "{" + kind + "}"
    found = _TEMPLATES[kind] + tuple(each.replace("{T}", hole) for each in _SAME)
    if kind in ORDERED and kind != "pair":
        found += tuple(each.replace("{T}", hole) for each in _ORDERED)
    for since, more in NEWER.items():
        if version >= since:
            found += more.get(kind, ())
    return found


def cleaned(template: str) -> str:
    """The template for clean values: `{text}` becomes `{text!}`."""
    return HOLE.sub(lambda found: "{" + found[1] + "!}", template)


AGGREGATES: Mapping[str, tuple[str, ...]] = {
    "text": (
        "max({text})",
        "min({text})",
        "string_agg({text}, ',')",
        "string_agg({text}, '' order by {int!})",
        "(array_agg({text}))[1]",
    ),
    "int": (
        "max({int})",
        "min({int})",
        "count(*)::int",
        "sum({int})::int",
        "count({int!})::int",
        "count(distinct {text!})::int",
        "bit_and({int})",
        "length(string_agg({text}, ''))",
    ),
    "num": ("sum({num})", "avg({num})", "avg({int})", "max({num})", "stddev({num})", "min({num})"),
    "bool": ("bool_or({bool})", "bool_and({bool})", "every({bool})"),
    "date": ("max({date})", "min({date})"),
    "ts": ("max({ts})", "min({ts})"),
    "jsonb": ("jsonb_agg({text})", "jsonb_agg({int})", "jsonb_object_agg(coalesce({int!}, 0), {text})"),
    "json": ("json_agg({text})", "json_agg({json})"),
    "arr": ("array_agg({text})", "array_agg({text} order by {int!})", "array_agg(distinct {text!})"),
}
WINDOWED: Mapping[str, tuple[str, ...]] = {
    "text": (
        "lag({text}) OVER",
        "lead({text}, 1, 'none') OVER",
        "first_value({text}) OVER",
        "last_value({text}) OVER",
        "max({text}) OVER",
        "string_agg({text}, '') OVER",
    ),
    "int": (
        "row_number() OVER::int",
        "rank() OVER::int",
        "sum({int}) OVER::int",
        "lag({int}) OVER",
        "ntile(2) OVER",
        "count(*) OVER::int",
    ),
    "num": ("avg({num}) OVER", "sum({num}) OVER", "first_value({num}) OVER"),
    "date": ("lag({date}) OVER", "max({date}) OVER"),
}
"""`OVER` stands for a window."""
