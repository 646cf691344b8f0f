"""The tables. A change here needs a migration; a test compares the two on SQLite and on PostgreSQL.

Times are seconds since the epoch. Nothing here opens anything: a token is kept as a hash, a credential
as ciphertext.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.Double),
    sa.Column("revoked_by", sa.Text),
    sa.Column("last_used_at", sa.Double),
    sa.Index(None, "kind", "name"),
    sa.Index(None, "expires_at"),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("ca_fingerprint", sa.Text, nullable=False),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False),
)

journal_index = sa.Table(
    "journal_index",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("session", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("groups", sa.JSON, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("policies", sa.JSON, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("masked", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index(None, "at", "seq", "id"),
    sa.Index(None, "principal", "at"),
    sa.Index(None, "connection", "at"),
    sa.Index(None, "verdict", "at"),
)

journal_tables = sa.Table(
    "journal_tables",
    metadata,
    sa.Column("record", sa.Text, sa.ForeignKey("journal_index.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Index(None, "name"),
)

journal_positions = sa.Table(
    "journal_positions",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("segment", sa.BigInteger, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
