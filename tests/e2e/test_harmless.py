"""Everyday statements pass: refusing too much is a defect too.

The statements are those that a pipeline runs all day on tables of which some columns are protected. The caller
may do everything and reveal nothing; each must be answered with the messages that it is answered with directly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from narrows.wire.postgres.message import Message
from tests.e2e import world as worlds
from tests.e2e.raw import SYNC, Raw, errors, extended, query, values
from tests.e2e.world import World
from tests.servers.postgres import Postgres

SCHEMA = Path(__file__).with_name("harmless.sql")

LABELS = """
labels: {}
columns:
  shop:
    public.customers: {email: email, ssn: ssn, phone: phone, card: card, dob: dob, note: free_text}
    public.payroll: {salary: salary, bank_iban: iban}
    public.profiles: {data: pii, emails: pii}
    public.events: {cust_email: email}
trusted_functions:
  shop: [public.full_price]
"""
POLICY = """
@id("pipelines-work")
permit (
    principal in Group::"workers",
    action in [Action::"session", Action::"read", Action::"write", Action::"condition"],
    resource in Connection::"shop"
);
@id("pipelines-call-functions-by-name")
permit (principal in Group::"workers", action == Action::"call", resource == Function::"shop/public.full_price");
"""
CHANGES: dict[str, Any] = {
    "groups": {"workers": {}},
    "services": {"worker": {"groups": ["workers"]}},
}
NOTHING = "// no policy of this name here\n"

STATEMENTS = {
    "06": "SET statement_timeout='5s'",
    "07": "BEGIN; SELECT 1; COMMIT",
    "09": "SELECT id, name FROM customers ORDER BY id LIMIT 10 OFFSET 20",
    "10": "SELECT count(*) FROM customers",
    "11": "SELECT count(*) FROM customers c JOIN orders o ON o.customer_id=c.id WHERE o.status='paid'",
    "12": "SELECT c.name, sum(o.amount) AS total FROM customers c JOIN orders o ON o.customer_id=c.id"
    " GROUP BY c.name ORDER BY total DESC LIMIT 5",
    "14": "SELECT status, count(*), avg(amount) FROM orders GROUP BY status",
    "15": "SELECT date_trunc('month',created) m, sum(amount) FROM orders GROUP BY 1 ORDER BY 1",
    "16": "WITH t AS (SELECT customer_id, max(created) d FROM orders GROUP BY 1)"
    " SELECT c.name, t.d FROM t JOIN customers c ON c.id=t.customer_id",
    "17": "SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY created) FROM orders WHERE id<10",
    "18": "SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id=c.id) FROM customers c WHERE c.id<5",
    "19": "SELECT name FROM customers WHERE vip",
    "22": "SELECT coalesce(name,'-') FROM customers WHERE id=2",
    "23": "INSERT INTO orders VALUES (900,1,9.99,'new','2024-05-05')",
    "25": "UPDATE orders SET status='sent' WHERE id=5",
    "26": "UPDATE customers SET vip=true WHERE id=3",
    "27": "UPDATE customers SET email='new@corp.example' WHERE id=3",
    "28": "DELETE FROM orders WHERE id=120",
    "31": "SELECT id, label FROM v_codes WHERE id<3",
    "34": "SELECT emp_id, name FROM payroll",
    "35": "SELECT cust_id FROM profiles",
    "36": "SELECT full_price(amount) FROM orders WHERE id=1",
    "39": "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace"
    " WHERE relkind='r' AND nspname='public' ORDER BY 1",
    "42": "SELECT oid, typname FROM pg_type WHERE typname='jsonb'",
    "43": "EXPLAIN SELECT name FROM customers WHERE id=1",
    "44": "SELECT EXISTS (SELECT 1 FROM orders WHERE customer_id=1)",
    "45": "SELECT o.id, CASE WHEN o.amount>100 THEN 'big' ELSE 'small' END FROM orders o WHERE id<4",
    "47": "SELECT array_agg(id ORDER BY id) FROM orders WHERE customer_id=2",
    "48": "SELECT json_agg(json_build_object('id',id,'name',name)) FROM customers WHERE id<3",
    "49": "SELECT row_to_json(o) FROM orders o WHERE id=1",
    "53": "PREPARE q(int) AS SELECT name FROM customers WHERE id=$1; EXECUTE q(1)",
    "54": "BEGIN; DECLARE c CURSOR FOR SELECT id,name FROM customers; FETCH 5 FROM c; COMMIT",
    "55": "SELECT id, name FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE amount>100)",
    "56": "SELECT min(amount), max(amount) FROM orders",
    "lookup-02": "SELECT count(*) FROM customers WHERE dob < '1990-01-01'",
    "lookup-03": "SELECT c.id, c.name FROM customers c JOIN events e ON e.cust_email=c.email WHERE e.id=1",
    "lookup-05": "SELECT count(email) FROM customers",
}
SEVERAL = {name for name, text in STATEMENTS.items() if ";" in text}


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    empty = ("payroll", "fraud", "support", "pipelines", "guardrails")
    files = {
        "labels.yaml": LABELS,
        "policies/workers.cedar": POLICY,
        "policies/story.test.yaml": "cases: []\n",
        **{f"policies/{name}.cedar": NOTHING for name in empty},
    }
    with worlds.started(postgres15, CHANGES, files) as started:
        _ = postgres15.login("plain_app")
        postgres15.admin.run("grant shop_app to plain_app")
        for database in (started.shop, started.twin):
            database.run(
                "drop schema public cascade; create schema public; grant usage on schema public to shop_app"
            )
            database.run(SCHEMA.read_text())
        yield started


def _kinds(messages: list[Message]) -> str:
    return re.sub("S", "", b"".join(m.kind for m in messages).decode())


@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize("name", STATEMENTS)
async def test_everyday_statements(world: World, name: str, protocol: str) -> None:
    text = STATEMENTS[name]
    if protocol == "extended" and name in SEVERAL:
        pytest.skip("several statements are a simple query")
    for database in (world.shop, world.twin):
        database.run("delete from orders where id = 900")
        database.run("insert into orders values (120, 1, 390, 'new', '2024-04-30') on conflict do nothing")
    messages = [query(text)] if protocol == "simple" else [*extended(text), SYNC]
    direct = await Raw.secure(world.server.port, world.server.ca_path)
    login = world.server.login("plain_app")
    await direct.sign_in(login.user, world.twin.name, login.password)
    through = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    await through.sign_in("worker", "shop", world.gateway.token("worker"))
    expected, found = await direct.ask(*messages), await through.ask(*messages)
    direct.close()
    through.close()
    assert errors(expected) == []
    assert errors(found) == []
    assert _kinds(found) == _kinds(expected)
    assert values(found) == values(expected)
