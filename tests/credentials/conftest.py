"""A store with a key of its own, and a target to bind to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from narrows import store
from narrows.credentials import Binding, master_key
from narrows.credentials.master_key import MasterKeys
from narrows.credentials.store import StoreProvider
from narrows.store import Store

SHOP = Binding("db1.example", 5432, "ab" * 32)
VALUE = "hunter2-hunter2-hunter2"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    found = store.open(tmp_path / "narrows.db")
    yield found
    found.close()


@pytest.fixture
def keys() -> MasterKeys:
    return MasterKeys(master_key.generate())


@pytest.fixture
def provider(opened: Store, keys: MasterKeys) -> StoreProvider:
    return StoreProvider(opened, keys, lambda: 100.0)
