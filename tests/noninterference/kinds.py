"""What a column may be made of, and the values it may hold: few, of several lengths, so that conditions meet them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of types between which PostgreSQL converts by itself."""

    name: str
    types: tuple[str, ...]
    """As a column is declared; `{s}` is the schema."""
    cast: str
    """What a literal or a parameter is cast to."""
    pool: tuple[str, ...]
    """Values of several lengths, in the text form of their type."""
    is_ordered: bool = True
    """Whether values can be compared, sorted and grouped."""
    is_indexable: bool = True


_KINDS = (
    Kind(
        "text",
        ("text", "text", "varchar(200)", "varchar", "char(64)", "public.citext", "{s}.code"),
        "text",
        (
            *(
                "ann",
                "Bob Miller",
                "",
                "529-47-8163",
                "4111 1111 1111 1111",
                "ann@example.org",
                "O'Neil",
                "42",
            ),
            *(
                "2021-03-04",
                "a sentence that is a good deal longer than all of the others",
                "***",
                "zoë",
                "B",
            ),
        ),
    ),
    Kind(
        "int",
        ("int", "int", "bigint", "smallint"),
        "int",
        ("1", "2", "3", "7", "42", "1000", "9999", "-5", "0"),
    ),
    Kind(
        "num",
        ("numeric", "numeric(12,3)", "{s}.amount"),
        "numeric",
        ("0", "1.5", "-3.25", "100", "99999.999", "7"),
    ),
    Kind("bool", ("bool",), "bool", ("true", "false")),
    Kind("date", ("date",), "date", ("1970-01-01", "1999-12-31", "2021-03-04", "2024-02-29", "2030-07-15")),
    Kind(
        "ts",
        ("timestamp",),
        "timestamp",
        ("1970-01-01 00:00:00", "1999-12-31 23:59:59", "2021-03-04 05:06:07.89"),
    ),
    Kind(
        "jsonb",
        ("jsonb",),
        "jsonb",
        (
            '{"a": "x", "n": 1}',
            '{"a": {"b": "deep"}, "n": 20}',
            "[1, 2, 3]",
            '"scalar"',
            '{"a": "a longer text than x"}',
        ),
    ),
    Kind(
        "json",
        ("json",),
        "json",
        ('{"a": "x", "n": 1}', '{"n": 20, "a": {"b": "deep"}}', '{"a": [1, 2]}', '{"b": "other"}'),
        is_ordered=False,
        is_indexable=False,
    ),
    Kind(
        "arr",
        ("text[]",),
        "text[]",
        ("{}", "{a}", "{a,b}", "{ann,NULL,bob}", '{"longer than the others",x,y,z}'),
    ),
    Kind(
        "uuid",
        ("uuid",),
        "uuid",
        tuple(
            f"00000000-0000-4000-8000-{number:012x}" for number in (1, 2, 255, 4096, 99999999, 123456789012)
        ),
    ),
    Kind(
        "bytea",
        ("bytea",),
        "bytea",
        ("\\x", "\\x00", "\\xdeadbeef", "\\x616e6e", "\\x00112233445566778899aabbccddeeff"),
    ),
    Kind("enum", ("{s}.mood",), "{s}.mood", ("calm", "glad", "sad", "angry")),
    Kind("pair", ("{s}.pair",), "{s}.pair", ("(ann,1)", "(bob,22)", "(,)", '("longer than the others",3)')),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
USUAL = (
    "text",
    "text",
    "text",
    "int",
    "int",
    "num",
    "bool",
    "date",
    "ts",
    "jsonb",
    "json",
    "arr",
    "uuid",
    "bytea",
    "enum",
    "pair",
)
"""How often a column is of which kind."""

ORDERED = tuple(kind.name for kind in _KINDS if kind.is_ordered)
