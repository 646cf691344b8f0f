"""Two servers made alike, down to the OIDs: before one stands a gateway under the protecting policy, the other is bare.

Law: "unchanged" means that a tool prints the same at both, and leaves the same behind. Both databases have one name,
which is the connection's too, so that nothing a tool prints need be rewritten before it is compared.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.leaks.cases import CORPUS
from tests.leaks.world import POLICIES
from tests.servers import gateway, postgres, processes
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Postgres

NAME = "leak"
"""The connection, the database behind it, and the one beside it."""
WHO = "app"
"""The principal, and the role that it is at the target."""

_CONSTANT_IN_A_VIEW = "drop view v_const"
"""The corpus has a view whose definition holds a labelled value; what shows definitions is another test's."""


@dataclass(frozen=True)
class Door:
    """One way to the database: what a client is told."""

    database: Database
    parameters: Mapping[str, Any]
    """host, port, dbname, user, password, sslmode, sslrootcert"""

    @property
    def environment(self) -> dict[str, str]:
        """The same as PG* variables."""
        given = {
            "PGDATABASE" if k == "dbname" else f"PG{k.upper()}": str(v) for k, v in self.parameters.items()
        }
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.database.server.directory),
            "LC_ALL": "C.UTF-8",
            **given,
        }

    def run(
        self, command: Sequence[str], stdin: str = "", extra: Mapping[str, str] = {}, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that connects through this door."""
        return subprocess.run(
            command,
            env={**self.environment, **extra},
            cwd=cwd,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # binary COPY
            timeout=180,
        )

    def program(
        self, name: str, *arguments: str, version: int = 15, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One of PostgreSQL's own programs."""
        found = postgres.programs(version)
        return self.run([found.path(name), *arguments], stdin, found.environment)

    def psql(self, text: str, version: int = 15, *options: str) -> subprocess.CompletedProcess[str]:
        """psql with `text` on its standard input."""
        return self.program("psql", "-X", *options, version=version, stdin=text)


@dataclass(frozen=True)
class World:
    gateway: Gateway
    through: Door
    direct: Door

    @property
    def doors(self) -> tuple[Door, Door]:
        return self.through, self.direct

    @property
    def version(self) -> int:
        return self.direct.database.server.version

    def refusals(self) -> list[str]:
        """What the gateway refused so far: (reason, statement)."""
        return [
            f"{entry.record.reason}: {entry.record.text}"
            for entry in self.gateway.journal()
            if entry.kind == "statement" and entry.record.effect != "allow"
        ]


@contextlib.contextmanager
def started(version: int) -> Iterator[World]:
    """A world for the length of a `with`."""
    with postgres.started(version) as behind, postgres.started(version) as beside:
        databases = [_loaded(server) for server in (behind, beside)]
        policy = {"files": _files(), "changes": _changes(databases[0])}
        login = behind.login(WHO)
        with gateway.started(databases[0], environment={"APP_PASSWORD": login.password}, **policy) as running:
            through = Door(databases[0], running.parameters(WHO, NAME))
            yield World(running, through, Door(databases[1], beside.parameters(NAME, beside.login(WHO))))
            assert _failures(running) == [], "the gateway failed somewhere inside"


def _loaded(server: Postgres) -> Database:
    """The corpus's schema, whose owner is the role that the work is done as."""
    database = server.create_database(NAME)
    psql = server.programs.path("psql")
    command = [
        psql,
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-f",
        str(CORPUS / "schema.sql"),
        "-c",
        _CONSTANT_IN_A_VIEW,
    ]
    processes.run(command, environment=server.environment(NAME))
    database.run(f"grant create, temporary on database {NAME} to {WHO}")
    _ = database.app, server.login(WHO)
    return database


def _changes(database: Database) -> dict[str, Any]:
    """The connection, laid over a starting directory."""
    server = database.server
    return {
        "services": {WHO: {}},
        "groups": {"strict": {}},
        "connections": {
            NAME: {
                "host": "localhost",
                "port": server.port,
                "database": NAME,
                "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
                "credential": {"user": WHO, "password": "env:APP_PASSWORD"},
                "export_rows": 1_000_000,
            }
        },
    }


def _files() -> dict[str, str]:
    """The corpus's labels and the protecting policy, and none of the starting directory's own."""
    own = ("everyone", "fraud", "guardrails", "operators", "payroll", "pipelines", "support")
    return {
        **{f"policies/{name}.cedar": "// none\n" for name in own},
        **{f"policies/{path.name}": path.read_text() for path in POLICIES.glob("*.cedar")},
        "policies/trusted.cedar": _TRUSTED,
        "policies/story.test.yaml": "cases: []\n",
        "labels.yaml": _labels(),
    }


_TRUSTED = f"""\
@id("trusted-functions")
permit (principal, action == Action::"call", resource in Connection::"{NAME}")
when {{ resource is Function && ["full_price"].contains(resource.name) }};
"""


def _labels() -> str:
    columns = yaml.safe_load((CORPUS / "labels.yaml").read_text())["labels"]
    words = sorted({label for each in columns.values() for label in each.values()})
    return yaml.safe_dump(
        {
            "labels": {word: {"none": "constant"} for word in words},
            "columns": {NAME: columns},
            "trusted_functions": {NAME: ["public.full_price"]},
        }
    )


def _failures(running: Gateway) -> list[str]:
    """Lines of the log that tell of an exception nobody foresaw."""
    return [line for line in running.log.splitlines() if '"exception"' in line or "Traceback" in line]


_OURS = re.compile(r"^DETAIL:  code: NW\d{3};.*\nHINT:  .*\n", flags=re.MULTILINE)


def plain(text: str) -> str:
    """Without the two lines that the gateway adds where it found an error itself."""
    return _OURS.sub("", text)
