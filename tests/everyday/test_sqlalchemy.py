"""SQLAlchemy reads a protected schema by its inspector and its MetaData as it does without the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from tests.everyday.world import Door, World


@contextmanager
def _engine(door: Door) -> Iterator[sa.Engine]:
    given = dict(door.parameters)
    url = sa.URL.create(
        "postgresql+psycopg",
        given["user"],
        given["password"],
        given["host"],
        given["port"],
        given["dbname"],
    )
    engine = sa.create_engine(
        url, connect_args={"sslmode": given["sslmode"], "sslrootcert": given["sslrootcert"]}
    )
    try:
        yield engine
    finally:
        engine.dispose()


def _inspected(door: Door) -> dict[str, Any]:
    with _engine(door) as engine:
        inspector = sa.inspect(engine)
        kinds = {"kind": sa.engine.reflection.ObjectKind.ANY, "scope": sa.engine.reflection.ObjectScope.ANY}
        multi = {
            name: getattr(inspector, f"get_multi_{name}")(**kinds)
            for name in (
                "columns",
                "pk_constraint",
                "foreign_keys",
                "indexes",
                "unique_constraints",
                "check_constraints",
                "table_comment",
                "table_options",
            )
        }
        multi["columns"] = {
            table: [{**column, "type": str(column["type"])} for column in columns]
            for table, columns in multi["columns"].items()
        }
        return {
            **multi,
            "schemas": inspector.get_schema_names(),
            "tables": {schema: inspector.get_table_names(schema) for schema in inspector.get_schema_names()},
            "views": inspector.get_view_names(),
            "materialized": inspector.get_materialized_view_names(),
            "temporary": (inspector.get_temp_table_names(), inspector.get_temp_view_names()),
            "sequences": inspector.get_sequence_names(),
            "enums": inspector.get_enums(),  # type: ignore[attr-defined]
            "domains": inspector.get_domains(),  # type: ignore[attr-defined]
            "definition": inspector.get_view_definition("v_codes"),
            "has": [inspector.has_table(name) for name in ("customers", "v_orders", "nothing")],
        }


def test_the_inspector(world: World) -> None:
    through, direct = (_inspected(door) for door in world.doors)
    assert {name: (through[name], said) for name, said in direct.items() if through[name] != said} == {}


def _reflected(door: Door) -> list[str]:
    with _engine(door) as engine:
        metadata = sa.MetaData()
        metadata.reflect(engine, views=True)
        return [str(CreateTable(table).compile(engine)) for table in metadata.sorted_tables]


def test_the_whole_schema_is_reflected(world: World) -> None:
    through, direct = (_reflected(door) for door in world.doors)
    assert through == direct
    assert len(direct) > 12
