"""Where the suites run: for each way in a server of its own, and for one of them a gateway with an open policy.

Both ways are alike to a suite: a database of the same name, the same user, TLS and a password. Direct, the user is the server's
superuser; through narrows, a service of that name whose credential at the target is the superuser's. Two servers,
because suites make roles, prepared transactions and databases that the other run must not meet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.servers import postgres, processes
from tests.servers.gateway import NARROWS, Gateway
from tests.servers.postgres import Database, Postgres

_SETTINGS = {
    "max_prepared_transactions": "50",
    "wal_level": "logical",
    "log_statement": "none",
    "log_connections": "off",
    "jit": "off",
}
_POLICY = """\
@id("everything")
permit (principal, action, resource);
"""


@dataclass(frozen=True, slots=True)
class Door:
    """What a client is told to get in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ca: Path

    def environment(self) -> dict[str, str]:
        """As PG* variables."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.ca),
        }

    def url(self, scheme: str) -> str:
        """As a URL of SQLAlchemy; TLS comes from the environment."""
        return f"{scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"


@contextlib.contextmanager
def direct(version: int, databases: Sequence[str], prepare: str) -> Iterator[Door]:
    """A server, and no gateway."""
    with _server(version, databases[0], prepare) as server:
        login = server.superuser
        yield Door("localhost", server.port, login.user, login.password, databases[0], server.ca_path)


@contextlib.contextmanager
def through(version: int, databases: Sequence[str], prepare: str, log: Path) -> Iterator[Door]:
    """A server behind `narrows serve`, which knows a connection of each database's name; it logs to `log`."""
    with _server(version, databases[0], prepare) as server:
        scratch = processes.scratch_directory("drivers")
        try:
            with _gateway(server, databases, scratch, log) as gateway:
                user = server.superuser.user
                yield Door(
                    "localhost", gateway.port, user, gateway.token(user), databases[0], gateway.ca_path
                )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _server(version: int, database: str, prepare: str) -> Iterator[Postgres]:
    with postgres.started(version, _SETTINGS) as server:
        if database != "postgres":
            server.create_database(database)
        if prepare:
            Database(server, database).run(prepare)
        yield server


@contextlib.contextmanager
def _gateway(server: Postgres, databases: Sequence[str], scratch: Path, log: Path) -> Iterator[Gateway]:
    directory, port = scratch / "gateway", processes.free_port()
    subprocess.run([NARROWS, "init", str(directory)], check=True, capture_output=True)
    _configure(directory, server, databases, port)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "DRIVERS_PASSWORD": server.superuser.password,
    }
    command = [NARROWS, "serve", "--config", str(directory)]
    log.unlink(missing_ok=True)
    running = processes.start(command, log, environment=environment)
    try:
        socket = directory / "state" / "control.sock"
        running.wait_until(lambda: socket.exists() and processes.accepts(port), "narrows serve")
        yield Gateway(directory, Database(server, databases[0]), port, environment, running)
    finally:
        running.stop()


def _configure(directory: Path, server: Postgres, databases: Sequence[str], port: int) -> None:
    shutil.rmtree(directory / "policies")
    (directory / "policies").mkdir()
    (directory / "policies" / "open.cedar").write_text(_POLICY)
    (directory / "labels.yaml").write_text("labels: {}\n")
    (directory / "tls" / "target-ca.crt").write_text(server.ca_pem)
    (directory / "narrows.yaml").write_text(yaml.safe_dump(_root(server, databases, port), sort_keys=False))


def _root(server: Postgres, databases: Sequence[str], port: int) -> Mapping[str, object]:
    user = server.superuser.user
    return {
        "settings": {
            "postgres_listen": f"127.0.0.1:{port}",
            "control_listen": f"127.0.0.1:{processes.free_port()}",
            # Suites sign in wrongly on purpose, from one address.
            "failures_limit": 10_000,
        },
        "services": {user: {}},
        "connections": {
            name: {
                "host": "localhost",
                "port": server.port,
                "database": name,
                "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
                "credential": {"user": user, "password": "env:DRIVERS_PASSWORD"},
            }
            for name in databases
        },
    }
