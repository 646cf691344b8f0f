from alembic import op

revision = "10"
down_revision = "09"


def upgrade():
    op.execute(
        "CREATE VIEW warehouse.heavy AS SELECT i.title, p.code FROM warehouse.items i"
        " JOIN warehouse.places p ON p.id = i.place_id WHERE i.weight > 5"
    )
    op.execute(
        "CREATE MATERIALIZED VIEW warehouse.by_month AS SELECT date_trunc('month', at) AS month, count(*) AS moves"
        " FROM warehouse.moves GROUP BY 1"
    )
    op.execute("CREATE UNIQUE INDEX by_month_key ON warehouse.by_month (month)")
    op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY warehouse.by_month")


def downgrade():
    op.execute("DROP MATERIALIZED VIEW warehouse.by_month")
    op.execute("DROP VIEW warehouse.heavy")
