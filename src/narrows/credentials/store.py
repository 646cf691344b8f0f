"""`store:NAME`: a credential sealed in narrows' own store, bound to one target.

Laws: it opens for the target it was stored for and for no other, even where the row was rewritten; to bind
it to another target the value must be given again; nothing lists a value.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from narrows.credentials import master_key
from narrows.credentials.base import Binding, CredentialError
from narrows.credentials.master_key import MasterKeys
from narrows.credentials.sealing import seal, unseal
from narrows.model.secret import Secret
from narrows.store import Store
from narrows.store import credentials as rows
from narrows.store.credentials import CredentialRow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class StoreProvider:
    """Keeps, opens, lists and forgets sealed credentials."""

    def __init__(self, store: Store, keys: MasterKeys, clock: Callable[[], float]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._sealing = threading.Lock()
        """So that nothing is sealed with a key that is just being given up."""

    def read(self, name: str, binding: Binding) -> Secret:
        with self._store.read() as connection:
            row = rows.find(connection, name)
        if row is None:
            raise CredentialError(
                f"No credential {name[:128]!r} is stored",
                f"Store it: `narrows credentials set {name[:128]} --connection CONNECTION`.",
            )
        return _open(row, self._keys, binding)

    def put(self, name: str, binding: Binding, value: Secret, by: str) -> CredentialRow:
        """Keep a value for one target, in place of the one of that name; `by` is a principal's id."""
        if not _NAME.fullmatch(name):
            raise CredentialError("A credential's name is not plain", "Use letters, digits and . _ - only.")
        if not value.reveal():
            raise CredentialError("A credential cannot be empty", "Give its value.")
        with self._sealing, self._store.write() as connection:
            row = _sealed(name, binding, value, self._keys, self._clock(), by)
            rows.put(connection, row)
        return row

    def list_credentials(self) -> list[CredentialRow]:
        """All of them by name, sealed."""
        with self._store.read() as connection:
            return rows.list_credentials(connection)

    def delete(self, name: str) -> int:
        """Forget one; how many there were."""
        with self._store.write() as connection:
            return rows.delete(connection, name)

    def change_keys(self, keys: MasterKeys) -> int:
        """Seal everything anew with the first of these; all or nothing; how many.

        `keys` holds the earlier ones too. Until this has returned both must stay where they are kept.
        """
        with self._sealing, self._store.write() as connection:
            self._keys = keys  # at once: they open what is sealed already and what soon will be
            found = rows.list_credentials(connection)
            for row in found:
                binding = _bound(row)
                value = _open(row, keys, binding)
                rows.put(connection, _sealed(row.name, binding, value, keys, row.updated_at, row.updated_by))
        return len(found)


def has_credentials(store: Store) -> bool:
    """Whether a master key is needed that exists already."""
    with store.read() as connection:
        return bool(rows.list_credentials(connection))


def rotate_key_file(provider: StoreProvider, path: Path) -> int:
    """A new master key in the file, everything sealed anew with it, the old key gone; how many.

    Interrupted anywhere, the file opens what the store holds: the old key leaves it last.
    """
    old = master_key.load(f"file:{path}", may_create=False)
    both = MasterKeys(master_key.generate(), (old.current, *old.earlier))
    master_key.replace_file(path, both)
    changed = provider.change_keys(both)
    master_key.replace_file(path, MasterKeys(both.current))
    return changed


def _open(row: CredentialRow, keys: MasterKeys, binding: Binding) -> Secret:
    if binding != _bound(row):
        raise CredentialError(
            f"The credential {row.name!r} is bound to {_bound(row)} and is not given to {binding}",
            "If the target did move, store its value again for the new one.",
        )
    key = keys.find(row.key_id)
    if key is None:
        raise CredentialError(
            f"The credential {row.name!r} was sealed with another master key ({row.key_id})",
            "Restore that key, or store the value again.",
        )
    value = unseal(key, row.name, binding, row.nonce, row.ciphertext)
    if value is None:
        raise CredentialError(
            f"The credential {row.name!r} was altered in the store",
            "Store the value again, and ask who did it.",
        )
    return value


def _sealed(
    name: str, binding: Binding, value: Secret, keys: MasterKeys, updated_at: float, updated_by: str
) -> CredentialRow:
    nonce, ciphertext = seal(keys.current, name, binding, value)
    return CredentialRow(
        name=name,
        host=binding.host,
        port=binding.port,
        ca_fingerprint=binding.ca_fingerprint,
        nonce=nonce,
        ciphertext=ciphertext,
        key_id=keys.current.id,
        updated_at=updated_at,
        updated_by=updated_by,
    )


def _bound(row: CredentialRow) -> Binding:
    return Binding(row.host, row.port, row.ca_fingerprint)
