"""The servers for tests are what they say."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.runtime.upstream import open_upstream
from tests.servers import adversity, processes, stub
from tests.servers import postgres as postgres_server
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


@pytest.mark.server
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


@pytest.mark.server
async def test_the_stub_takes_a_thousand_sessions() -> None:
    with stub.process() as server:
        target = Target("shop", "127.0.0.1", server.port, "shop", "app", TlsMode.DISABLE)
        ups = [await open_upstream(target, Secret("x"), {}) for _ in range(1000)]
        assert len({upstream.pid for upstream in ups}) == 1000
        for upstream in ups:
            upstream.conduit.abort()


@pytest.mark.server
def test_psql_is_content_with_the_stub(postgres15: Postgres) -> None:
    with stub.process() as server:
        result = subprocess.run(
            [
                postgres15.programs.path("psql"),
                "-At",
                f"host=127.0.0.1 port={server.port} user=x dbname=x",
                "-c",
                "select 1",
            ],
            capture_output=True,
            text=True,
        )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


async def test_the_proxy_dribbles_stalls_and_cuts() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with adversity.proxy("127.0.0.1", port) as way:
        way.to_client.chunk_bytes = 1
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        way.to_client.stall()
        writer.write(b"more")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        way.to_client.cut_after(2)
        way.to_client.resume()
        assert await reader.read() == b"mo"
        writer.close()
    server.close()
