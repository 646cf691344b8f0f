"""Sealed credentials: they open for their target and for no other, whatever was done to the row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.credentials import Binding, CredentialError, Credentials, master_key
from narrows.credentials.master_key import MasterKeys
from narrows.credentials.sealing import NONCE_BYTES, seal, unseal
from narrows.credentials.store import StoreProvider, has_credentials, rotate_key_file
from narrows.model.secret import Secret
from narrows.store import Store
from narrows.store import credentials as rows
from tests.credentials.conftest import SHOP, VALUE


def test_a_credential_opens_for_its_target(provider: StoreProvider, opened: Store) -> None:
    assert not has_credentials(opened)
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    assert has_credentials(opened)
    assert Credentials({"store": provider}).resolve("store:shop", SHOP) == Secret(VALUE)


@pytest.mark.parametrize(
    "other",
    [
        replace(SHOP, host="evil.example"),
        replace(SHOP, port=5433),
        replace(SHOP, ca_fingerprint="unverified"),
    ],
)
def test_it_is_not_given_to_another_target(provider: StoreProvider, other: Binding) -> None:
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    with pytest.raises(CredentialError) as caught:
        provider.read("shop", other)
    assert f"is bound to {SHOP} and is not given to {other}" in str(caught.value)
    assert "store its value again" in str(caught.value)


@pytest.mark.parametrize(
    "altered",
    [
        {"host": "evil.example"},
        {"port": 5433},
        {"ca_fingerprint": "unverified"},
        {"nonce": b"x" * NONCE_BYTES},
        {"nonce": b""},
        {"ciphertext": b""},
        {"ciphertext": b"x" * 60},
        {"name": "other"},
    ],
)
def test_an_altered_row_opens_for_nobody(
    provider: StoreProvider, opened: Store, altered: dict[str, Any]
) -> None:
    """Whoever can write the store still cannot draw the value to a target of theirs."""
    row = replace(provider.put("shop", SHOP, Secret(VALUE), "User/root"), **altered)
    with opened.write() as connection:
        rows.put(connection, row)
    with pytest.raises(CredentialError, match="was altered in the store"):
        provider.read(row.name, Binding(row.host, row.port, row.ca_fingerprint))


def test_a_row_swapped_with_another_of_the_same_target_opens_neither(
    provider: StoreProvider, opened: Store
) -> None:
    app = provider.put("app", SHOP, Secret("low"), "User/root")
    owner = provider.put("owner", SHOP, Secret("high"), "User/root")
    with opened.write() as connection:
        rows.put(connection, replace(app, nonce=owner.nonce, ciphertext=owner.ciphertext))
    with pytest.raises(CredentialError, match="altered"):
        provider.read("app", SHOP)


def test_another_key_is_named_as_the_cause(provider: StoreProvider, opened: Store) -> None:
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    stranger = StoreProvider(opened, MasterKeys(master_key.generate()), lambda: 0.0)
    with pytest.raises(CredentialError, match="sealed with another master key"):
        stranger.read("shop", SHOP)


def test_what_is_not_stored_is_named(provider: StoreProvider) -> None:
    with pytest.raises(CredentialError, match=r"No credential 'shop' is stored.*Store it"):
        provider.read("shop", SHOP)


def test_the_list_has_everything_but_the_value(provider: StoreProvider, keys: MasterKeys) -> None:
    provider.put("shop", SHOP, Secret("old"), "User/alice")
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    provider.put("billing", replace(SHOP, port=1), Secret(VALUE), "User/root")
    billing, shop = provider.list_credentials()
    assert (billing.name, shop.name) == ("billing", "shop")
    assert (shop.host, shop.port, shop.ca_fingerprint) == (SHOP.host, SHOP.port, SHOP.ca_fingerprint)
    assert (shop.key_id, shop.updated_at, shop.updated_by) == (keys.current.id, 100.0, "User/root")
    assert provider.delete("shop") == 1
    assert provider.delete("shop") == 0
    assert [row.name for row in provider.list_credentials()] == ["billing"]


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "a#b", "x" * 129, "a\n", "é"])
def test_a_name_is_plain(provider: StoreProvider, name: str) -> None:
    with pytest.raises(CredentialError, match="not plain"):
        provider.put(name, SHOP, Secret(VALUE), "User/root")


def test_an_empty_value_is_refused(provider: StoreProvider) -> None:
    with pytest.raises(CredentialError, match="empty"):
        provider.put("shop", SHOP, Secret(""), "User/root")


@given(
    value=st.text(max_size=50),
    name=st.text(max_size=20),
    host=st.text(max_size=20),
    port=st.integers(0, 65535),
)
def test_sealing_and_unsealing_are_inverse_and_never_alike(
    value: str, name: str, host: str, port: int
) -> None:
    key, binding = master_key.MasterKey(bytes(32)), Binding(host, port, "ca")
    nonce, ciphertext = seal(key, name, binding, Secret(value))
    assert unseal(key, name, binding, nonce, ciphertext) == Secret(value)
    assert unseal(key, name + "x", binding, nonce, ciphertext) is None
    assert unseal(key, name, Binding(host + "x", port, "ca"), nonce, ciphertext) is None
    assert seal(key, name, binding, Secret(value)) != (nonce, ciphertext)


# Changing the key ----------------------------------------------------------------------------------------


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    master_key.create_file(path)
    return path


def _from_file(opened: Store, path: Path) -> StoreProvider:
    return StoreProvider(opened, master_key.load(f"file:{path}", may_create=False), lambda: 100.0)


def test_a_changed_key_opens_everything_and_the_old_one_nothing(opened: Store, key_path: Path) -> None:
    old = master_key.load(f"file:{key_path}", may_create=False)
    provider = _from_file(opened, key_path)
    for name in ("shop", "billing"):
        provider.put(name, SHOP, Secret(VALUE + name), "User/alice")
    assert rotate_key_file(provider, key_path) == 2
    now = master_key.load(f"file:{key_path}", may_create=False)
    assert now.earlier == ()
    assert now.current.id != old.current.id
    for each in (provider, _from_file(opened, key_path)):
        assert each.read("shop", SHOP) == Secret(VALUE + "shop")
        each.put("new", SHOP, Secret("new"), "User/alice")
    assert {row.key_id for row in provider.list_credentials()} == {now.current.id}
    assert [row.updated_by for row in provider.list_credentials()] == ["User/alice"] * 3
    with pytest.raises(CredentialError, match="another master key"):
        StoreProvider(opened, old, lambda: 0.0).read("shop", SHOP)


@pytest.mark.parametrize("cut_at", [1, 2])
def test_a_change_that_is_cut_off_loses_nothing(
    opened: Store, key_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """Once before the second writing of the file, once before the store is sealed anew."""
    provider = _from_file(opened, key_path)
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    calls = 0
    real = master_key.replace_file

    def cut(path: Path, keys: MasterKeys) -> None:
        nonlocal calls
        calls += 1
        real(path, keys)
        if calls == cut_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(master_key, "replace_file", cut)
        with pytest.raises(KeyboardInterrupt):
            rotate_key_file(provider, key_path)
    after = _from_file(opened, key_path)
    assert after.read("shop", SHOP) == Secret(VALUE)
    rotate_key_file(after, key_path)
    assert master_key.load(f"file:{key_path}", may_create=False).earlier == ()
    assert _from_file(opened, key_path).read("shop", SHOP) == Secret(VALUE)


def test_one_credential_that_does_not_open_stops_the_change(opened: Store, key_path: Path) -> None:
    provider = _from_file(opened, key_path)
    provider.put("shop", SHOP, Secret(VALUE), "User/root")
    broken = replace(provider.put("zoo", SHOP, Secret(VALUE), "User/root"), ciphertext=b"x" * 40)
    with opened.write() as connection:
        rows.put(connection, broken)
    before = provider.list_credentials()
    with pytest.raises(CredentialError, match="'zoo' was altered"):
        rotate_key_file(provider, key_path)
    assert provider.list_credentials() == before
    for each in (provider, _from_file(opened, key_path)):
        assert each.read("shop", SHOP) == Secret(VALUE)
