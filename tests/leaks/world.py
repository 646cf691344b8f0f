"""Where the corpus runs: a server with the twins, fresh copies made ahead, a gateway that lists every copy.

Each run has a database of its own that the gateway sees for the first time, as it would any other: nothing is left
over from another case, and no reading of a schema is out of date. The gateway is started anew for every batch of
cases, so that what it keeps of hundreds of databases does not add up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tests.leaks.cases import Case, Corpus, Place
from tests.leaks.client import Direct, Door, ThroughGateway
from tests.leaks.judge import Policy, Ran, Runs
from tests.leaks.run import Outside, run
from tests.servers import postgres, processes
from tests.servers.fetch import PROJECT
from tests.servers.gateway import NARROWS, Gateway
from tests.servers.postgres import Postgres

CONNECTION = "leak"
POLICIES = Path(__file__).with_name("policies")
COPIES_AHEAD = 4
TWINS = "ab"
NAMES = 120
"""Databases that a gateway is told of at a time."""
NAMES_PER_CASE = 24
"""More than any case can take."""
_SETTINGS = {"wal_level": "logical", "log_statement": "none", "log_connections": "off"}
_HBA = "local all all trust\nlocal replication all trust\n"
"""Before the server's own lines: cases are run directly, and call back into the server, by its Unix socket."""

_CLUSTER = """
select (select string_agg(r::text, ';' order by r.oid) from pg_roles r),
 (select string_agg(m::text, ';' order by m::text) from pg_auth_members m),
 (select string_agg(s::text, ';' order by s::text) from pg_db_role_setting s),
 (select string_agg(f::text, ';' order by f::text) from pg_file_settings f)
"""
"""What statements can change that lives outside their database."""


_CATALOGS = (
    "class attribute attrdef constraint depend description enum extension index inherits namespace operator"
    " policy proc rewrite sequence statistic_ext trigger type"
)
_SCHEMA = "select concat_ws(';', {})".format(
    ", ".join(
        f"(select count(*) || ' ' || coalesce(max(xmin::text::bigint), 0) from pg_{name})"
        for name in _CATALOGS.split()
    )
)
"""Changes with every committed change of the schema: how many rows each catalog has, and which is the newest."""
_DEFINES = re.compile(
    r"\b(create|alter|drop|rename|into|do|call|comment|analyze|vacuum|refresh|grant|revoke|truncate|reindex"
    r"|cluster|set|listen|prepare|copy|execute|import|load)\b",
    re.IGNORECASE,
)
"""Words without which nothing touches a schema, even in a transaction that is rolled back."""


