"""The journal's keys: one signs checkpoints (Ed25519), one seals bind values (AES-256).

Laws: private files are 0600 and belong to the gateway's user, or they are not read; the public half is a
file of its own, so that anyone may verify. Losing the sealing key loses the values, never the chain.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from narrows.journal import files
from narrows.model.secret import Secret

SIGNING_FILE = "journal-signing.pem"
PUBLIC_FILE = "journal-signing.pub.pem"
VALUES_FILE = "journal-values.key"
_KEY_FILE_BYTES = 4096


class KeyFault(Exception):
    """A key file cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a writer holds; repr shows ids only."""

    signing: Ed25519PrivateKey = field(repr=False)
    values: Secret
    """64 hex digits."""

    @property
    def public(self) -> Ed25519PublicKey:
        return self.signing.public_key()

    @property
    def id(self) -> str:
        return key_id(self.public)


def key_id(public: Ed25519PublicKey) -> str:
    """16 hex digits that name a public key."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sha256(raw).hexdigest()[:16]


def generate() -> Keys:
    return Keys(Ed25519PrivateKey.generate(), Secret(os.urandom(32).hex()))


def load_or_create(directory: Path) -> Keys:
    """The keys in a directory of the state, made on the first start; raises KeyFault."""
    signing, values = directory / SIGNING_FILE, directory / VALUES_FILE
    try:
        files.make_directory(directory)
        if not signing.exists() and not values.exists():
            _store(generate(), directory)
    except OSError as fault:
        raise KeyFault(f"The journal's keys cannot be made in {directory}: {fault.strerror}.") from fault
    return load(directory)


def load(directory: Path) -> Keys:
    """The keys of an existing state; raises KeyFault."""
    pem = _read_private(directory / SIGNING_FILE)
    values = _read_private(directory / VALUES_FILE)
    try:
        signing = serialization.load_pem_private_key(pem, None)
        raw = bytes.fromhex(values.decode("ascii").strip())
    except (ValueError, TypeError) as fault:
        raise KeyFault(f"A journal key in {directory} is not readable as a key: restore it.") from fault
    if not isinstance(signing, Ed25519PrivateKey) or len(raw) != 32:
        raise KeyFault(f"A journal key in {directory} is of another kind: restore it.")
    return Keys(signing, Secret(raw.hex()))


def load_public(path: Path) -> Ed25519PublicKey:
    """The public key from its file; raises KeyFault."""
    try:
        with path.open("rb") as file:
            key = serialization.load_pem_public_key(file.read(_KEY_FILE_BYTES))
    except OSError as fault:
        raise KeyFault(f"The public key {path} cannot be read: {fault.strerror}.") from fault
    except ValueError as fault:
        raise KeyFault(f"{path} is not a public key in PEM form.") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFault(f"{path} is not an Ed25519 public key.")
    return key


def public_pem(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _store(keys: Keys, directory: Path) -> None:
    pem = keys.signing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.write_new(directory / VALUES_FILE, keys.values.reveal().encode() + b"\n")
    files.write_new(directory / PUBLIC_FILE, public_pem(keys.public))
    files.write_new(directory / SIGNING_FILE, pem)


def _read_private(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as fault:
        raise KeyFault(f"The journal key {path} cannot be read: {fault.strerror}; restore it.") from fault
    with os.fdopen(fd, "rb") as file:
        about = os.fstat(fd)
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFault(f"The journal key {path} is open to others: chmod 600 it.")
        return file.read(_KEY_FILE_BYTES)
