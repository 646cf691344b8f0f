"""The one thing that SQLite and PostgreSQL spell alike and SQLAlchemy does not: insert or else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def upsert(connection: Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Insert the row, or give the one of the same primary key these values."""
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in row.items() if name not in key}
    insert = _insert(connection, table).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=others))


def insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, leaving alone those whose primary key is there already."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def _insert(connection: Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
