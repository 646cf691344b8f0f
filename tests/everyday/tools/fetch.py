"""Brings dbt and Django into a virtual environment of their own, and pgjdbc from Maven, once for all runs.

Laws: what is installed is what the lock file names, by hash, and nothing beside it; the environment bears the hash of
the lock in its name, so
that another lock is another environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.fetch import FetchError, cache_directory

LOCK = Path(__file__).with_name("requirements.lock")
JDBC = "org.postgresql:postgresql:42.7.8"
JDBC_SHA256 = "2a32a9dcbc42d67a50ad3a0de5efd102c8d2be46720045f2cbd6689f160ab7c7"


def python_tools() -> Path:
    """The directory of programs in which dbt and a Python with Django are; installed on the first call."""
    cache = cache_directory()
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    found = cache / f"everyday-{sys.version_info.major}.{sys.version_info.minor}-{key}"
    with (cache / "everyday.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found / "complete").exists():
            shutil.rmtree(found, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(found))
            options = (
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--require-hashes",
                "-r",
                str(LOCK),
            )
            _run(str(found / "bin" / "pip"), "install", *options)
            (found / "complete").touch()
    return found / "bin"


def pgjdbc() -> Path | None:
    """The driver's archive; None where there is no Java or no Maven to bring it."""
    if shutil.which("java") is None:
        return None
    cache = cache_directory()
    _, name, version = JDBC.split(":")
    found = cache / f"{name}-{version}.jar"
    with (cache / "pgjdbc.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            if shutil.which("mvn") is None:
                return None
            goal = "dependency:copy"
            _run("mvn", "--quiet", "--batch-mode", goal, f"-Dartifact={JDBC}", f"-DoutputDirectory={cache}")
    if hashlib.sha256(found.read_bytes()).hexdigest() != JDBC_SHA256:
        raise FetchError(f"{found} does not have the expected hash; remove it")
    return found


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise FetchError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(python_tools())
    print(pgjdbc())
