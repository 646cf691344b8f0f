"""Tokens, credentials and the journal's index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _tokens()
    _credentials()
    _journal_index()


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_kind_name", "tokens", ["kind", "name"])
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"])


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("ca_fingerprint", sa.Text, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_credentials"),
    )


def _journal_index() -> None:
    op.create_table(
        "journal_index",
        sa.Column("id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("id", name="pk_journal_index"),
    )
    op.create_index("ix_journal_index_at_seq_id", "journal_index", ["at", "seq", "id"])
    for column in ("principal", "connection", "verdict"):
        op.create_index(f"ix_journal_index_{column}_at", "journal_index", [column, "at"])
    op.create_table(
        "journal_tables",
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("record", "name", name="pk_journal_tables"),
        sa.ForeignKeyConstraint(
            ["record"], ["journal_index.id"], name="fk_journal_tables_record", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_journal_tables_name", "journal_tables", ["name"])
    op.create_table(
        "journal_positions",
        sa.Column("writer", sa.Text, nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_journal_positions"),
    )
