from alembic import op

revision = "09"
down_revision = "08"


def upgrade():
    op.execute(
        "CREATE TABLE warehouse.moves (id bigint NOT NULL, at date NOT NULL, item_id bigint, PRIMARY KEY (id, at))"
        " PARTITION BY RANGE (at)"
    )
    for year in (2024, 2025):
        op.execute(
            f"CREATE TABLE warehouse.moves_{year} PARTITION OF warehouse.moves"
            f" FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')"
        )
    op.execute(
        "INSERT INTO warehouse.moves SELECT n, date '2024-03-01' + n * 9, n FROM generate_series(1, 60) n"
    )
    op.execute("CREATE TABLE warehouse.moves_2026 (LIKE warehouse.moves INCLUDING ALL)")
    op.execute(
        "ALTER TABLE warehouse.moves ATTACH PARTITION warehouse.moves_2026"
        " FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
    )


def downgrade():
    op.execute("ALTER TABLE warehouse.moves DETACH PARTITION warehouse.moves_2026")
    op.drop_table("moves_2026", schema="warehouse")
    op.drop_table("moves", schema="warehouse")
