"""Alembic's entry: runs the migrations on the connection, and in the transaction, that `upgrade` holds."""

from __future__ import annotations

from alembic import context

from narrows.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # true for SQLite as well, since the engine sends BEGIN itself
)
with context.begin_transaction():
    context.run_migrations()
