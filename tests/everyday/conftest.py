"""One pair of servers per version and process; every file of tests finds both databases as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.everyday import world as worlds
from tests.everyday.tools import fetch
from tests.everyday.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        names = set(getattr(item, "fixturenames", ()))
        if {"world", "world15", "world18"} & names:
            item.add_marker(pytest.mark.server)
        if {"tools", "pgjdbc"} & names:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def _pair15() -> Iterator[World]:
    with worlds.started(15) as started:
        yield started


@pytest.fixture(scope="session")
def _pair18() -> Iterator[World]:
    with worlds.started(18) as started:
        yield started


@pytest.fixture(scope="module")
def world15(_pair15: World) -> World:
    worlds.renew(_pair15)
    return _pair15


@pytest.fixture(scope="module")
def world18(_pair18: World) -> World:
    worlds.renew(_pair18)
    return _pair18


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def world(request: pytest.FixtureRequest) -> World:
    """Each of the two in turn."""
    found: World = request.getfixturevalue(f"world{request.param}")
    return found


@pytest.fixture(scope="session")
def tools() -> Path:
    """Where dbt and a Python with Django are."""
    return fetch.python_tools()


@pytest.fixture(scope="session")
def pgjdbc() -> Path:
    """The archive of the driver."""
    found = fetch.pgjdbc()
    if found is None:
        pytest.skip("no Java, or no Maven to bring pgjdbc")
    return found