class LeakServer:
    """A server with both twins, and fresh copies of them."""

    def __init__(self, server: Postgres, sockets: Path, corpus: Corpus) -> None:
        self.server = server
        self.sockets = sockets
        self.corpus = corpus
        self.direct = Direct(sockets, server.port)
        self._oids: dict[str, int] = {}
        self._admin = server.admin.connect()
        self._load()
        self._cluster = self._admin.execute(_CLUSTER).fetchone()
        self._known_roles = {role for (role,) in self._admin.execute("select rolname from pg_roles")}

    def _load(self) -> None:
        self.server.create_database("leak_a")
        self._script("leak_a", "schema.sql")
        self.server.create_database("leak_b", "leak_a")
        self._script("leak_b", "twin.sql")
        self._for_oids = self.server.create_database("leak_oids", "leak_a")
        rows = self._for_oids.query(
            "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"
        )
        self.schemas = sorted(name for (name,) in rows)
        self.labelled = frozenset(self.corpus.columns)
        self._schemas = {twin: self._schema(f"leak_{twin}") for twin in TWINS}
        for user in self.corpus.users:
            if user != self.server.superuser.user:
                self.server.login(user)

    def _script(self, database: str, name: str) -> None:
        """Scripts hold statements that want no transaction around them, so psql sends them one by one."""
        psql = self.server.programs.path("psql")
        command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(self.corpus.directory / name)]
        processes.run(command, environment=self.server.environment(database))

    def place(self, database: str) -> Place:
        return Place(database, self.server.port, self.sockets)

    def outside(self, database: str) -> Outside:
        """The server itself, for what a case needs of it beside its own connections."""

        def admin(text: str) -> None:
            with psycopg.connect(**self.server.parameters(database), autocommit=True) as connection:
                connection.execute(text.encode())

        return Outside(self.oid_of, admin)

    def oid_of(self, signature: str) -> int:
        """The same in every copy."""
        if signature not in self._oids:
            self._oids[signature] = int(
                self._for_oids.query("select %s::regprocedure::oid", (signature,))[0][0]
            )
        return self._oids[signature]

    def has_effect(self, case: Case, database: str) -> bool:
        """What the server says, as superuser, after the case has run."""
        effect = case.effect
        if effect is None or effect.is_unobservable:
            return False
        text = self.place(database).text(effect.sql)
        with psycopg.connect(**self.server.parameters(database), autocommit=True) as connection:
            try:
                row = connection.execute(text.encode()).fetchone()
            except psycopg.Error:
                return False
        return row is not None and str(row[0]) == effect.after

    def is_unchanged(self, case: Case, database: str, twin: str) -> bool:
        """Whether the case has left the schema as it was, and never had another."""
        return not any(_DEFINES.search(str(step)) for step in case.steps) and self._schemas[
            twin
        ] == self._schema(database)

    def _schema(self, database: str) -> str:
        return str(postgres.Database(self.server, database).query(_SCHEMA)[0][0])

    def tidy(self) -> None:
        """Undo what a case left outside its database: files, roles, settings."""
        for path in self.sockets.iterdir():
            if not path.name.startswith(".s.PGSQL"):
                path.unlink()
        if self._admin.execute(_CLUSTER).fetchone() != self._cluster:
            self._restore()

    def _restore(self) -> None:
        run_sql = self._admin.execute
        run_sql("alter system reset all")
        run_sql("select pg_reload_conf()")
        for role in self._known_roles:
            if not role.startswith("pg_"):
                run_sql(f'alter role "{role}" reset all'.encode())
        for (role,) in run_sql("select rolname from pg_roles").fetchall():
            if role not in self._known_roles:
                with contextlib.suppress(psycopg.Error):
                    run_sql(f'drop role "{role}"'.encode())
        self._cluster = run_sql(_CLUSTER).fetchone()

    def close(self) -> None:
        self._admin.close()


@contextlib.contextmanager
def served(version: int, corpus: Corpus) -> Iterator[LeakServer]:
    """A server with the corpus's twins for the length of a `with`."""
    sockets = processes.scratch_directory("leaks")
    processes.give(sockets, processes.unprivileged_user())
    try:
        with postgres.started(version, {**_SETTINGS, "unix_socket_directories": str(sockets)}) as server:
            hba = server.data / "pg_hba.conf"
            hba.write_text(_HBA + hba.read_text())
            server.admin.query("select pg_reload_conf()")
            leaks = LeakServer(server, sockets, corpus)
            try:
                yield leaks
            finally:
                leaks.close()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


