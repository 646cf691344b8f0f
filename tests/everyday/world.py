"""Two servers made alike, down to the OIDs: before one stands a gateway under the protecting policy, the other is bare.

Law: "unchanged" means that a tool prints the same at both and leaves the same behind. Both databases have one name,
which is the connection's too: a tool that writes it into statements, as dbt does, means the same at both.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from narrows.journal.records import StatementRecord
from tests.leaks.cases import CORPUS
from tests.leaks.world import POLICIES
from tests.servers import gateway, postgres, processes
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Postgres

NAME = "leak"
"""The connection, the database behind it, and the one beside it."""
WHO = "app"
"""The principal, and the role that it is at the target."""
_TEMPLATE = "template_leak"
_CONSTANT_IN_A_VIEW = "drop view v_const"
"""The corpus has a view whose query holds a labelled value; that it is held back is the corpus's to say."""

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Door:
    """One way to the database: what a client is told."""

    name: str
    database: Database
    parameters: Mapping[str, Any]
    """host, port, dbname, user, password, sslmode, sslrootcert"""

    @property
    def environment(self) -> dict[str, str]:
        """The same as PG* variables."""
        names = {"dbname": "PGDATABASE"}
        given = {names.get(key, f"PG{key.upper()}"): str(value) for key, value in self.parameters.items()}
        home = str(self.database.server.directory)
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LC_ALL": "C.UTF-8", **given}

    def run(
        self, command: Sequence[str], stdin: str = "", extra: Mapping[str, str] = {}, cwd: Path | None = None
    ) -> Done:
        """Run a program that connects through this door."""
        return subprocess.run(
            command,
            env={**self.environment, **extra},
            cwd=cwd,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )

    def program(self, name: str, *arguments: str, version: int = 15, stdin: str = "") -> Done:
        """One of PostgreSQL's own programs."""
        found = postgres.programs(version)
        return self.run([found.path(name), *arguments], stdin, found.environment)

    def psql(self, text: str, *options: str, version: int = 15) -> Done:
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

    def same(self, use: Callable[[Door], Done], clean: Callable[[str], str] = str) -> Done:
        """What a program says through the gateway, once it was seen to say the same without it."""
        refused = len(self.refusals())
        through, direct = (use(door) for door in self.doors)
        new = "\n".join(self.refusals()[refused:])
        assert clean(_plain(through.stderr)) == clean(direct.stderr), new
        assert clean(through.stdout) == clean(direct.stdout), new
        assert through.returncode == direct.returncode, new
        return through

    def refusals(self) -> list[str]:
        """What was refused so far, for whoever reads a failure."""
        return [
            f"{entry.record.reason}: {entry.record.text}"
            for entry in self.gateway.journal()
            if isinstance(entry.record, StatementRecord) and entry.record.effect != "allow"
        ]

    def assert_same_is_left(self, *options: str) -> None:
        """Both databases hold the same, as the superuser's own pg_dump writes it down."""
        through, direct = (_dump(door.database, options) for door in self.doors)
        assert through == direct


def _dump(database: Database, options: Sequence[str]) -> str:
    server = database.server
    command = [server.programs.path("pg_dump"), *options]
    text = processes.run(command, environment=server.environment(database.name))
    return without_keys(text)


def without_keys(text: str) -> str:
    r"""A dump without the random word that `\restrict` has in each."""
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)


_OURS = re.compile(r"^DETAIL:  code: NW\d{3};.*\nHINT:  .*\n", flags=re.MULTILINE)


def _plain(text: str) -> str:
    """Without the two lines that the gateway adds where it found an error itself."""
    return _OURS.sub("", text)


@contextlib.contextmanager
def started(version: int) -> Iterator[World]:
    """A world for the length of a `with`."""
    with postgres.started(version) as behind, postgres.started(version) as beside:
        databases = [_loaded(server) for server in (behind, beside)]
        password = {"APP_PASSWORD": behind.login(WHO).password}
        with gateway.started(databases[0], _changes(databases[0]), _files(), password) as running:
            through = Door("through", databases[0], running.parameters(WHO, NAME))
            direct = beside.parameters(NAME, beside.login(WHO)) | {"host": "localhost"}
            yield World(running, through, Door("direct", databases[1], direct))
            assert _failures(running) == [], "the gateway failed somewhere inside"


def renew(world: World) -> None:
    """Both databases as they were; a definition through the gateway has it read the new one."""
    for door in world.doors:
        door.database.server.drop_database(NAME)
        _create(door.database.server)
    for door in world.doors:
        done = door.psql("alter table scratch set (fillfactor = 100);")
        assert done.returncode == 0, done.stderr


def _loaded(server: Postgres) -> Database:
    """The corpus's schema, whose tables belong to the role that the work is done as."""
    server.create_database(_TEMPLATE)
    psql = server.programs.path("psql")
    options = [
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-f",
        str(CORPUS / "schema.sql"),
        "-c",
        _CONSTANT_IN_A_VIEW,
    ]
    processes.run([psql, *options], environment=server.environment(_TEMPLATE))
    database = _create(server)
    _ = database.app, server.login(WHO)
    return database


def _create(server: Postgres) -> Database:
    database = server.create_database(NAME, _TEMPLATE)
    server.admin.run(f"grant create, temporary on database {NAME} to {WHO}")
    return database


def _changes(database: Database) -> dict[str, Any]:
    """The connection, laid over a starting directory."""
    return {
        "services": {WHO: {}},
        "groups": {"strict": {}},
        "connections": {
            NAME: {
                "host": "localhost",
                "port": database.server.port,
                "database": NAME,
                "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
                "credential": {"user": WHO, "password": "env:APP_PASSWORD"},
                "export_rows": 1_000_000,
            }
        },
    }


_TRUSTED = f"""\
@id("trusted-functions")
permit (principal, action == Action::"call", resource in Connection::"{NAME}")
when {{ resource is Function && resource.name == "full_price" }};
"""


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
