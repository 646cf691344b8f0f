"""Where the scripts run: one server, pairs of databases with a pool of schemas, one gateway, a session to each twin.

Laws: a pair is cloned from one template, so both have the same OIDs; a session is as good as new for the next script
(ROLLBACK, DISCARD ALL), and one that ended is opened again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tests.leaks.client import Client, Message, ThroughGateway, encode
from tests.noninterference import replies
from tests.noninterference.schema import Schema, View
from tests.noninterference.statements import Script
from tests.servers import gateway as gateways
from tests.servers import postgres, processes
from tests.servers.postgres import Postgres

CONNECTION = "leak"
CALLER = "caller"
POLICIES = Path(__file__).parents[1] / "leaks" / "policies"
_SETTINGS = {"log_statement": "none", "log_connections": "off"}
_TIDY = "discard all"
_NEWEST = "select max(oid)::bigint from (select oid from pg_class union all select oid from pg_type) as o"
LIMIT_S = 120.0
"""For one answer; a loaded machine is slow, not wrong."""


@dataclass(frozen=True)
class Pair:
    """Two databases with the same schemas and other secrets."""

    number: int
    schemas: tuple[Schema, ...]
    newest: int
    """The highest OID of their schema."""

    @property
    def names(self) -> tuple[str, str]:
        return _names(self.number)


def _names(number: int) -> tuple[str, str]:
    return f"twin_{number}_a", f"twin_{number}_b"


def load(server: Postgres, number: int, schemas: Sequence[Schema], *, is_analysed: bool) -> Pair:
    """Make both databases; a view that PostgreSQL does not take is left out of its schema."""
    names = _names(number)
    first = server.create_database(names[0])
    with first.connect() as connection:
        connection.execute("create extension citext")
        taken = tuple(_define(connection, each) for each in schemas)
        newest = connection.execute(_NEWEST).fetchone()
    assert newest is not None
    pair = Pair(number, taken, newest[0])
    for twin, database in zip("ab", (first, server.create_database(names[1], first.name)), strict=True):
        with database.connect() as connection:
            for each in taken:
                connection.execute("; ".join(each.filling(twin)).encode())
            if is_analysed:
                connection.execute("analyze")
    return pair


def _define(connection: psycopg.Connection[Any], schema_: Schema) -> Schema:
    views: list[View] = []
    for text in replace(schema_, views=()).definitions():
        connection.execute(text.encode())
    for view in schema_.views:
        with contextlib.suppress(psycopg.Error):
            connection.execute(view.ddl.encode())
            views.append(view)
    connection.execute(
        f"grant usage on schema {schema_.name} to app; grant all on all tables in schema {schema_.name} to app".encode()
    )
    connection.execute(f"grant create on schema {schema_.name} to app".encode())
    return replace(schema_, views=tuple(views))


class World:
    """Everything that scripts need."""

    def __init__(self, server: Postgres, directory: Path, pairs: Sequence[Pair]) -> None:
        self.server, self.pairs = server, pairs
        self.fixed, *random = pairs
        self.schemas = [(pair, each) for pair in random for each in pair.schemas]
        """What random scripts run over."""
        self._directory = directory / "gateway"
        self._port = processes.free_port()
        self._write()
        self._running = self._serve()
        self.gateway = gateways.Gateway(
            self._directory,
            postgres.Database(server, "postgres"),
            self._port,
            self._environment,
            self._running,
        )
        context = ssl.create_default_context(cafile=str(self._directory / "tls" / "ca.crt"))
        self._door = ThroughGateway(
            self._port, context, CONNECTION, {CALLER: (CALLER, self.gateway.token(CALLER))}
        )
        self._clients: dict[str, Client] = {}

    # -- running

    def play(self, pair: Pair, script: Script) -> tuple[replies.Replies, replies.Replies]:
        """The script at both twins, turn by turn side by side."""
        both = [self._client(name) for name in pair.names]
        got: tuple[list[list[Message]], list[list[Message]]] = ([], [])
        for turn in script.turns:
            for client in both:
                with contextlib.suppress(OSError):
                    client.send(turn.data)
            for client, into in zip(both, got, strict=True):
                into.append(client.read_until("Z", LIMIT_S))
        for name, client in zip(pair.names, both, strict=True):
            self._tidy(name, client)
        return got

    def judge(self, pair: Pair, script: Script, tally: replies.Tally | None = None) -> replies.Told | None:
        """What the script's replies tell of the secrets."""
        one, other = self.play(pair, script)
        if tally is not None:
            for turn, reply in zip(script.turns, one, strict=True):
                if turn.is_counted:
                    tally.add(reply)
        return replies.told(one, other, pair.names, pair.newest, lambda: self.play(pair, script)[0])

    def _client(self, name: str) -> Client:
        if name not in self._clients:
            client = self._clients[name] = Client(self._door, name, CALLER)
            client.start()
            assert client.messages and client.messages[-1][0] == "Z", client.messages
        self._clients[name].messages.clear()
        return self._clients[name]

    def _tidy(self, name: str, client: Client) -> None:
        """Ready for the next script, or forgotten."""
        with contextlib.suppress(OSError):
            client.send(encode({"query": _TIDY}))
            if client.read_until("Z")[-2:-1] == [("C", b"DISCARD ALL\0")]:
                return
        client.close()
        del self._clients[name]

    # -- the gateway

    def relabel(self, hidden: Sequence[tuple[str, str]] = (), *, is_bare: bool = False) -> None:
        """Labels without some (relation, column), or none at all."""
        self._write_labels(hidden, is_bare=is_bare)
        self.gateway.reload()
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._running.stop()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._directory.parent),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "APP_PASSWORD": self.server.login("app").password,
        }

    def _serve(self) -> processes.Running:
        socket = self._directory / "state" / "control.sock"
        command = [gateways.NARROWS, "serve", "--config", str(self._directory)]
        running = processes.start(
            command, self._directory.parent / "gateway.log", environment=self._environment
        )
        running.wait_until(lambda: socket.exists() and processes.accepts(self._port), "narrows serve", 60)
        return running

    def _write(self) -> None:
        subprocess.run([gateways.NARROWS, "init", str(self._directory)], check=True, capture_output=True)
        shutil.rmtree(self._directory / "policies")
        shutil.copytree(POLICIES, self._directory / "policies")
        (self._directory / "tls" / "target-ca.crt").write_text(self.server.ca_pem)
        root = {
            "settings": {
                "postgres_listen": f"127.0.0.1:{self._port}",
                "control_listen": f"127.0.0.1:{processes.free_port()}",
                "public_host": "localhost",
                "snapshot_poll_s": "1h",
            },
            "groups": {"strict": {}},
            "services": {CALLER: {"groups": ["strict"]}},
            "connections": {
                CONNECTION: {
                    "host": "localhost",
                    "port": self.server.port,
                    "database": "postgres",
                    "databases": [name for pair in self.pairs for name in pair.names],
                    "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
                    "credential": {"user": "app", "password": "env:APP_PASSWORD"},
                    "export_rows": 1_000_000,
                }
            },
        }
        (self._directory / "narrows.yaml").write_text(yaml.safe_dump(root, sort_keys=False))
        self._write_labels((), is_bare=False)

    def _write_labels(self, hidden: Sequence[tuple[str, str]], *, is_bare: bool) -> None:
        columns: dict[str, dict[str, dict[str, str]]] = {}
        for pair in self.pairs:
            for name in pair.names:
                found = columns[f"{CONNECTION}/{name}"] = {}
                for each in pair.schemas:
                    for relation, labelled in each.labels().items():
                        kept = {
                            column: label
                            for column, label in labelled.items()
                            if (relation, column) not in hidden
                        }
                        if kept and not is_bare:
                            found[relation] = kept
        text = {"labels": {"pii": {"none": "constant"}, "secret": {"none": "constant"}}, "columns": columns}
        (self._directory / "labels.yaml").write_text(yaml.safe_dump(text, sort_keys=False))


@contextlib.contextmanager
def opened(version: int, pool: Sequence[Sequence[Schema]], fixed: Sequence[Schema] = ()) -> Iterator[World]:
    """A server, a gateway and these schemas, each list of them in a pair of databases; `fixed` in one of their own."""
    with postgres.started(version, _SETTINGS) as server:
        server.login("app")
        pairs = [
            load(server, at, schemas, is_analysed=not at % 2) for at, schemas in enumerate([fixed, *pool])
        ]
        directory = processes.scratch_directory("twins")
        try:
            world = World(server, directory, pairs)
            try:
                yield world
            finally:
                world.close()
        finally:
            shutil.rmtree(directory, ignore_errors=True)