class Copies:
    """Fresh databases, made by a thread of their own while cases run, and dropped by it afterwards.

    A name is used again for a copy of the same twin where the case has left the schema as it was: copies of one
    template have the same catalog down to the OIDs, so what a gateway has read of it is what it would read again.
    """

    def __init__(self, server: LeakServer, names: Sequence[str]) -> None:
        self._server = server
        self._fresh = deque(names)
        self._known: dict[str, deque[str]] = {twin: deque() for twin in TWINS}
        self._ready = {twin: queue.Queue[str | Exception](COPIES_AHEAD) for twin in TWINS}
        self._used: queue.SimpleQueue[tuple[str, str, bool]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def left(self) -> int:
        """Names that were not used yet."""
        return len(self._fresh)

    def take(self, twin: str) -> str:
        found = self._ready[twin].get(timeout=60)
        if isinstance(found, Exception):
            raise found
        return found

    def give_back(self, name: str, twin: str, is_unchanged: bool) -> None:
        self._used.put((name, twin, is_unchanged))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        with psycopg.connect(**self._server.server.parameters("postgres"), autocommit=True) as connection:
            try:
                while not self._stop.is_set():
                    if not (self._take_back(connection) | self._make(connection)):
                        time.sleep(0.005)
            except Exception as error:
                for ready in self._ready.values():
                    ready.put(error)
            self._clear(connection)

    def _make(self, connection: psycopg.Connection[Any]) -> bool:
        wanting = [twin for twin, ready in self._ready.items() if not ready.full()]
        for twin in wanting:
            known = self._known[twin]
            if not known and not self._fresh:
                self._ready[twin].put(RuntimeError("more databases are needed than the gateway was told of"))
                return False
            name = known.popleft() if known else self._fresh.popleft()
            connection.execute(f'create database "{name}" template "leak_{twin}"'.encode())
            self._ready[twin].put(name)
        return bool(wanting)

    def _take_back(self, connection: psycopg.Connection[Any]) -> bool:
        with contextlib.suppress(queue.Empty):
            name, twin, is_unchanged = self._used.get_nowait()
            _drop(connection, name)
            if is_unchanged:
                self._known[twin].append(name)
            return True
        return False

    def _clear(self, connection: psycopg.Connection[Any]) -> None:
        while self._take_back(connection):
            pass
        for ready in self._ready.values():
            while not ready.empty():
                if isinstance(found := ready.get(), str):
                    _drop(connection, found)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    for _ in range(100):
        try:
            connection.execute(f'drop database if exists "{name}" with (force)'.encode())
        except psycopg.errors.ObjectInUse:  # a replication slot that ends with its connection
            time.sleep(0.05)
        else:
            return


_PLACES = """\
// "Everything a pipeline does on these tables": not on those of schemas that hold none of them.
@id("only-these-schemas")
forbid (principal, action, resource)
when { resource is Table && resource in [FOREIGN] };

@id("trusted-functions")
permit (principal, action == Action::"call", resource in Connection::"leak")
when { resource is Function && [TRUSTED].contains(resource.name) };
"""


class LeakGateway:
    """`narrows serve` before a server; `told` gives it the databases of the next batch.

    `connection` is laid over what the connection is configured with; `without` names a layer that is switched off.
    """

    def __init__(
        self,
        server: LeakServer,
        directory: Path,
        policies: Path,
        connection: Mapping[str, Any] | None = None,
        without: str | None = None,
    ) -> None:
        self.server = server
        self.directory = directory
        self._policies = policies
        self._connection = connection or {}
        self._without = without
        self._running: processes.Running | None = None
        self._tokens: dict[Policy, dict[str, tuple[str, str]]] = {}
        self._port = processes.free_port()
        self._control = processes.free_port()
        self._tls: ssl.SSLContext | None = None
        subprocess.run([NARROWS, "init", str(directory)], check=True, capture_output=True)
        self._write_policies()

    def told(self, databases: Sequence[str]) -> None:
        """(Re)start with these databases."""
        self._write_config(databases)
        self._write_places(databases)
        self.stop()
        self._running = self._launch()
        if not self._tokens:
            self._sign_up(self._running)

    def door(self, policy: Policy) -> Door:
        return ThroughGateway(self._port, self._context(), CONNECTION, self._tokens[policy])

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self.directory / "tls" / "ca.crt"))
        return self._tls

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.directory.parent),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            **{_variable(user): self._login(user).password for user in self.server.corpus.users},
        }

    def _launch(self) -> processes.Running:
        socket = self.directory / "state" / "control.sock"
        running = processes.start(
            [*_program(self._without), "serve", "--config", str(self.directory)],
            self.directory.parent / "gateway.log",
            environment=self._environment | ({"PYTHONPATH": str(PROJECT)} if self._without else {}),
        )
        running.wait_until(lambda: socket.exists() and processes.accepts(self._port), "narrows serve", 60)
        return running

    def _sign_up(self, running: processes.Running) -> None:
        home = postgres.Database(self.server.server, "postgres")
        gateway = Gateway(self.directory, home, self._port, self._environment, running)
        self._tokens = {
            policy: {
                user: (name := _principal(user, policy), gateway.token(name))
                for user in self.server.corpus.users
            }
            for policy in Policy
        }

    def _login(self, user: str) -> postgres.Login:
        server = self.server.server
        return server.superuser if user == server.superuser.user else server.login(user)

    def _write_policies(self) -> None:
        ours = self.directory / "policies"
        shutil.rmtree(ours)
        shutil.copytree(self._policies, ours)

    def _write_places(self, databases: Sequence[str]) -> None:
        """What the corpus's own words add to the policy: its tables and its trusted functions."""
        foreign = [f'Schema::"{CONNECTION}/{name}/{each}"' for name in databases for each in self._foreign()]
        names = [name.rpartition(".")[2] for name in self.server.corpus.trusted_functions]
        (self.directory / "policies" / "places.cedar").write_text(
            _PLACES.replace("FOREIGN", ", ".join(foreign)).replace(
                "TRUSTED", ", ".join(f'"{name}"' for name in names)
            )
        )

    def _foreign(self) -> list[str]:
        """Schemas in which nothing is labelled."""
        ours = {name.partition(".")[0] for name in self.server.labelled} | {"public"}
        return [name for name in self.server.schemas if name not in ours]

    def _write_config(self, databases: Sequence[str]) -> None:
        server, users = self.server.server, self.server.corpus.users
        (self.directory / "tls" / "target-ca.crt").write_text(server.ca_pem)
        root = {
            "settings": {
                "postgres_listen": f"127.0.0.1:{self._port}",
                "control_listen": f"127.0.0.1:{self._control}",
                "public_host": "localhost",
                # Each copy is dropped soon after it was read: there is nothing to compare it with.
                "snapshot_poll_s": "1h",
            },
            "groups": {"strict": {}, **{f"as-{user}": {} for user in users}},
            "services": {
                _principal(user, policy): {
                    "groups": [f"as-{user}", *(["strict"] if policy is Policy.STRICT else [])]
                }
                for user in users
                for policy in Policy
            },
            "connections": {
                CONNECTION: {
                    "host": "localhost",
                    "port": server.port,
                    "database": "postgres",
                    "databases": list(databases),
                    "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
                    "credential": _credential("app"),
                    "credentials": {f"as-{user}": _credential(user) for user in users},
                    "export_rows": 1_000_000,
                    **self._connection,
                }
            },
        }
        (self.directory / "narrows.yaml").write_text(yaml.safe_dump(root, sort_keys=False))
        (self.directory / "labels.yaml").write_text(self._labels(databases))

    def _labels(self, databases: Sequence[str]) -> str:
        """The corpus's labels for every copy."""
        corpus = self.server.corpus
        words = sorted({label for columns in corpus.columns.values() for label in columns.values()})
        copies = [f"{CONNECTION}/{database}" for database in databases]
        text = {
            "labels": {word: {"none": "constant"} for word in words},
            "columns": {copy: {name: dict(each) for name, each in corpus.columns.items()} for copy in copies},
            "trusted_functions": {copy: list(corpus.trusted_functions) for copy in copies},
        }
        dumper = yaml.SafeDumper
        dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
        return yaml.dump(text, Dumper=dumper, sort_keys=False)


