"""The key that seals stored credentials: a line of text, in a file of mode 0600 or an environment variable.

Laws: a key file is made once, whole or not at all, and never over another; it is not made where the store
already holds credentials, since those would then be lost without a word. Several keys may stand there: the
first seals, all of them open, so that changing the key can be interrupted anywhere.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from narrows.credentials.base import Binding, CredentialError
from narrows.credentials.env import EnvProvider
from narrows.credentials.file import read_secret_file
from narrows.model.secret import Secret

KEY_BYTES = 32
_PREFIX = "narrows-key-1:"
_NO_BINDING = Binding("", 0, "")


class MasterKey:
    """256 bits that show only their id."""

    __slots__ = ("_key", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise CredentialError("A master key has the wrong length", "Use one that narrows made.")
        self._key = key
        self.id = hashlib.sha256(b"narrows master key id" + key).hexdigest()[:16]

    def reveal(self) -> bytes:
        """The key itself; for `sealing` and for writing it down."""
        return self._key

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MasterKey cannot be pickled")


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The key that seals now, and earlier ones that still open."""

    current: MasterKey
    earlier: tuple[MasterKey, ...] = ()

    def find(self, key_id: str) -> MasterKey | None:
        """The key of this id."""
        return next((key for key in (self.current, *self.earlier) if key.id == key_id), None)


def generate() -> MasterKey:
    """A new random key."""
    return MasterKey(secrets.token_bytes(KEY_BYTES))


def load(reference: str, *, may_create: bool) -> MasterKeys:
    """The keys at `file:PATH` or `env:NAME`; a missing file is made where `may_create`.

    Say `may_create` only where the store holds no credential; `store.has_credentials` knows.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        return parse(EnvProvider().read(name, _NO_BINDING), reference)
    if scheme != "file" or not name:
        raise CredentialError("The master key's place is not understood", "Write file:PATH or env:NAME.")
    path = Path(name)
    if not path.exists():
        if not may_create:
            raise CredentialError(
                f"The master key {path} is missing and stored credentials need it",
                "Restore it from a backup, or delete the credentials and store them anew.",
            )
        create_file(path)
    return parse(read_secret_file(path), reference)


def parse(text: Secret, where: str) -> MasterKeys:
    """The keys of a text, one a word; raises CredentialError."""
    keys = [_key(word) for word in text.reveal().split()]
    sound = [key for key in keys if key is not None]
    if not sound or len(sound) != len(keys):
        raise CredentialError(
            f"What stands at {where} is not a master key",
            f"It is one {_PREFIX}... a line; restore it from a backup.",
        )
    return MasterKeys(sound[0], tuple(sound[1:]))


def render(keys: MasterKeys) -> Secret:
    """The text that `parse` reads: for a file, or for the variable of `env:NAME`."""
    lines = (
        _PREFIX + base64.urlsafe_b64encode(key.reveal()).decode() for key in (keys.current, *keys.earlier)
    )
    return Secret("".join(f"{line}\n" for line in lines))


def create_file(path: Path) -> None:
    """A new key in a new file; where another process was faster, its file stays."""
    with _written(path, MasterKeys(generate())) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


def replace_file(path: Path, keys: MasterKeys) -> None:
    """These keys in place of the file's, at once or not at all."""
    with _written(path, keys) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _written(path: Path, keys: MasterKeys) -> Iterator[Path]:
    """The keys in a file beside `path`, on disk; the directory is synced after the caller put it in place."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(render(keys).reveal())
            file.flush()
            os.fsync(descriptor)
        yield draft
        _sync(path.parent)
    except OSError as error:
        raise CredentialError(
            f"The master key {path} cannot be written: {error.strerror}", "Check the state directory."
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _key(word: str) -> MasterKey | None:
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return MasterKey(key) if word.startswith(_PREFIX) and len(key) == KEY_BYTES else None
