"""COPY: what its columns are and what its options make of the bytes."""

from __future__ import annotations

import pytest

from narrows.model.copy import Copy, CopyDirection, CopyFormat
from tests.inspect.sql.sample import SNAPSHOT, analyse, marks, reason


def copy(text: str) -> Copy:
    found = analyse(text).parts[0].copy
    assert found is not None
    return found


def columns(text: str) -> list[tuple[str, str, int]] | None:
    """(name, relation, attnum) of each column; an empty relation where it does not trace."""
    found = copy(text).columns
    if found is None:
        return None
    names = {0: ""} | {oid: relation.name for oid, relation in SNAPSHOT.relations.items()}
    return [(each.name, names[each.relation_oid], each.attnum) for each in found]


def test_the_columns_of_a_table_are_all_but_generated_ones() -> None:
    names = [name for name, _, _ in columns("COPY payroll TO STDOUT") or []]
    assert names == ["emp_id", "name", "salary", "bank_iban"]
    assert columns("COPY customers (ssn, id) TO STDOUT") == [("ssn", "customers", 4), ("id", "customers", 1)]
    assert columns("COPY customers (nobody) TO STDOUT") == [("nobody", "", 0)]


def test_the_columns_of_a_query_trace_to_tables_where_they_are_plain() -> None:
    text = "COPY (SELECT ssn AS x, upper(ssn), c.id FROM customers c) TO STDOUT"
    assert columns(text) == [("x", "customers", 4), ("upper", "", 0), ("id", "customers", 1)]
    assert marks(analyse(text)) == "d"
    assert columns("COPY (SELECT x FROM (SELECT ssn AS x FROM customers) s) TO STDOUT") == [
        ("x", "customers", 4)
    ]
    assert columns("COPY (DELETE FROM customers WHERE id=1 RETURNING ssn) TO STDOUT") == [
        ("ssn", "customers", 4)
    ]
    assert columns("COPY (SELECT ssn FROM customers UNION SELECT 'a') TO STDOUT") == [("ssn", "", 0)]


def test_a_query_of_unknown_width_has_no_columns() -> None:
    assert columns("COPY (SELECT * FROM nowhere) TO STDOUT") is None
    assert columns("COPY nowhere TO STDOUT") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY orders TO STDOUT", Copy(CopyDirection.OUT)),
        ("COPY orders FROM STDIN", Copy(CopyDirection.IN)),
        (
            "COPY orders TO STDOUT (FORMAT csv)",
            Copy(CopyDirection.OUT, CopyFormat.CSV, delimiter=b",", null=b""),
        ),
        (
            "COPY orders TO STDOUT CSV HEADER",
            Copy(CopyDirection.OUT, CopyFormat.CSV, delimiter=b",", null=b"", has_header=True),
        ),
        (
            "COPY orders TO STDOUT (FORMAT csv, HEADER false)",
            Copy(CopyDirection.OUT, CopyFormat.CSV, delimiter=b",", null=b""),
        ),
        (
            "COPY orders FROM STDIN (FORMAT csv, HEADER match)",
            Copy(CopyDirection.IN, CopyFormat.CSV, delimiter=b",", null=b"", has_header=True),
        ),
        (
            "COPY orders TO STDOUT (FORMAT csv, QUOTE '4', DELIMITER '|', NULL 'n')",
            Copy(CopyDirection.OUT, CopyFormat.CSV, delimiter=b"|", null=b"n", quote=b"4", escape=b"4"),
        ),
        (
            "COPY orders TO STDOUT (ESCAPE 'e', QUOTE '4', FORMAT csv, FORCE_QUOTE *)",
            Copy(CopyDirection.OUT, CopyFormat.CSV, delimiter=b",", null=b"", quote=b"4", escape=b"e"),
        ),
        ("COPY orders TO STDOUT WITH BINARY", Copy(CopyDirection.OUT, CopyFormat.BINARY)),
        ("COPY orders TO STDOUT (FORMAT binary)", Copy(CopyDirection.OUT, CopyFormat.BINARY)),
        ("COPY orders TO STDOUT DELIMITER ',' NULL 'x'", Copy(CopyDirection.OUT, delimiter=b",", null=b"x")),
        ("COPY orders TO STDOUT (ENCODING 'LATIN1')", Copy(CopyDirection.OUT, encoding_is_utf8=False)),
        ("COPY orders TO STDOUT (ENCODING 'utf-8')", Copy(CopyDirection.OUT)),
        ("COPY orders FROM STDIN (FREEZE, ON_ERROR ignore)", Copy(CopyDirection.IN)),
    ],
)
def test_the_options_say_how_values_are_written(text: str, expected: Copy) -> None:
    found = copy(text)
    names = ("direction", "format", "delimiter", "null", "quote", "escape", "has_header", "encoding_is_utf8")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]


def test_an_unknown_option_or_format_is_refused() -> None:
    assert reason(analyse("COPY orders TO STDOUT (FORMAT parquet)")) == "UNSUPPORTED"
    assert reason(analyse("COPY orders TO STDOUT (NEWS 'x')")) == "UNSUPPORTED"


def test_server_files_are_no_copy_with_the_client() -> None:
    assert analyse("COPY orders FROM '/x'").parts[0].copy is None
    assert analyse("COPY orders TO PROGRAM 'x'").parts[0].copy is None
