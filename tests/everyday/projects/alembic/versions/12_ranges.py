import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSTZRANGE

revision = "12"
down_revision = "11"


def upgrade():
    op.add_column("items", sa.Column("held", TSTZRANGE), schema="warehouse")
    op.execute("UPDATE warehouse.items SET held = tstzrange('2024-01-01', '2024-02-01') WHERE id % 2 = 0")
    op.execute("COMMENT ON COLUMN warehouse.items.held IS 'until when'")
    op.execute("COMMENT ON COLUMN warehouse.items.held IS NULL")


def downgrade():
    op.drop_column("items", "held", schema="warehouse")
