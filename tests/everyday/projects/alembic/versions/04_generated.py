import sqlalchemy as sa
from alembic import op

revision = "04"
down_revision = "03"


def upgrade():
    sides = (("width", "3.5"), ("depth", "2"))
    for name, default in sides:
        op.add_column(
            "places",
            sa.Column(name, sa.Numeric(6, 2), nullable=False, server_default=default),
            schema="warehouse",
        )
        op.alter_column("places", name, server_default=None, schema="warehouse")
    op.add_column(
        "places",
        sa.Column("area", sa.Numeric(8, 2), sa.Computed("width * depth", persisted=True)),
        schema="warehouse",
    )
    op.create_check_constraint("wide_enough", "places", "width > 0", schema="warehouse")


def downgrade():
    op.drop_constraint("wide_enough", "places", schema="warehouse")
    for name in ("area", "width", "depth"):
        op.drop_column("places", name, schema="warehouse")
