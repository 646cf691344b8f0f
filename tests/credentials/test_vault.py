"""`vault:` against a real OpenBao: both versions of KV, what is remembered, and every way to fail."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace

import hvac
import pytest

from narrows.credentials import CredentialError
from narrows.credentials.vault import REMEMBERED, VaultProvider, VaultSettings
from narrows.model.secret import Secret
from tests.credentials.conftest import SHOP
from tests.servers.openbao import OpenBao


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def admin(openbao: OpenBao) -> Iterator[hvac.Client]:
    """An administrator; KV 1 is at `old` and at `deep/er`."""
    client = hvac.Client(url=openbao.address, token=openbao.token)  # type: ignore[no-untyped-call]
    for path in ("old", "deep/er"):
        client.sys.enable_secrets_engine("kv", path=path, options={"version": "1"})
        client.secrets.kv.v1.create_or_update_secret("shop", {"password": f"one-{path}"}, mount_point=path)
    client.secrets.kv.v2.create_or_update_secret("shop", {"password": "two", "n": 7, "empty": ""})
    client.secrets.kv.v2.create_or_update_secret("team/a shop", {"pass word": "three"})
    yield client
    for path in ("old", "deep/er"):
        client.sys.disable_secrets_engine(path)
    client.secrets.kv.v2.delete_metadata_and_all_versions("shop")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(openbao: OpenBao, admin: hvac.Client, clock: Clock) -> VaultProvider:
    return VaultProvider(VaultSettings(openbao.address), lambda: Secret(openbao.token), clock)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret/shop#password", "two"),
        ("/secret/shop#password", "two"),
        ("secret/team/a shop#pass word", "three"),
        ("old/shop#password", "one-old"),
        ("deep/er/shop#password", "one-deep/er"),
    ],
)
def test_a_field_is_read_from_either_version(vault: VaultProvider, name: str, value: str) -> None:
    assert vault.read(name, SHOP).reveal() == value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("secret/none#password", "there is no such secret"),
        ("old/none#password", "there is no such secret"),
        ("nowhere/shop#password", "refuses the token"),
        ("secret/shop#none", "no such field"),
        ("secret/shop#n", "no such field"),
        ("secret/shop#empty", "no such field"),
        ("sys/health#version", "there is no such secret|not that of a KV store|answered with an error"),
    ],
)
def test_what_cannot_be_read_is_named(vault: VaultProvider, name: str, said: str) -> None:
    with pytest.raises(CredentialError, match=said) as caught:
        vault.read(name, SHOP)
    assert f"vault:{name}" in str(caught.value)
    assert caught.value.__context__ is None


def test_a_deleted_secret_is_gone(vault: VaultProvider, admin: hvac.Client) -> None:
    admin.secrets.kv.v2.delete_latest_version_of_secret("shop")
    with pytest.raises(CredentialError, match="there is no such secret"):
        vault.read("secret/shop#password", SHOP)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "#",
        "secret#x",
        "secret/shop",
        "secret/shop#",
        "secret/../sys#x",
        "secret//x#y",
        "a/./b#c",
        "a/b\n#c",
    ],
)
def test_another_form_is_refused(vault: VaultProvider, name: str) -> None:
    with pytest.raises(CredentialError, match=r"vault:MOUNT/PATH#FIELD"):
        vault.read(name, SHOP)


def test_a_value_is_remembered_for_a_while_only(
    vault: VaultProvider, admin: hvac.Client, clock: Clock
) -> None:
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"
    admin.secrets.kv.v2.create_or_update_secret("shop", {"password": "new"})
    clock.now = 29.9
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"
    clock.now = 30.0
    assert vault.read("secret/shop#password", SHOP).reveal() == "new"


def test_what_is_remembered_can_be_forgotten(vault: VaultProvider, admin: hvac.Client) -> None:
    vault.read("secret/shop#password", SHOP)
    admin.secrets.kv.v2.create_or_update_secret("shop", {"password": "new"})
    vault.forget()
    assert vault.read("secret/shop#password", SHOP).reveal() == "new"


def test_what_is_remembered_is_bounded(vault: VaultProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_fetch", lambda reference: Secret(str(reference)))
    for number in range(REMEMBERED + 10):
        vault.read(f"secret/{number}#x", SHOP)
    assert len(vault._remembered) == REMEMBERED


def test_a_token_that_may_not_is_named_and_a_renewed_one_taken_up(
    openbao: OpenBao, admin: hvac.Client, clock: Clock
) -> None:
    tokens = ["s.wrong-token-wrong-token", openbao.token]
    vault = VaultProvider(VaultSettings(openbao.address), lambda: Secret(tokens.pop(0)), clock)
    with pytest.raises(CredentialError, match="refuses the token") as caught:
        vault.read("secret/shop#password", SHOP)
    assert "wrong-token" not in str(caught.value)
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"


def test_a_token_with_a_narrow_policy_is_enough(openbao: OpenBao, admin: hvac.Client, clock: Clock) -> None:
    admin.sys.create_or_update_policy("shop", 'path "secret/data/shop" { capabilities = ["read"] }')
    token = admin.auth.token.create(policies=["shop"])["auth"]["client_token"]
    vault = VaultProvider(VaultSettings(openbao.address), lambda: Secret(token), clock)
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"
    with pytest.raises(CredentialError, match="refuses the token"):
        vault.read("old/shop#password", SHOP)


def test_an_unreachable_vault_is_an_error_even_for_what_was_known(vault: VaultProvider, clock: Clock) -> None:
    vault.read("secret/shop#password", SHOP)
    vault._settings = replace(vault._settings, address="http://127.0.0.1:1")
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"
    clock.now = 31.0
    with pytest.raises(CredentialError, match="Vault cannot be reached"):
        vault.read("secret/shop#password", SHOP)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://vault.example:8200", "in clear"),
        ("http://10.0.0.1:8200", "in clear"),
        ("ftp://vault", "not understood"),
        ("vault.example", "not understood"),
        ("https://user:hunter2@vault.example", "not understood"),
        ("", "not understood"),
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(address: str, said: str) -> None:
    with pytest.raises(CredentialError, match=said) as caught:
        VaultProvider(VaultSettings(address), lambda: Secret("x"), Clock())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://vault.example", "http://localhost:8200", "http://[::1]:8200"])
def test_an_address_that_keeps_it_is_taken(address: str) -> None:
    assert VaultProvider(VaultSettings(address), lambda: Secret("x"), Clock()) is not None


class _Odd(http.server.BaseHTTPRequestHandler):
    """Answers as no Vault does; each class below says how."""

    status = 200
    body = b""
    headers_sent: tuple[tuple[str, str], ...] = ()
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(self.status)
        for name, value in self.headers_sent:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"", "not that of a KV store"),
        (200, b"<html>hunter2</html>", "not that of a KV store"),
        (200, b"[1]", "not that of a KV store"),
        (200, b'{"data": "hunter2"}', "not that of a KV store"),
        (200, b'{"data": {"path": "secret/", "data": ["hunter2"]}}', "no such field|not that of a KV store"),
        (307, b"", "not that of a KV store"),
        (400, b'{"errors": ["hunter2"]}', "answered with an error"),
        (500, b"hunter2", "answered with an error"),
        (503, b'{"errors": ["sealed"]}', "sealed or in standby"),
    ],
)
def test_odd_answers_are_errors_and_redirects_are_not_followed(status: int, body: bytes, said: str) -> None:
    seen: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as server:
        location = (("Location", f"http://127.0.0.1:{server.server_port}/elsewhere"),)
        odd = {
            "status": status,
            "body": body,
            "seen": seen,
            "headers_sent": location if status == 307 else (),
        }
        server.RequestHandlerClass = type("Odd", (_Odd,), odd)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            vault = VaultProvider(
                VaultSettings(f"http://127.0.0.1:{server.server_port}"), lambda: Secret("x"), Clock()
            )
            with pytest.raises(CredentialError, match=said) as caught:
                vault.read("secret/shop#password", SHOP)
        finally:
            server.shutdown()
            thread.join()
    assert "hunter2" not in str(caught.value)
    assert "/elsewhere" not in seen
    assert seen


def test_proxies_of_the_environment_are_not_used(
    vault: VaultProvider, openbao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert vault.read("secret/shop#password", SHOP).reveal() == "two"


def test_a_vault_that_stalls_is_given_up(openbao: OpenBao) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = VaultSettings(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)
        vault = VaultProvider(settings, lambda: Secret("x"), Clock())
        with pytest.raises(CredentialError, match="did not answer in time"):
            vault.read("secret/shop#password", SHOP)
