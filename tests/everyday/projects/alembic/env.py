"""Alembic's environment: the database is what the PG* variables say; what to compare with stands in tables.py."""

import os

import sqlalchemy as sa
from alembic import context
from tables import METADATA

SCHEMA = "warehouse"


def _own(name, kind, parents):
    """Autogenerate looks at our schema alone, and not at partitions and views."""
    if kind == "schema":
        return name == SCHEMA
    return kind != "table" or not name.startswith("moves_")


url = sa.URL.create(
    "postgresql+psycopg",
    os.environ["PGUSER"],
    os.environ["PGPASSWORD"],
    os.environ["PGHOST"],
    int(os.environ["PGPORT"]),
    os.environ["PGDATABASE"],
)
tls = {"sslmode": os.environ["PGSSLMODE"], "sslrootcert": os.environ["PGSSLROOTCERT"]}
engine = sa.create_engine(url, connect_args=tls, poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        include_name=_own,
        compare_server_default=True,
        version_table_schema="public",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
