"""What sessions know of the schema: changed by one, known to all at once; resolved by each role's own path."""

from __future__ import annotations

import psycopg

from tests.servers import gateway
from tests.servers.postgres import Database

BUILDER = """
@id("frank-builds")
permit (principal == User::"frank", action in [Action::"define", Action::"drop"], resource in Connection::"shop");
"""


def test_a_view_made_by_one_session_is_known_to_another_at_once(shop15: Database) -> None:
    app = shop15.app.user
    shop15.run(f"grant create on schema public to {app}")
    with gateway.started(shop15, files={"policies/builder.cedar": BUILDER}) as gw:
        with (
            psycopg.connect(**gw.parameters("frank"), autocommit=True) as frank,
            psycopg.connect(**gw.parameters("alice"), autocommit=True) as alice,
        ):
            assert alice.execute("select 1").fetchone() == (1,)
            for n in range(20):
                frank.execute(f"create view v{n} as select id, name as plain, ssn as harmless from customers")
                row = alice.execute(f"select harmless from v{n} order by id limit 1").fetchone()
                assert row == ("*******1120",)  # what the column itself shows this caller


def test_names_resolve_by_the_path_of_the_role_that_a_group_uses(shop15: Database) -> None:
    """`customers` is another table for the fraud team's role; its label is that table's, not public's."""
    other = shop15.server.login("shop_fraud")
    shop15.run(
        "create schema fraud; create table fraud.customers (id int, ssn text, nickname text);"
        "insert into fraud.customers values (1, 'fraud-ssn', 'nick');"
        f"grant usage on schema fraud to {other.user}; grant select on all tables in schema fraud to {other.user};"
        f"alter role {other.user} in database {shop15.name} set search_path = fraud, public"
    )
    changes = {
        "connections": {
            "shop": {"credentials": {"fraud": {"user": other.user, "password": "env:FRAUD_PASSWORD"}}}
        }
    }
    labels = "columns:\n  shop:\n    fraud.customers: {nickname: secret}\n    public.customers: {ssn: ssn}\n"
    with gateway.started(
        shop15, changes, {"labels.yaml": labels}, environment={"FRAUD_PASSWORD": other.password}
    ) as gw:
        seen = gw.psql("frank", "select ssn, nickname from customers")
        assert seen.stdout.strip() == "fraud-ssn|***", seen.stderr
        last_four = gw.psql("alice", "select ssn from customers order by id limit 1")
        assert last_four.stdout.strip() == "*******1120", last_four.stderr
        users = shop15.query(
            "select distinct usename from pg_stat_activity where application_name = 'narrows facts'"
        )
        # None stays open once the sessions of its database have ended.
        assert {user for (user,) in users} <= {other.user, shop15.app.user}


def test_a_changed_label_holds_for_open_sessions_after_a_reload(shop15: Database) -> None:
    with gateway.started(shop15) as gw:
        with psycopg.connect(**gw.parameters("alice"), autocommit=True) as alice:
            assert alice.execute("select country from customers where id = 1").fetchone() == ("GB",)
            text = (gw.directory / "labels.yaml").read_text()
            gw.rewrite(
                "labels.yaml",
                text.replace("      name: name\n", "      name: name\n      country: secret\n", 1),
            )
            assert alice.execute("select country from customers where id = 1").fetchone() == ("***",)


def test_a_label_that_names_nothing_is_told(shop15: Database) -> None:
    """A misspelt column would be shown to everybody; doctor and the log say so."""
    labels = "columns:\n  shop:\n    public.customers: {sssn: ssn, card: card}\n    public.nobody: {x: pii}\n"
    with gateway.started(shop15, files={"labels.yaml": labels}) as gw:
        assert (
            gw.psql("alice", "select card from customers where id = 1").stdout.strip() == "************1111"
        )
        told = gw.narrows("doctor", "--config", str(gw.directory), is_ok=False)
        assert "public.customers.sssn" in told
        assert "public.nobody.x" in told
        assert "public.customers.card" not in told
        assert "labels_name_nothing" in gw.log


def test_a_credential_that_is_not_stored_is_named(shop15: Database) -> None:
    with gateway.started(shop15) as gw:
        gw.operate("credentials", "delete", "shop")
        gw.reload()
        refused = gw.psql("alice", "select 1")
        if refused.returncode == 0:  # the schema was read with it before
            return
        assert "NW037" in refused.stderr
        assert "credential" in refused.stderr
