"""A fake gateway behind the real application, served over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.fake import FakeGateway, Running, config_in, running


@pytest.fixture
def gateway(tmp_path: Path) -> FakeGateway:
    return FakeGateway(config_in(tmp_path))


@pytest.fixture(params=["asyncio", "uvloop"])
def served(request: pytest.FixtureRequest, tmp_path: Path, gateway: FakeGateway) -> Iterator[Running]:
    """On each of the two loops that the gateway may run on."""
    with running(tmp_path, gateway, loop=request.param) as found:
        yield found


@pytest.fixture
def by_socket(served: Running) -> Iterator[httpx.Client]:
    """The built-in operator."""
    transport = httpx.HTTPTransport(uds=str(served.socket))
    with httpx.Client(transport=transport, base_url="http://narrows") as client:
        yield client


@pytest.fixture
def by_https(served: Running) -> Iterator[httpx.Client]:
    """Nobody yet: a test adds the Authorization header."""
    import ssl

    context = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=context, trust_env=False) as client:
        yield client
