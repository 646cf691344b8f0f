"""One gateway per file over PostgreSQL 15, with a developer who may do everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    with worlds.started(postgres15, worlds.CHANGES, worlds.FILES) as started:
        yield started
