"""Fixtures that every test may ask for; those that start a real server mark the test `server`.

One server per version and pytest process, started when first asked for. `shop15`, `shop18` and `shop` (either,
by parameter) give a database of its own to each test; `shared_shop15` and the like are cheaper and must only be
read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import openbao as openbao_server
from tests.servers import postgres as postgres_server
from tests.servers.openbao import OpenBao
from tests.servers.postgres import Database, Postgres

# A loaded machine is slow, not wrong.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

_SERVER_FIXTURES = {"postgres15", "postgres18", "openbao"}
_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def postgres15() -> Iterator[Postgres]:
    """Debian's PostgreSQL 15."""
    with postgres_server.started(15) as server:
        yield server


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Postgres]:
    """PostgreSQL 18 from PyPI."""
    with postgres_server.started(18) as server:
        yield server


@pytest.fixture(params=[15, 18], ids=["pg15", "pg18"])
def postgres(request: pytest.FixtureRequest, postgres15: Postgres, postgres18: Postgres) -> Postgres:
    """Each of the two in turn."""
    return postgres15 if request.param == 15 else postgres18


@pytest.fixture(scope="session")
def shared_shop15(postgres15: Postgres) -> Database:
    """A shop that tests only read."""
    return postgres15.create_shop("shared_shop")


@pytest.fixture(scope="session")
def shared_shop18(postgres18: Postgres) -> Database:
    return postgres18.create_shop("shared_shop")


@pytest.fixture
def shop15(postgres15: Postgres) -> Iterator[Database]:
    """A shop of the test's own."""
    yield from _own_shop(postgres15)


@pytest.fixture
def shop18(postgres18: Postgres) -> Iterator[Database]:
    yield from _own_shop(postgres18)


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Database]:
    """A shop of the test's own, on each version in turn."""
    yield from _own_shop(postgres)


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """A Vault-compatible secret store."""
    with openbao_server.started() as server:
        yield server


def _own_shop(server: Postgres) -> Iterator[Database]:
    name = f"shop_{next(_NUMBERS)}"
    yield server.create_shop(name)
    server.drop_database(name)
