"""The suites: where each comes from, what of it is run, and what is left out and why.

Law: whatever is left out is left out of both ways, and for a reason that has nothing to do with a gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.drivers.world import Door

REQUIREMENTS = Path(__file__).with_name("requirements")


@dataclass(frozen=True, slots=True)
class Archive:
    """A source archive at a registry, and the one hash that it may have."""

    file: str
    sha256: str
    package: str
    """As the registry's client names it, with its version."""
    release: str | None = None
    """The Debian release whose source package it is; None where it is on PyPI."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of one driver."""

    name: str
    title: str
    archive: Archive
    copied: tuple[str, ...]
    """What is run from, of the archive: its driver is the installed one, not the one beside the tests."""
    tests: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    """Why -> what pytest is told."""
    options: Callable[[Door], tuple[str, ...]] = lambda _: ()
    environment: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ("drivers",)
    """What clients may name: the first is the one that the suite is pointed at; it may make the others."""
    prepare: str = ""
    """What its documentation asks to be in the database."""

    @property
    def requirements(self) -> Path:
        """What its environment holds, with hashes."""
        return REQUIREMENTS / f"{self.name}.txt"


def _deselected(*prefixes: str) -> tuple[str, ...]:
    return tuple(part for prefix in prefixes for part in ("--deselect", prefix))


def _urls(door: Door) -> tuple[str, ...]:
    return tuple(
        part for driver in ("psycopg", "asyncpg") for part in ("--dburi", door.url(f"postgresql+{driver}"))
    )


PSYCOPG = Suite(
    name="psycopg",
    title="psycopg 3.2.6",
    archive=Archive(
        "psycopg3_3.2.6.orig.tar.xz",
        "53989ca6a856f6fcbcaea6eb1e7ce6051580a260669cf5c3a2716a5cdb807e2b",
        "psycopg3=3.2.6-1",
        "trixie",
    ),
    copied=("tests", "pyproject.toml"),
    tests=("tests",),
    left_out={
        "it tests the pool, another database, type checkers or other loops": (
            *("--ignore", "tests/pool", "--ignore", "tests/crdb", "--ignore", "tests/test_typing.py"),
            *("--ignore", "tests/test_gevent.py"),
        ),
        "its authors mark it as one that may fail by itself": (
            "-m",
            "not slow and not timing and not flakey",
        ),
    },
    options=lambda door: ("--test-dsn", f"host={door.host} port={door.port} user={door.user}"),
)
ASYNCPG = Suite(
    name="asyncpg",
    title="asyncpg 0.32.0",
    archive=Archive(
        "asyncpg-0.32.0.tar.gz",
        "45e64e56714d888330b884aad1dfb363d0bf43fb343e3d1a8968525f3bade478",
        "asyncpg==0.32.0",
    ),
    copied=("tests", "pyproject.toml"),
    tests=("tests",),
    left_out={"it starts servers of its own": _deselected("tests/test_connect.py::TestConnectionAttributes")},
    databases=("postgres", "asyncpg_intro_test", "testdb"),
)
SQLALCHEMY = Suite(
    name="sqlalchemy",
    title="SQLAlchemy 2.1.9 with psycopg 3.3.9 and asyncpg 0.32.0",
    archive=Archive(
        "sqlalchemy-2.1.9.tar.gz",
        "d700a8b2edfb26282a470333d6bc4a454c4acda4d201a3bea7b72fa76c217d28",
        "sqlalchemy==2.1.9",
    ),
    # Its conftest reads the plugin from lib/, and nothing else of it once it is told so.
    copied=("test", "lib", "pyproject.toml", "setup.cfg"),
    tests=("test/dialect/postgresql", "test/dialect/test_suite.py"),
    left_out={
        "the same 1,228 tests as of Int4RangeRoundTripTest, for another type of range": _deselected(
            *(
                f"test/dialect/postgresql/test_types.py::{kind}RangeRoundTripTest"
                for kind in ("Int8", "Num", "Date", "DateTime", "DateTimeTZ")
            )
        )
    },
    options=lambda door: ("-o", "addopts=", "--tb=native", *_urls(door)),
    environment={"PYTHONNOUSERSITE": "1"},
    prepare="create extension hstore; create extension citext;"
    " create schema test_schema; create schema test_schema_2;",
)
SUITES = {suite.name: suite for suite in (PSYCOPG, ASYNCPG, SQLALCHEMY)}
