import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB

revision = "05"
down_revision = "04"


KIND = ENUM("raw", "ready", name="kind", schema="warehouse")


def upgrade():
    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "place_id", sa.Integer, sa.ForeignKey("warehouse.places.id", name="item_place"), nullable=False
        ),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("facts", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("words", ARRAY(sa.Text)),
        sa.Column("weight", sa.Double),
        schema="warehouse",
    )
    op.create_index("items_by_place", "items", ["place_id", "title"], schema="warehouse")


def downgrade():
    op.drop_table("items", schema="warehouse")
    KIND.drop(op.get_bind())
