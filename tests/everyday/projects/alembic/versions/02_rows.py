import sqlalchemy as sa
from alembic import op

revision = "02"
down_revision = "01"


def upgrade():
    places = sa.table("places", sa.column("code"), sa.column("name"), schema="warehouse")
    op.bulk_insert(places, [{"code": f"P{n}", "name": f"place {n}" if n % 2 else None} for n in range(40)])


def downgrade():
    op.execute("DELETE FROM warehouse.places WHERE code LIKE 'P%'")
