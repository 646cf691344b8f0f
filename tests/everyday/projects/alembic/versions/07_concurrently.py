import sqlalchemy as sa
from alembic import op

revision = "07"
down_revision = "06"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE warehouse.kind ADD VALUE IF NOT EXISTS 'spoilt'")
        op.create_index(
            "items_facts",
            "items",
            ["facts"],
            schema="warehouse",
            postgresql_using="gin",
            postgresql_concurrently=True,
        )
    op.create_index(
        "items_ready", "items", ["title"], schema="warehouse", postgresql_where=sa.text("kind = 'ready'")
    )


def downgrade():
    op.drop_index("items_ready", "items", schema="warehouse")
    with op.get_context().autocommit_block():
        op.drop_index("items_facts", "items", schema="warehouse", postgresql_concurrently=True)
