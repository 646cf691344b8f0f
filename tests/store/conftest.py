"""A store on each database in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from narrows import store
from narrows.store import Store
from tests.servers.postgres import Postgres

_NUMBERS = itertools.count(1)


def postgres_url(server: Postgres, database: str) -> str:
    given = server.parameters(database)
    options = urlencode({"sslmode": given["sslmode"], "sslrootcert": given["sslrootcert"]})
    who = f"{given['user']}:{quote(given['password'])}"
    return f"postgresql://{who}@{server.host}:{server.port}/{database}?{options}"


@pytest.fixture
def empty_postgres(postgres15: Postgres) -> Iterator[str]:
    """The URL of an empty database."""
    database = postgres15.create_database(f"store_{next(_NUMBERS)}")
    yield postgres_url(postgres15, database.name)
    postgres15.drop_database(database.name)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "narrows.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def target(request: pytest.FixtureRequest) -> str:
    """Where a store may be made."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_path"))
    return str(request.getfixturevalue("empty_postgres"))


@pytest.fixture
def opened(target: str) -> Iterator[Store]:
    found = store.open(target)
    yield found
    found.close()
