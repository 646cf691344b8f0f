"""PgBouncer from Debian, in session mode, over the bench's PostgreSQL: the C pooler that narrows is measured by.

Law: it is set up to win: no password to check, no line logged for a connection.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import processes
from tests.servers.fetch import FetchError
from tests.servers.postgres import Database, Login

_PLACES = ("/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer")


def program() -> str:
    """Where pgbouncer is; installed first where it is missing and we may."""
    if (found := _find()) is None:
        _install()
        found = _find()
    if found is None:
        raise FetchError("pgbouncer is not here: apt-get install --no-install-recommends pgbouncer")
    return found


def _find() -> str | None:
    return shutil.which("pgbouncer") or next((place for place in _PLACES if Path(place).exists()), None)


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "pgbouncer"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
        raise FetchError("apt-get could not install pgbouncer; run apt-get update and try again")


def version(path: str) -> str:
    """Such as `PgBouncer 1.18.0`."""
    return processes.run([path, "--version"]).splitlines()[0]


def settings(database: Database, login: Login, port: int, directory: Path, has_tls: bool) -> str:
    """The text of pgbouncer.ini."""
    server = database.server
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": directory / "users.txt",
        "pool_mode": "session",
        "default_pool_size": 100,
        "max_client_conn": 1000,
        "ignore_startup_parameters": "extra_float_digits",
        "log_connections": 0,
        "log_disconnections": 0,
        "log_stats": 0,
    }
    if has_tls:
        lines |= {
            "client_tls_sslmode": "require",
            "client_tls_cert_file": server.data / "server.crt",
            "client_tls_key_file": server.data / "server.key",
            "server_tls_sslmode": "verify-full",
            "server_tls_ca_file": server.ca_path,
        }
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    host = "localhost" if has_tls else server.host
    target = f"host={host} port={server.port} dbname={database.name} user={login.user}"
    return f"[databases]\n{database.name} = {target}\n[pgbouncer]\n{text}"


@contextlib.contextmanager
def started(database: Database, login: Login, has_tls: bool = False) -> Iterator[tuple[int, int]]:
    """A pgbouncer for the length of a `with`; (port, pid)."""
    path, user = program(), processes.unprivileged_user()
    directory = processes.scratch_directory("pgbouncer")
    port = processes.free_port()
    try:
        (directory / "users.txt").write_text(f'"{login.user}" ""\n')
        (directory / "pgbouncer.ini").write_text(settings(database, login, port, directory, has_tls))
        running = processes.start([path, str(directory / "pgbouncer.ini")], directory / "output", user)
        try:
            running.wait_until(lambda: processes.accepts(port), "pgbouncer")
            yield port, running.pid
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
