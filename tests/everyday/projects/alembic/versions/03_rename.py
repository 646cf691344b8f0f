import sqlalchemy as sa
from alembic import op

revision = "03"
down_revision = "02"


def upgrade():
    op.alter_column("places", "name", new_column_name="label", schema="warehouse")
    op.execute("UPDATE warehouse.places SET label = 'none' WHERE label IS NULL")
    op.alter_column("places", "label", nullable=False, server_default="none", schema="warehouse")
    op.alter_column("places", "code", type_=sa.String(12), schema="warehouse")
    op.create_unique_constraint("places_code_key", "places", ["code"], schema="warehouse")


def downgrade():
    op.drop_constraint("places_code_key", "places", schema="warehouse")
    op.alter_column("places", "code", type_=sa.String(8), schema="warehouse")
    op.alter_column("places", "label", nullable=True, server_default=None, schema="warehouse")
    op.execute("UPDATE warehouse.places SET label = NULL WHERE label = 'none'")
    op.alter_column("places", "label", new_column_name="name", schema="warehouse")
