"""A real PostgreSQL for tests: 15 from Debian, 18 from PyPI; TLS, SCRAM, every statement in a log one can parse.

with postgres.started(15) as server:
    shop = server.create_shop("shop")
    shop.query("select 1")                       # as superuser, by psycopg
    open_upstream(host, port, shop.app ...)      # as the application's role
    server.statements(database="shop")           # what PostgreSQL itself says it was sent
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from narrows.cli import demo
from narrows.runtime import tls
from tests.servers import processes
from tests.servers.fetch import DEBIAN_15, postgres18

SHOP_SQL = Path(demo.__file__).with_name("shop.sql")
"""The demo and the tests tell the same story."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "max_connections": "200",
    "fsync": "off",
    "shared_buffers": "32MB",
    "logging_collector": "on",
    "log_destination": "stderr,jsonlog",
    "log_filename": "server.log",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_file_mode": "0644",
    "log_statement": "all",
    "log_connections": "on",
    "log_line_prefix": "%m|%p|%c|%u|%d|%a|%e|",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "lc_messages": "C",
    "autovacuum": "off",
}

# Roles of these names show what a target may ask for or refuse.
_HBA = """\
local    all  all                   scram-sha-256
host     all  md5_app    127.0.0.1/32  md5
host     all  plain_app  127.0.0.1/32  password
host     all  trusted_app 127.0.0.1/32 trust
hostnossl all tls_app    127.0.0.1/32  reject
host     all  barred_app 127.0.0.1/32  reject
host     all  all        127.0.0.1/32  scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A role and its password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logged:
    """One statement as PostgreSQL logged it; `parameters` is the log's own text."""

    pid: int
    session: str
    user: str
    database: str
    application: str
    text: str
    is_extended: bool = False
    parameters: str | None = None


@dataclass(frozen=True)
class Programs:
    """The programs of one version of PostgreSQL."""

    version: int
    bin: Path
    environment: Mapping[str, str]

    def path(self, name: str) -> str:
        return str(self.bin / name)


def programs(version: int) -> Programs:
    """Where the programs of a version are; says what to do where they are not."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    if version == 15:
        if not (DEBIAN_15 / "postgres").exists():
            raise processes.ServerError("PostgreSQL 15 is not here: apt-get install postgresql-15")
        return Programs(15, DEBIAN_15, environment)
    root = postgres18()
    return Programs(18, root / "bin", environment | {"LD_LIBRARY_PATH": str(root / "lib")})


@dataclass
class Database:
    """One database of a running server."""

    server: Postgres
    name: str

    @property
    def app(self) -> Login:
        """The application's role: owns nothing, may read and write every table of the shop."""
        return self.server.login("shop_app")

    @property
    def owner(self) -> Login:
        return self.server.login("shop_owner")

    def connect(self, login: Login | None = None, **options: Any) -> psycopg.Connection[Any]:
        """A psycopg connection (autocommit) straight to the server; as superuser without `login`."""
        return psycopg.connect(**self.server.parameters(self.name, login), autocommit=True, **options)

    def query(self, text: str, parameters: Any = None, login: Login | None = None) -> list[tuple[Any, ...]]:
        """Run one statement straight at the server; its rows, or none."""
        with self.connect(login) as connection:
            cursor = connection.execute(text, parameters)  # type: ignore[call-overload,unused-ignore]
            return cursor.fetchall() if cursor.description else []

    def run(self, text: str) -> None:
        """Run a script of several statements straight at the server, as superuser."""
        with self.connect() as connection:
            connection.execute(text)  # type: ignore[call-overload,unused-ignore]


