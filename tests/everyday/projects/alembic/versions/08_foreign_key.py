from alembic import op

revision = "08"
down_revision = "07"


def upgrade():
    op.drop_constraint("item_place", "items", schema="warehouse")
    op.create_foreign_key(
        "item_place",
        "items",
        "places",
        ["place_id"],
        ["id"],
        source_schema="warehouse",
        referent_schema="warehouse",
        ondelete="CASCADE",
        postgresql_not_valid=True,
    )
    op.execute("ALTER TABLE warehouse.items VALIDATE CONSTRAINT item_place")
    op.create_unique_constraint("one_of_a_title", "items", ["place_id", "title"], schema="warehouse")


def downgrade():
    op.drop_constraint("one_of_a_title", "items", schema="warehouse")
    op.drop_constraint("item_place", "items", schema="warehouse")
    op.create_foreign_key(
        "item_place",
        "items",
        "places",
        ["place_id"],
        ["id"],
        source_schema="warehouse",
        referent_schema="warehouse",
    )
