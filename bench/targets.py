"""The three ways to the database that are compared, and everything that is started for them.

Law: all three reach the same PostgreSQL over TCP on the loopback, in the clear, or, in the `_tls` set, over
TLS on every stretch. The gateway runs with its starting policies, labels and journal.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import pgbouncer
from tests.servers import gateway, postgres, stub
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Postgres

DIRECT, PGBOUNCER, NARROWS = "direct", "pgbouncer", "narrows"

SCALE = 10
"""Of pgbench: a million accounts."""
ROWS = 1_000_000
BULK_SQL = "select id, name, email, ssn, created, amount, note from people"
"""One result of a million rows of seven columns; the gateway masks two of them."""
MANY_SQL = "select p.id, p.name, p.email, p.ssn, p.created, p.amount, p.note from ticks t, people p"
"""Twenty times as many in one result."""

_TABLES = f"""
create table people (id bigint primary key, name text, email text, ssn text, created timestamptz, amount numeric, note text);
insert into people
select n, 'Person Number ' || n, 'person.' || n || '@example.com', lpad((n % 1000000000)::text, 9, '9'),
       timestamptz '2024-01-01' + n * interval '31 seconds', (n % 100000) / 100.0,
       'called about order ' || n || ', wants it delivered to the side entrance after six in the evening'
from generate_series(1, {ROWS}) n;
create table ticks (n int);
insert into ticks select generate_series(1, 20);
grant select on all tables in schema public to public;
vacuum analyze people;
"""

_SETTINGS = {
    "log_statement": "none",
    "log_connections": "off",
    "max_connections": "300",
    "shared_buffers": "512MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}

_POLICY = """\
@id("bench")
permit (
    principal in Group::"bench",
    action in [Action::"session", Action::"select", Action::"export", Action::"reveal_partial"],
    resource in Connection::"{connection}"
);
"""
_LABELS = """\
columns:
  shop: {public.people: {email: email, ssn: ssn}}
  shop_tls: {public.people: {email: email, ssn: ssn}}
"""
_PRINCIPALS: dict[str, Any] = {
    "groups": {"bench": {"description": "measures the gateway"}},
    "users": {"meter": {"groups": ["bench"]}},
}
_LIMITS: dict[str, Any] = {
    "plaintext_allowed": True,
    "sessions_limit": 5000,
    "sessions_per_principal": 5000,
}


@dataclass(frozen=True, slots=True)
class Target:
    """One way to the database; `pid` is the root of the processes that stand between, 0 for none."""

    name: str
    port: int
    dbname: str
    user: str
    password: str = field(default="", repr=False)
    pid: int = 0
    ca: Path | None = None
    """Verifies the server where TLS is spoken; None is plaintext."""
    host: str = "127.0.0.1"

    def environment(self) -> dict[str, str]:
        """PG* variables for pgbench, with no other variable of ours."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C.UTF-8",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.dbname,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
        }


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs during a bench."""

    server: Postgres
    database: Database
    plain: tuple[Target, ...]
    tls: tuple[Target, ...]
    """The same three ways, with TLS on every stretch."""

    @property
    def pgbench(self) -> str:
        return self.server.programs.path("pgbench")

    @property
    def narrows(self) -> Target:
        return next(target for target in self.plain if target.name == NARROWS)


@contextlib.contextmanager
def started() -> Iterator[World]:
    """The servers for the length of a `with`."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres.started(15, _SETTINGS))
        database = _fill(server)
        direct = Target(DIRECT, server.port, database.name, "trusted_app")
        pools = [_pgbouncer(stack, database, direct, has_tls) for has_tls in (False, True)]
        gateways = _narrows(stack, database)
        yield World(
            server,
            database,
            (direct, pools[0], gateways[0]),
            (replace(direct, ca=server.ca_path), pools[1], gateways[1]),
        )


def _fill(server: Postgres) -> Database:
    """A database with pgbench's tables and the bulk one; its roles may read all of it."""
    server.login("trusted_app")
    database = server.create_database("bench")
    subprocess.run(
        [server.programs.path("pgbench"), "-i", "-s", str(SCALE), "-q"],
        env=server.environment("bench"),
        check=True,
        capture_output=True,
    )
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            database.run(statement)
    return database


def _pgbouncer(stack: contextlib.ExitStack, database: Database, direct: Target, has_tls: bool) -> Target:
    login = database.server.login(direct.user)
    port, pid = stack.enter_context(pgbouncer.started(database, login, has_tls))
    return replace(
        direct, name=PGBOUNCER, port=port, pid=pid, ca=database.server.ca_path if has_tls else None
    )


def _narrows(stack: contextlib.ExitStack, database: Database) -> tuple[Target, Target]:
    """One gateway with two connections: one in the clear and one over TLS."""
    server = database.server
    over_tls = {
        "host": "localhost",
        "port": server.port,
        "database": database.name,
        "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
        "credential": {"user": database.app.user, "password": "store:shop-tls"},
    }
    changes = _changes(host="127.0.0.1", tls={"mode": "disable", "ca": "system"})
    changes["connections"]["shop_tls"] = over_tls
    gw = stack.enter_context(gateway.started(database, changes, _files("shop", "shop_tls")))
    gw.operate(
        *("credentials", "set", "shop-tls", "--connection", "shop_tls"), stdin=database.app.password + "\n"
    )
    return target_of(gw), target_of(gw, "shop_tls", gw.ca_path)


def target_of(gw: Gateway, connection: str = "shop", ca: Path | None = None) -> Target:
    """A way through a gateway."""
    return Target(NARROWS, gw.port, connection, "meter", gw.token("meter"), gw.pid, ca)


def _changes(**shop: Any) -> dict[str, Any]:
    return {"settings": _LIMITS, **_PRINCIPALS, "connections": {"shop": shop}}


def _files(*connections: str) -> Mapping[str, str]:
    policies = "".join(
        _POLICY.format(connection=name).replace('"bench")', f'"bench-{name}")', 1) for name in connections
    )
    return {"labels.yaml": _LABELS, "policies/bench.cedar": policies}


@contextlib.contextmanager
def idle_gateway(database: Database) -> Iterator[Gateway]:
    """A gateway whose target is the stub: thousands of sessions need no PostgreSQL."""
    with stub.process() as fake:
        changes = _changes(host="127.0.0.1", port=fake.port, tls={"mode": "disable", "ca": "system"})
        labels = {"labels.yaml": "columns: {}\n"}
        with gateway.started(database, changes, {**_files("shop"), **labels}) as gw:
            yield gw
