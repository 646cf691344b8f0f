"""The value shows nowhere: not in an exception or what hangs on it, a log, a repr, or the bytes of a file."""

from __future__ import annotations

import gc
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hvac
import pytest

from narrows.credentials import Binding, CredentialError, Credentials, master_key
from narrows.credentials.env import EnvProvider
from narrows.credentials.file import FileProvider
from narrows.credentials.store import StoreProvider, rotate_key_file
from narrows.credentials.vault import VaultProvider, VaultSettings
from narrows.model.secret import Secret
from narrows.store import Store, StoreError
from narrows.store import credentials as rows
from tests.credentials.conftest import SHOP
from tests.servers.openbao import OpenBao

CANARY = "kanarienvogel-7f3a9c"
EVIL = Binding("evil.example", 5432, "unverified")


def _texts(error: BaseException | None) -> Iterator[str]:
    """Everything that a log of this exception could show, the local variables of its frames included."""
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)), repr(error.args))
        yield "".join(traceback.format_exception(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/narrows/" in frame.f_code.co_filename:
                yield from (repr(value) for value in frame.f_locals.values())
        error = error.__cause__ or error.__context__


def _assert_clean(error: BaseException, *secrets: str) -> None:
    for text in _texts(error):
        for secret in secrets:
            assert secret not in text


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of what any library logs at its most talkative holds the canary."""
    caplog.set_level(logging.DEBUG)
    yield
    assert CANARY not in caplog.text
    assert all(CANARY not in repr(vars(record)) for record in caplog.records)


def _broken_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Callable[[], object]:
    path = tmp_path / "value"
    path.write_bytes(data)
    path.chmod(mode)
    return lambda: FileProvider(tmp_path).read("value", SHOP)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (CANARY.encode() + b"\xff", 0o600),
        (CANARY.encode(), 0o644),
        (CANARY.encode() * 10_000, 0o600),
    ],
)
def test_errors_of_a_file(tmp_path: Path, data: bytes, mode: int) -> None:
    with pytest.raises(CredentialError) as caught:
        _broken_file(tmp_path, data, mode)()
    _assert_clean(caught.value, CANARY)


@pytest.mark.usefixtures("quiet")
def test_errors_of_a_reference_that_is_a_password() -> None:
    for reference in (CANARY, f"{CANARY}:{CANARY}"):
        with pytest.raises(CredentialError) as caught:
            Credentials({"env": EnvProvider({})}).resolve(reference, SHOP)
        assert CANARY not in str(caught.value)


@pytest.mark.usefixtures("quiet")
def test_errors_of_the_store(provider: StoreProvider, opened: Store, tmp_path: Path) -> None:
    row = provider.put("shop", SHOP, Secret(CANARY), "User/root")
    with opened.write() as connection:
        rows.put(connection, replace(row, name="moved"))
    for name, binding in (("shop", EVIL), ("moved", SHOP), ("none", SHOP)):
        with pytest.raises(CredentialError) as caught:
            provider.read(name, binding)
        _assert_clean(caught.value, CANARY)
    with pytest.raises(CredentialError) as caught:
        provider.put("not plain", SHOP, Secret(CANARY), "User/root")
    _assert_clean(caught.value, CANARY)


@pytest.mark.usefixtures("quiet")
def test_errors_while_a_value_is_being_stored(
    provider: StoreProvider, opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened.write() as connection:
        connection.exec_driver_sql("DROP TABLE credentials")
    with pytest.raises(StoreError) as caught:
        provider.put("shop", SHOP, Secret(CANARY), "User/root")
    _assert_clean(caught.value, CANARY)


@pytest.mark.usefixtures("quiet")
def test_errors_of_vault(openbao: OpenBao) -> None:
    admin = hvac.Client(url=openbao.address, token=openbao.token)  # type: ignore[no-untyped-call]
    admin.secrets.kv.v2.create_or_update_secret("canary", {"password": CANARY, "list": [CANARY]})
    vault = VaultProvider(VaultSettings(openbao.address), lambda: Secret(openbao.token), lambda: 0.0)
    assert vault.read("secret/canary#password", SHOP) == Secret(CANARY)
    for field in ("none", "list"):
        with pytest.raises(CredentialError) as caught:
            vault.read(f"secret/canary#{field}", SHOP)
        _assert_clean(caught.value, CANARY, openbao.token)
    assert CANARY not in repr(vault) + repr(vault.__dict__)
    assert openbao.token not in repr(vault) + repr(vault.__dict__)


def _is_ours(each: object) -> bool:
    return str(type(each).__module__).startswith("narrows.")


@pytest.mark.usefixtures("quiet")
def test_nothing_that_is_ours_shows_it(provider: StoreProvider, tmp_path: Path) -> None:
    """Every object of narrows that is alive while a value is in use."""
    row = provider.put("shop", SHOP, Secret(CANARY), "User/root")
    env = EnvProvider({"CANARY": CANARY})
    credentials = Credentials({"store": provider, "env": env, "file": FileProvider(tmp_path)})
    values = [credentials.resolve("store:shop", SHOP), credentials.resolve("env:CANARY", SHOP)]
    assert values[0] == values[1] == Secret(CANARY)
    ours: list[Any] = [each for each in gc.get_objects() if _is_ours(each)]
    assert {type(each) for each in (row, env, credentials, provider, *values)} <= {
        type(each) for each in ours
    }
    for each in ours:
        assert CANARY not in f"{each!r} {each!s} {each}"
    with pytest.raises(TypeError):
        json.dumps(values)


@pytest.mark.usefixtures("quiet")
def test_the_files_of_the_store_hold_neither_value_nor_key(opened: Store, tmp_path: Path) -> None:
    key_path = tmp_path / "state" / "master.key"
    master_key.create_file(key_path)
    keys = master_key.load(f"file:{key_path}", may_create=False)
    provider = StoreProvider(opened, keys, lambda: 100.0)
    provider.put("shop", SHOP, Secret(CANARY), "User/root")
    rotate_key_file(provider, key_path)
    provider.put("shop", SHOP, Secret(f"{CANARY}-2"), "User/root")
    now = master_key.load(f"file:{key_path}", may_create=False)
    looked_at = 0
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != key_path:
            data = path.read_bytes()
            looked_at += 1
            assert CANARY.encode() not in data
            assert keys.current.reveal() not in data
            assert now.current.reveal() not in data
    assert looked_at >= 2
    assert b"db1.example" in (tmp_path / "narrows.db-wal").read_bytes()
