from alembic import op

revision = "11"
down_revision = "10"


def upgrade():
    op.execute("CREATE SEQUENCE warehouse.tickets START 100")
    op.execute(
        "CREATE TABLE warehouse.tickets_taken (n bigint PRIMARY KEY DEFAULT nextval('warehouse.tickets'), who text)"
    )
    op.execute("ALTER SEQUENCE warehouse.tickets OWNED BY warehouse.tickets_taken.n")
    op.execute(
        "INSERT INTO warehouse.tickets_taken (who) SELECT code FROM warehouse.places ORDER BY id LIMIT 5"
    )
    op.drop_table("tickets_taken", schema="warehouse")


def downgrade():
    pass
