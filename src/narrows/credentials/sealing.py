"""Encryption of a value under a name and a binding: AES-256-GCM with all of them as associated data.

Laws: a sealed value opens under the same name, host, port and CA only, whoever moved the row or rewrote its
columns; each sealing has a fresh 96-bit nonce, and the few thousands of them that a key ever makes are far
from the 2**32 at which that would be a risk.
"""

from __future__ import annotations

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from narrows.credentials.base import Binding
from narrows.credentials.master_key import MasterKey
from narrows.model.secret import Secret

NONCE_BYTES = 12
_CONTEXT = "narrows credential 1"


def seal(key: MasterKey, name: str, binding: Binding, value: Secret) -> tuple[bytes, bytes]:
    """(nonce, ciphertext)."""
    nonce = os.urandom(NONCE_BYTES)
    plain = value.reveal().encode("utf-8", "surrogateescape")
    return nonce, AESGCM(key.reveal()).encrypt(nonce, plain, _associated(name, binding))


def unseal(key: MasterKey, name: str, binding: Binding, nonce: bytes, ciphertext: bytes) -> Secret | None:
    """The value; None where anything at all is not as it was when sealed."""
    try:
        plain = AESGCM(key.reveal()).decrypt(nonce, ciphertext, _associated(name, binding))
    except (InvalidTag, ValueError):
        return None
    return Secret(plain.decode("utf-8", "surrogateescape"))


def _associated(name: str, binding: Binding) -> bytes:
    """A JSON list, so that no two of them are written alike."""
    return json.dumps([_CONTEXT, name, binding.host, binding.port, binding.ca_fingerprint]).encode()
