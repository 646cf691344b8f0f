import sqlalchemy as sa
from alembic import op

revision = "06"
down_revision = "05"


def upgrade():
    bind = op.get_bind()
    places = bind.execute(sa.text("SELECT id, code FROM warehouse.places ORDER BY id")).all()
    rows = [{"place": id_, "title": f"thing of {code}"} for id_, code in places]
    text = "INSERT INTO warehouse.items (place_id, kind, title) VALUES (:place, 'raw', :title)"
    bind.execute(sa.text(text), rows)
    bind.execute(
        sa.text(
            "UPDATE warehouse.items i SET weight = p.width * 2, facts = jsonb_build_object('code', p.code)"
            " FROM warehouse.places p WHERE p.id = i.place_id"
        )
    )
    counted = bind.scalar(sa.text("SELECT count(*) FROM warehouse.items WHERE weight > 1"))
    if counted != len(places):
        raise RuntimeError(f"{counted} of {len(places)} items have a weight")


def downgrade():
    op.execute("DELETE FROM warehouse.items WHERE kind = 'raw'")
