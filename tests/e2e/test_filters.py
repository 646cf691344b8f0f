"""Guessing is counted: twenty values at a time and six hundred a minute pass through real clients, no more."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres

COUNT = "select count(*) from customers where email = any ($1)"


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    changes = {"services": {name: {"groups": ["pipelines"]} for name in ("bulk", "other")}}
    with worlds.started(postgres15, changes) as started:
        yield started


@pytest.fixture(scope="module")
def known(world: World) -> str:
    """A customer's e-mail address."""
    return str(world.shop.query("select email from customers order by id limit 1")[0][0])


def guesses(number: int, known: str) -> list[str]:
    """A list that holds one right guess."""
    return [known, *(f'no "{each}", \\ body' for each in range(number - 1))]


def literals(values: list[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


@contextlib.contextmanager
def connected(world: World, who: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**world.gateway.parameters(who), autocommit=True) as connection:
        yield connection


def refusal(connection: psycopg.Connection[Any], text: str, parameters: Any = None) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(text.encode(), parameters)
    return caught.value


FORMS = [
    "select count(*) from customers where email in ({})",
    "select count(*) from customers where email = any (array[{}])",
    "select count(*) from customers where email in (values ({}))",
]


@pytest.mark.parametrize("form", FORMS)
def test_psql_looks_up_twenty_values_and_no_more(world: World, known: str, form: str) -> None:
    def asked(number: int) -> Any:
        written = literals(guesses(number, known))
        return world.psql(
            "reports", form.format(written.replace(", ", "), (") if "values" in form else written)
        )

    assert asked(20).stdout.split()[-3:-2] == ["1"], asked(20)
    assert "filter on Column shop/public.customers.email" in asked(21).stderr


def test_splitting_a_list_gains_nothing(world: World, known: str) -> None:
    whole, rest = f"select count(*) from customers where email in ({literals(guesses(20, known))})", "'x'"
    split = [
        f"{whole} or email in ({rest})",
        f"{whole} union all select count(*) from customers where email = {rest}",
        f"{whole}; select count(*) from customers where email = {rest}",
    ]
    for text in split:
        said = world.gateway.psql("reports", text)
        assert "filter on Column shop/public.customers.email" in said.stderr, text


def test_psycopg_binds_twenty_and_no_more(world: World, known: str) -> None:
    with connected(world, "reports") as connection:
        for placeholder in ("%t", "%b"):
            text = f"select count(*) from customers where email = any ({placeholder})"
            assert connection.execute(text.encode(), [guesses(20, known)]).fetchone() == (1,)
            assert refusal(connection, text, [guesses(21, known)]).sqlstate == "NW001"
        assert connection.execute("select 1").fetchone() == (1,)


async def test_asyncpg_binds_twenty_and_no_more(world: World, known: str) -> None:
    """It prepares once and sends its arrays in binary, so each Bind brings a number of its own."""
    given = world.gateway.parameters("reports")
    connection = await asyncpg.connect(
        host="localhost",
        port=given["port"],
        user="reports",
        password=given["password"],
        database=given["dbname"],
        ssl=ssl.create_default_context(cafile=str(world.gateway.ca_path)),
    )
    try:
        for _ in range(2):
            assert await connection.fetchval(COUNT, guesses(20, known)) == 1
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.fetchval(COUNT, guesses(21, known))
            assert caught.value.sqlstate == "NW001"
    finally:
        await connection.close()


def test_prepared_by_sql_and_read_by_a_cursor(world: World, known: str) -> None:
    with connected(world, "reports") as connection:
        connection.execute("prepare p(text[]) as select count(*) from customers where email = any ($1)")
        few, many = (literals(guesses(number, known)) for number in (20, 21))
        assert connection.execute(f"execute p(array[{few}])".encode()).fetchone() == (1,)
        assert refusal(connection, f"execute p(array[{many}])").sqlstate == "NW001"
        with connection.transaction(), connection.cursor("c") as cursor:
            cursor.execute("select count(*) from customers where email = any (%s)", [guesses(20, known)])
            assert cursor.fetchall() == [(1,)]


def test_other_ways_of_asking_are_not_permitted(world: World) -> None:
    asked = [
        "email like 'a%'",
        "email > 'm'",
        "left(email, 1) = 'a'",
        "email in (select title from products)",
        "email = any (string_to_array('a,b', ','))",
        "email = random()::text",
        "email = name || 'x'",
    ]
    with connected(world, "reports") as connection:
        for condition in asked:
            found = refusal(connection, f"select count(*) from customers where {condition}")
            assert found.sqlstate == "NW001", condition
        assert connection.execute("select count(*) from customers where email is null").fetchone() == (0,)


def test_the_601st_value_in_a_minute_is_refused_and_alerted(world: World, known: str) -> None:
    text = "select count(*) from customers where email = any (%s)"
    with connected(world, "bulk") as one, connected(world, "bulk") as two:
        for connection in [one, two] * 15:
            assert connection.execute(text, [guesses(20, known)]).fetchone() == (1,)
        for connection in (two, one):
            told = refusal(connection, "select count(*) from customers where email = %s", [known])
            assert told.sqlstate == "NW006"
            assert "rule: filters_per_minute; retryable: yes" in str(told.diag.message_detail)
        assert one.execute("select count(*) from customers").fetchone() is not None
    with connected(world, "other") as other:
        assert other.execute(text, [[known]]).fetchone() == (1,)

    refused = worlds.entries(world.gateway, "statement", reason="FILTER_LIMIT")
    assert [entry.record.effect for entry in refused] == ["deny", "deny"]
    (alert,) = worlds.entries(world.gateway, "alert", rule="filters_per_minute")
    assert (alert.record.severity, alert.record.count) == ("medium", 601)
    assert (alert.record.principal, alert.record.connection) == ("Service/bulk", "shop")
    assert alert.record.record == refused[0].id
    _is_known_to_the_journal(world, alert.id)


def _is_known_to_the_journal(world: World, alert: str) -> None:
    gateway = world.gateway
    worlds.eventually(lambda: _listed(world) == [alert], what="the alert in the index")
    assert "filters_per_minute" in str(gateway.operate("journal", "show", alert))
    gateway.narrows("journal", "verify", str(gateway.directory))
    transport = httpx.HTTPTransport(uds=str(gateway.directory / "state" / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://gateway") as client:
        assert 'narrows_refusals_total{code="NW006"} 2.0' in client.get("/metrics").text


def _listed(world: World) -> list[str]:
    found = world.gateway.operate("journal", "list", "--kind", "alert", "--person", "bulk")
    return [entry["id"] for entry in found]
