"""What the tests of facts share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.runtime.facts.query import Queries, open_queries
from tests.servers.postgres import Database, Login


@dataclass
class Announced:
    """Keeps what was announced, in order."""

    texts: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    failure: Exception | None = None

    async def __call__(self, text: str, purpose: str) -> None:
        if self.failure:
            raise self.failure
        self.texts.append(text)
        self.purposes.append(purpose)


def target_of(database: Database, login: Login) -> Target:
    server = database.server
    return Target(
        "shop", server.host, server.port, database.name, login.user, TlsMode.VERIFY_FULL, server.ca_pem
    )


Connect = Callable[..., Awaitable[Queries]]


@asynccontextmanager
async def queries_of(
    database: Database, login: Login | None = None, announced: Announced | None = None
) -> AsyncIterator[Queries]:
    """A connection for our own statements."""
    login = login or database.app
    queries = await open_queries(target_of(database, login), Secret(login.password), announced or Announced())
    try:
        yield queries
    finally:
        queries.close()


@pytest.fixture
def announced() -> Announced:
    return Announced()
