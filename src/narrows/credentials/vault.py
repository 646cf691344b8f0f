"""`vault:MOUNT/PATH#FIELD`: a field of a secret in HashiCorp Vault or OpenBao, KV version 1 or 2.

Laws: the token goes to the configured address only: no redirect is followed, no proxy or other setting is
taken from the environment, and without TLS only on this machine; what is remembered is bounded in number and
time, and an unreachable Vault is an error, not a reason to use what is stale.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import hvac
import requests

from narrows.credentials.base import Binding, CredentialError
from narrows.model.secret import Secret

REMEMBERED = 256
_BAD_PARTS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where the server is and how long to wait for it, and to rely on what it said."""

    address: str
    ca_file: str | None = None
    """PEM file of its authorities; None means the system's."""
    namespace: str | None = None
    timeout_s: float = 5.0
    remember_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _Reference:
    path: str
    field: str

    def __str__(self) -> str:
        return f"vault:{self.path}#{self.field}"


class VaultProvider:
    """Reads with a token that `token` gives anew each time, so that a renewed one is taken up."""

    def __init__(
        self, settings: VaultSettings, token: Callable[[], Secret], monotonic: Callable[[], float]
    ) -> None:
        _check_address(settings.address)
        self._settings = settings
        self._token = token
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._remembered: OrderedDict[_Reference, tuple[float, Secret]] = OrderedDict()

    def read(self, name: str, binding: Binding) -> Secret:  # noqa: ARG002 - whoever wrote it there decides
        reference = _parse(name)
        now = self._monotonic()
        with self._lock:
            known = self._remembered.get(reference)
        if known and now - known[0] < self._settings.remember_s:
            return known[1]
        value = self._fetch(reference)
        with self._lock:
            self._remembered[reference] = (now, value)
            self._remembered.move_to_end(reference)
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return value

    def forget(self) -> None:
        """Ask the server the next time, as after a target refused a password."""
        with self._lock:
            self._remembered.clear()

    def _fetch(self, reference: _Reference) -> Secret:
        # An outcome and not an exception: what is raised below hvac carries answers and requests along.
        with requests.Session() as session:
            answer = _ask(_client(self._settings, self._token(), session), reference)
        if isinstance(answer, _Failure):
            raise CredentialError(f"{reference} cannot be read: {answer.why}", answer.remedy)
        return answer

    def __repr__(self) -> str:
        return f"VaultProvider({self._settings.address})"


@dataclass(frozen=True, slots=True)
class _Failure:
    why: str
    remedy: str


_FAILURES: tuple[tuple[type[Exception], _Failure], ...] = (
    (
        hvac.exceptions.Forbidden,
        _Failure(
            "Vault refuses the token", "Check the mount, renew the token, and let its policy read this path."
        ),
    ),
    (hvac.exceptions.InvalidPath, _Failure("there is no such secret", "Check mount and path, or write it.")),
    (
        hvac.exceptions.VaultDown,
        _Failure("Vault is sealed or in standby", "Unseal it, or name its active node."),
    ),
    (requests.exceptions.SSLError, _Failure("its certificate is not trusted", "Set the CA file for Vault.")),
    (
        requests.exceptions.Timeout,
        _Failure("Vault did not answer in time", "Check that it runs, and the network."),
    ),
    (
        requests.exceptions.RequestException,
        _Failure("Vault cannot be reached", "Check its address and that it runs."),
    ),
    (hvac.exceptions.VaultError, _Failure("Vault answered with an error", "Look into its log.")),
)
_NO_SENSE = _Failure(
    "the answer is not that of a KV store", "Check the address, and that the mount is KV 1 or 2."
)


def _client(settings: VaultSettings, token: Secret, session: requests.Session) -> hvac.Client:
    session.trust_env = False
    session.verify = settings.ca_file or True
    return hvac.Client(  # type: ignore[no-untyped-call]
        url=settings.address,
        token=token.reveal(),
        session=session,
        verify=session.verify,
        timeout=settings.timeout_s,
        namespace=settings.namespace,
        allow_redirects=False,  # hvac would send the token along to wherever it is sent
    )


def _ask(client: hvac.Client, reference: _Reference) -> Secret | _Failure:
    try:
        fields = _fields(client, reference.path)
    except (hvac.exceptions.VaultError, requests.exceptions.RequestException) as error:
        return next(failure for kind, failure in _FAILURES if isinstance(error, kind))
    if fields is None:
        return _NO_SENSE
    value = fields.get(reference.field)
    if not isinstance(value, str) or not value:
        return _Failure("it has no such field with a text in it", "Check the field's name.")
    return Secret(value)


def _fields(client: hvac.Client, path: str) -> dict[str, Any] | None:
    """The fields of the secret; None where the answer has another shape than KV 1 or 2 gives."""
    mount = _dig(client.adapter.get(f"/v1/sys/internal/ui/mounts/{quote(path)}"), "data")
    name = str(_dig(mount, "path") or "").strip("/")
    if not name or not path.startswith(f"{name}/"):
        return None
    inner = path.removeprefix(f"{name}/")
    if str(_dig(mount, "options", "version")) == "2":
        versioned = client.secrets.kv.v2.read_secret_version(
            inner, mount_point=name, raise_on_deleted_version=True
        )
        found = _dig(versioned, "data", "data")
    else:
        found = _dig(client.secrets.kv.v1.read_secret(inner, mount_point=name), "data")
    return found if isinstance(found, dict) else None


def _dig(value: Any, *path: str) -> Any:
    """The value under these keys; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _parse(name: str) -> _Reference:
    path, _, field = name.partition("#")
    path = path.strip("/")
    parts = path.split("/")
    if len(parts) < 2 or not field or _BAD_PARTS & set(parts) or not name.isprintable():
        raise CredentialError("A vault: reference is not understood", "Write vault:MOUNT/PATH#FIELD.")
    return _Reference(path, field)


def _check_address(address: str) -> None:
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
        raise CredentialError("Vault's address is not understood", "Write https://HOST:PORT.")
    if url.scheme == "http" and not _is_this_machine(url.hostname):
        raise CredentialError(
            f"Vault at {url.hostname} would get its token in clear",
            "Write https://, and set its CA file if needed.",
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
