"""What the last revision should have made, for autogenerate to compare with."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB, TSTZRANGE

METADATA = sa.MetaData(schema="warehouse")
KIND = ENUM("raw", "ready", "spoilt", name="kind", schema="warehouse")

places = sa.Table(
    "places",
    METADATA,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("code", sa.String(12), nullable=False, unique=True),
    sa.Column("label", sa.Text, server_default="none", nullable=False),
    sa.Column("area", sa.Numeric(8, 2), sa.Computed("width * depth", persisted=True)),
    sa.Column("width", sa.Numeric(6, 2), nullable=False),
    sa.Column("depth", sa.Numeric(6, 2), nullable=False),
    sa.CheckConstraint("width > 0", name="wide_enough"),
    comment="where things are",
)
items = sa.Table(
    "items",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column(
        "place_id",
        sa.Integer,
        sa.ForeignKey("warehouse.places.id", name="item_place", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("kind", KIND, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("facts", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column("words", ARRAY(sa.Text)),
    sa.Column("weight", sa.Double),
    sa.Column("held", TSTZRANGE),
    sa.Index("items_by_place", "place_id", "title"),
    sa.Index("items_facts", "facts", postgresql_using="gin"),
    sa.Index("items_ready", "title", postgresql_where=sa.text("kind = 'ready'")),
    sa.UniqueConstraint("place_id", "title", name="one_of_a_title"),
)
moves = sa.Table(
    "moves",
    METADATA,
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Date, nullable=False),
    sa.Column("item_id", sa.BigInteger),
    sa.PrimaryKeyConstraint("id", "at"),
    postgresql_partition_by="RANGE (at)",
)
