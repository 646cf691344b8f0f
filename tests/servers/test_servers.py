"""The servers for tests are what they say."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.servers import postgres as postgres_server
from tests.servers import processes
from tests.servers.openbao import OpenBao
from tests.servers.postgres import Database, Postgres


def test_the_version_runs_with_tls_and_scram(postgres: Postgres) -> None:
    """Tests on 15 and 18 are really run there, and over TLS."""
    [(version, is_tls)] = postgres.admin.query(
        "select current_setting('server_version_num')::int / 10000, ssl from pg_stat_ssl where pid = pg_backend_pid()"
    )
    assert (version, is_tls) == (postgres.version, True)


def test_the_application_owns_nothing_and_works(shop: Database) -> None:
    assert len(shop.query("select * from customers", login=shop.app)) == 6
    assert shop.query("select count(*) from pg_class where relowner = 'shop_app'::regrole") == [(0,)]
    shop.query("update customers set note = 'x' where id = 1", login=shop.app)
    assert shop.query("select note from customers where id = 1") == [("x",)]


def test_each_test_has_a_shop_of_its_own(shop: Database) -> None:
    assert shop.query("select note from customers where id = 1") == [("prefers e-mail",)]


def test_every_statement_is_found_in_the_log(shop15: Database) -> None:
    """Simple statements whole, extended ones with their parameters."""
    both = "select 'a\nb'; select 2"
    with shop15.connect(shop15.app, application_name="probe") as connection:
        connection.execute(both)
        connection.execute("select %s::int", (7,))
    simple, extended = shop15.server.statements(database=shop15.name, application="probe")
    assert (simple.text, simple.is_extended) == (both, False)
    assert (extended.text, extended.parameters) == ("select $1::int", "$1 = '7'")
    assert simple.session == extended.session


def test_programs_of_the_version_can_be_run(postgres: Postgres) -> None:
    """psql of each version, with what it needs to find its libraries."""
    result = subprocess.run(
        [postgres.programs.path("psql"), "-Atc", "show server_version_num"],
        env=postgres.environment("postgres"),
        capture_output=True,
        text=True,
    )
    assert result.stdout.startswith(str(postgres.version)), result.stderr


def test_a_server_ends_when_stopped() -> None:
    with postgres_server.started(15) as server:
        pid, directory = server.pid, server.directory
        assert processes.accepts(server.port)
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_openbao_answers(openbao: OpenBao) -> None:
    hvac = pytest.importorskip("hvac")
    client = hvac.Client(url=openbao.address, token=openbao.token)
    client.secrets.kv.v2.create_or_update_secret(path="shop", secret={"password": "p"})
    assert client.secrets.kv.v2.read_secret_version(path="shop", raise_on_deleted_version=True)["data"][
        "data"
    ] == {"password": "p"}
