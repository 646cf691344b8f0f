"""Brings a store to the schema of this version, under one lock, in one transaction.

Law: a store that a newer version wrote is left alone. There is no way down: restore the backup instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from narrows.store.errors import StoreError

if TYPE_CHECKING:
    from narrows.store.engine import Store

_LOCK = 0x6E_72_77_73
"""Advisory lock in PostgreSQL: gateways that start together migrate one after the other."""


def upgrade(store: Store) -> None:
    """Run what is missing; also proves that the store can be written."""
    config = _config()
    script = ScriptDirectory.from_config(config)
    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        current = revision(connection)
        if current == script.get_current_head():
            return
        if current is not None and current not in {step.revision for step in script.walk_revisions()}:
            raise StoreError(
                f"The store {store.where} was written by a newer narrows (schema {current})",
                "Upgrade narrows, or restore the backup that was made before the upgrade.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """The schema revision of a store; None where it is empty."""
    return MigrationContext.configure(connection, opts={"transactional_ddl": True}).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
