"""A real gateway for tests: `narrows serve` in its own process, over a real PostgreSQL, driven by real clients.

with gateway.started(database) as gw:
    gw.token("alice")
    gw.psql("alice", "select 1")
    gw.journal()                        # every entry of the journal's files
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from narrows.journal import read
from narrows.journal.records import Entry
from tests.servers import processes
from tests.servers.fetch import is_open_to_all
from tests.servers.postgres import Database

NARROWS = str(Path(sys.executable).with_name("narrows"))
PSQL = shutil.which("psql") or "psql"


@dataclass
class Gateway:
    """A running gateway over one database."""

    directory: Path
    database: Database
    port: int
    environment: dict[str, str]
    running: processes.Running
    user: str | None = None
    """Whom the gateway runs as; None is ourselves."""
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def ca_path(self) -> Path:
        return self.directory / "tls" / "ca.crt"

    @property
    def log(self) -> str:
        return self.running.output.read_text(errors="replace")

    def narrows(self, *arguments: str, stdin: str = "", is_ok: bool = True) -> str:
        """Run the command line as the operator; its output."""
        done = subprocess.run(
            [NARROWS, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if is_ok:
            assert done.returncode == 0, f"narrows {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def operate(self, *arguments: str, stdin: str = "", is_ok: bool = True) -> Any:
        """A command against this gateway, its JSON."""
        out = self.narrows(*arguments, "--config", str(self.directory), "--json", stdin=stdin, is_ok=is_ok)
        return json.loads(out) if out.strip() else None

    def token(self, name: str) -> str:
        """A token of a declared user or service, made once."""
        if name not in self._tokens:
            self._tokens[name] = self.operate("tokens", "create", name)["secret"]
        return self._tokens[name]

    def parameters(self, name: str, dbname: str = "shop") -> dict[str, Any]:
        """Connection parameters for psycopg and the like."""
        return {
            "host": "localhost",
            "port": self.port,
            "dbname": dbname,
            "user": name,
            "password": self.token(name),
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca_path),
        }

    def environ(self, name: str, dbname: str = "shop") -> dict[str, str]:
        """The same as PG* variables."""
        names = {"dbname": "PGDATABASE"}
        given = self.parameters(name, dbname)
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            **{names.get(key, f"PG{key.upper()}"): str(value) for key, value in given.items()},
        }

    def psql(
        self,
        name: str,
        *texts: str,
        dbname: str = "shop",
        stdin: str | None = None,
        options: Sequence[str] = ("-X", "-A", "-t"),
        program: str = PSQL,
        extra: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run real psql; each text is a `-c` of its own."""
        command = [program, *options, *(part for text in texts for part in ("-c", text))]
        environment = self.environ(name, dbname) | dict(extra or {})
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=timeout_s
        )

    def journal(self) -> list[Entry]:
        """Every entry, in order."""
        return list(read.read_entries(self.directory / "state" / "journal"))

    def rewrite(self, name: str, text: str) -> None:
        """Replace a file of the configuration and reload."""
        (self.directory / name).write_text(text)
        self.operate("reload")

    def reload(self) -> None:
        self.operate("reload")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.running.process.kill()
        self.running.process.wait()

    def start_again(self) -> None:
        """After `kill`: the same directory, the same port."""
        self.running = _start(self.directory, self.environment, self.user)
        _wait(self)


Configure = Mapping[str, Any]
"""What is laid over the starting directory's narrows.yaml, key by key."""


def prepare(
    directory: Path,
    database: Database,
    changes: Configure | None = None,
    files: Mapping[str, str] | None = None,
) -> int:
    """A starting directory whose `shop` is this database; the port that clients connect to."""
    subprocess.run([NARROWS, "init", str(directory)], check=True, capture_output=True)
    path = directory / "narrows.yaml"
    root = yaml.safe_load(path.read_text())
    port = processes.free_port()
    root["settings"].update(
        {"postgres_listen": f"127.0.0.1:{port}", "control_listen": f"127.0.0.1:{processes.free_port()}"}
    )
    server = database.server
    (directory / "tls" / "target-ca.crt").write_text(server.ca_pem)
    root["connections"]["shop"].update(
        {
            "host": "localhost",
            "port": server.port,
            "database": database.name,
            "tls": {"mode": "verify-full", "ca": "tls/target-ca.crt"},
            "credential": {"user": database.app.user, "password": "store:shop"},
        }
    )
    _lay_over(root, changes or {})
    path.write_text(yaml.safe_dump(root, sort_keys=False))
    for name, text in (files or {}).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return port


@contextlib.contextmanager
def started(
    database: Database,
    changes: Configure | None = None,
    files: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    at: Path | None = None,
) -> Iterator[Gateway]:
    """A gateway for the length of a `with`, with the application's credential stored.

    `at` is the configuration directory where it must be a certain one; `user` whom the gateway runs as.
    """
    scratch = processes.scratch_directory("gw")
    directory = at or scratch / "gateway"
    try:
        port = prepare(directory, database, changes, files)
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(directory.parent),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            **(environment or {}),
        }
        if user is not None:
            subprocess.run(["chown", "-R", user, str(scratch), str(directory)], check=True)
        gateway = Gateway(directory, database, port, environ, _start(directory, environ, user), user)
        try:
            _wait(gateway)
            gateway.operate(
                "credentials", "set", "shop", "--connection", "shop", stdin=database.app.password + "\n"
            )
            yield gateway
        finally:
            gateway.running.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _start(directory: Path, environment: Mapping[str, str], user: str | None = None) -> processes.Running:
    extra: dict[str, str] = {}
    command = [NARROWS, "serve", "--config", str(directory)]
    if user is not None:
        python, extra = _python_for_all()
        command = [python, "-c", "from narrows.cli import main; main()", *command[1:]]
    return processes.start(
        command, directory.parent / "gateway.log", user, {**environment, **extra}, signal.SIGTERM
    )


def _python_for_all() -> tuple[str, dict[str, str]]:
    """A Python that any user may run, with our packages: ours may stand under a closed home directory."""
    packages = os.pathsep.join(path for path in sys.path if path)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        if Path(candidate).exists() and is_open_to_all(Path(candidate).parent):
            return candidate, {"PYTHONPATH": packages}
    raise processes.ServerError(f"no {version} that every user may run: apt-get install {version}")


def _wait(gateway: Gateway) -> None:
    socket = gateway.directory / "state" / "control.sock"
    gateway.running.wait_until(lambda: socket.exists() and processes.accepts(gateway.port), "narrows serve")


def _lay_over(under: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(under.get(key), dict):
            _lay_over(under[key], value)
        else:
            under[key] = value
