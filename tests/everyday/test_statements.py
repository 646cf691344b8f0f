"""What tools ask by themselves, statement by statement: the same columns, types and rows as without the gateway.

The corpora stand in tests/leaks/harmless, by tool; real dbt, Django, psql and pgjdbc are run in the files beside this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.everyday.world import Door, World
from tests.leaks import world as leaks

CORPORA = sorted(Path(leaks.__file__).with_name("harmless").glob("*.yaml"))


def _statements(path: Path) -> list[Mapping[str, Any]]:
    written = yaml.safe_load(path.read_text())
    return [each if isinstance(each, dict) else {"sql": each} for each in written["statements"]]


@contextmanager
def _connection(door: Door) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**door.parameters, autocommit=True) as connection:
        connection.cursor_factory = psycopg.RawCursor
        yield connection


def _ask(connection: psycopg.Connection[Any], statement: Mapping[str, Any]) -> object:
    try:
        cursor = connection.execute(statement["sql"], statement.get("parameters"))
    except psycopg.Error as error:
        return f"{error.sqlstate}: {error}"
    if cursor.description is None:
        return cursor.statusmessage
    columns = [(column.name, column.type_code) for column in cursor.description]
    rows = cursor.fetchall()
    return columns, rows if "order by" in statement["sql"].lower() else sorted(rows, key=repr)


@pytest.mark.parametrize("path", CORPORA, ids=lambda path: path.stem)
def test_what_tools_ask_by_themselves(world: World, path: Path) -> None:
    """Each for itself, so that all that differs is seen at once."""
    statements = _statements(path)
    with _connection(world.through) as through, _connection(world.direct) as direct:
        answers = [(each["sql"], _ask(through, each), _ask(direct, each)) for each in statements]
    failed = [text for text, _, said in answers if isinstance(said, str) and said[5:7] == ": "]
    assert failed == [], "these are no statements that the server answers"
    assert [(text, ours, theirs) for text, ours, theirs in answers if ours != theirs] == []