def _program(without: str | None) -> list[str]:
    """narrows, or narrows without one of its layers."""
    return [NARROWS] if without is None else [sys.executable, "-m", "tests.leaks.served_without", without]


def _principal(user: str, policy: Policy) -> str:
    return user if policy is Policy.DEFAULT else f"{user}-{policy}"


def _variable(user: str) -> str:
    return f"LEAK_PASSWORD_{''.join(c if c.isalnum() else '_' for c in user).upper()}"


def _credential(user: str) -> Mapping[str, str]:
    return {"user": user, "password": f"env:{_variable(user)}"}


class Runner:
    """Runs cases: straight at the server, and through a gateway where there is one."""

    def __init__(self, server: LeakServer, copies: Copies, gateway: LeakGateway | None) -> None:
        self._server, self._copies, self._gateway = server, copies, gateway

    def runs(self, case: Case) -> Runs:
        def direct(twin: str) -> Ran:
            return self._run(case, self._server.direct, twin)

        def through(twin: str, policy: Policy) -> Ran:
            return (
                direct(twin) if self._gateway is None else self._run(case, self._gateway.door(policy), twin)
            )

        return Runs(through, direct)

    def _run(self, case: Case, door: Door, twin: str) -> Ran:
        database = self._copies.take(twin)
        try:
            reply = run(case, door, self._server.place(database), self._server.outside(database))
            return Ran(reply, database, self._server.has_effect(case, database))
        finally:
            self._copies.give_back(database, twin, self._server.is_unchanged(case, database, twin))
            self._server.tidy()

    @property
    def is_running_out(self) -> bool:
        """Whether the gateway must be told of more databases before the next case."""
        return self._copies.left < NAMES_PER_CASE


@contextlib.contextmanager
def runner(server: LeakServer, gateway: LeakGateway | None) -> Iterator[Runner]:
    """A runner with new databases, for some cases."""
    names = [f"leak_{next(_NUMBERS):06}" for _ in range(NAMES)]
    if gateway is not None:
        gateway.told(names)
    copies = Copies(server, names)
    try:
        yield Runner(server, copies, gateway)
    finally:
        copies.close()


_NUMBERS = itertools.count(1)
