import sqlalchemy as sa
from alembic import op

revision = "01"
down_revision = None


def upgrade():
    op.execute("CREATE SCHEMA warehouse")
    op.create_table(
        "places",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("name", sa.Text),
        schema="warehouse",
        comment="where things are",
    )


def downgrade():
    op.drop_table("places", schema="warehouse")
    op.execute("DROP SCHEMA warehouse")