@dataclass
class Postgres:
    """A running server."""

    programs: Programs
    directory: Path
    authority: tls.Issued
    port: int
    superuser: Login
    running: processes.Running
    host: str = "127.0.0.1"
    _logins: dict[str, Login] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return self.programs.version

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log_path(self) -> Path:
        """The plain log; `server.json` beside it has the same in JSON lines."""
        return self.data / "log" / "server.log"

    @property
    def ca_path(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def ca_pem(self) -> str:
        return self.authority.certificate.decode()

    def login(self, role: str) -> Login:
        """The role with a password that is known here; made (LOGIN, nothing else) where it is not there."""
        if role not in self._logins:
            self._logins[role] = Login(role, f"pw-{role}-{secrets.token_hex(8)}")
            encryption = "md5" if role == "md5_app" else "scram-sha-256"
            self.admin.run(
                f"set log_statement = 'none'; set password_encryption = '{encryption}';"
                f"do $$ begin if not exists (select from pg_roles where rolname = '{role}')"
                f" then create role {role}; end if; end $$;"
                f"alter role {role} login password '{self._logins[role].password}'"
            )
        return self._logins[role]

    def parameters(self, database: str, login: Login | None = None) -> dict[str, Any]:
        """Connection parameters for psycopg and the like; as superuser without `login`."""
        login = login or self.superuser
        return {
            "host": self.host,
            "port": self.port,
            "dbname": database,
            "user": login.user,
            "password": login.password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca_path),
        }

    def environment(self, database: str, login: Login | None = None) -> dict[str, str]:
        """The same as PG* variables, with what the programs of this version need to run."""
        names = {"dbname": "PGDATABASE"}
        given = self.parameters(database, login)
        return {
            **self.programs.environment,
            **{names.get(name, f"PG{name.upper()}"): str(value) for name, value in given.items()},
            "HOME": str(self.directory),
        }

    @cached_property
    def admin(self) -> Database:
        return Database(self, "postgres")

    def create_database(self, name: str, template: str = "template0") -> Database:
        self.admin.run(f'create database "{name}" template "{template}"')
        return Database(self, name)

    def create_shop(self, name: str) -> Database:
        """A database with the shop's tables and rows, copied from one that is loaded once."""
        if not self.admin.query("select 1 from pg_database where datname = 'shop_template'"):
            loaded = self.create_database("shop_template")
            loaded.run(SHOP_SQL.read_text())
        return self.create_database(name, "shop_template")

    def drop_database(self, name: str) -> None:
        self.admin.run(f'drop database if exists "{name}" with (force)')

    def statements(
        self, database: str | None = None, user: str | None = None, application: str | None = None
    ) -> list[Logged]:
        """Every statement in the log, in its order: simple ones whole, extended ones at each execution."""
        lines = self.log_path.with_suffix(".json").read_text().splitlines()
        found = (_logged(json.loads(line)) for line in lines if line.endswith("}"))
        wanted = {"database": database, "user": user, "application": application}
        return [
            entry
            for entry in found
            if entry and all(value in (None, getattr(entry, name)) for name, value in wanted.items())
        ]

    def stop(self) -> None:
        self.running.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _logged(line: Mapping[str, Any]) -> Logged | None:
    message: str = line.get("message", "")
    head, colon, text = message.partition(": ")
    if not colon or not (head == "statement" or head.startswith("execute ")):
        return None
    detail: str = line.get("detail", "")
    _, found, parameters = detail.partition("arameters: ")
    return Logged(
        pid=line["pid"],
        session=line["session_id"],
        user=line.get("user", ""),
        database=line.get("dbname", ""),
        application=line.get("application_name", ""),
        text=text,
        is_extended=head != "statement",
        parameters=parameters if found else None,
    )


def start(version: int, settings: Mapping[str, str] | None = None) -> Postgres:
    """A new, empty server; `settings` are added to postgresql.conf."""
    found = programs(version)
    user = processes.unprivileged_user()
    directory = processes.scratch_directory(f"pg{version}")
    processes.give(directory, user)
    superuser = Login("postgres", f"pw-super-{secrets.token_hex(8)}")
    _initialise(found, directory, user, superuser)
    authority = tls.make_authority("narrows test")
    _write_certificates(directory, authority, user)
    _write_settings(directory / "data", settings or {})
    try:
        port, running = _listen(found, directory, user)
    except processes.ServerError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Postgres(found, directory, authority, port, superuser, running)


def _initialise(found: Programs, directory: Path, user: str | None, superuser: Login) -> None:
    password = directory / "password"
    password.write_text(superuser.password)
    processes.give(password, user)
    password.chmod(0o600)
    command = [
        *(found.path("initdb"), "--pgdata", str(directory / "data"), "--username", superuser.user),
        *("--auth", "scram-sha-256", "--pwfile", str(password), "--no-sync"),
        *("--encoding", "UTF8", "--locale", "C.UTF-8"),
    ]
    processes.run(command, user, found.environment)
    password.unlink()


def _write_certificates(directory: Path, authority: tls.Issued, user: str | None) -> None:
    issued = tls.make_certificate(authority)
    (directory / "ca.crt").write_bytes(authority.certificate)
    for name, content, mode in (("server.crt", issued.certificate, 0o644), ("server.key", issued.key, 0o600)):
        path = directory / "data" / name
        path.write_bytes(content)
        path.chmod(mode)
        processes.give(path, user)


def _write_settings(data: Path, extra: Mapping[str, str]) -> None:
    settings = {**_SETTINGS, "unix_socket_directories": str(data), **extra}
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (data / "pg_hba.conf").write_text(_HBA)


def _listen(found: Programs, directory: Path, user: str | None) -> tuple[int, processes.Running]:
    """Start on a free port; on another where somebody was faster."""
    data = directory / "data"
    for _ in range(5):
        port = processes.free_port()
        command = [found.path("postgres"), "-D", str(data), "-p", str(port)]
        output = directory / "output"
        # SIGINT is PostgreSQL's fast shutdown.
        running = processes.start(command, output, user, found.environment, signal.SIGINT)
        try:
            running.wait_until(lambda: _is_ready(data / "postmaster.pid"), f"PostgreSQL {found.version}")
        except processes.ServerError as error:
            log = data / "log" / "server.log"
            said = str(error) + (log.read_text(errors="replace") if log.exists() else "")
            if "could not bind" not in said and "Address already in use" not in said:
                raise processes.ServerError(said) from error
            continue
        return port, running
    raise processes.ServerError(f"PostgreSQL {found.version} found no free port")


def _is_ready(pid_file: Path) -> bool:
    """The eighth line of postmaster.pid, as pg_ctl reads it."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


@contextlib.contextmanager
def started(version: int, settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A server for the length of a `with`."""
    server = start(version, settings)
    try:
        yield server
    finally:
        server.stop()
