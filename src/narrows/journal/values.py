"""Bind values, sealed: written by every writer, opened only for those with the right to see values.

AES-256-GCM. Each run of a writer derives a key of its own from the journal's key and a random run id
(HKDF-SHA256), and counts its nonces: no nonce can repeat, however many statements a year brings. The id
of the record is bound in, so that sealed values cannot be moved to another record.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import count

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from narrows.journal.errors import ValuesUnreadable
from narrows.journal.records import Entry, StatementRecord
from narrows.model.secret import Secret
from narrows.model.statement import Parameter

VALUES_BYTES = 1 << 20
"""What one record keeps of its values at most; of larger ones the beginning, the length and a digest."""
HEAD_BYTES = 4096
_VERSION = b"\x01"
_RUN_BYTES = 16
_NONCE_BYTES = 12


class SealedValue(msgspec.Struct, frozen=True, array_like=True):
    """One value as it is kept; `length` is that of the value as it was bound, -1 for NULL."""

    value: bytes
    is_binary: bool
    type_oid: int
    length: int
    sha256: bytes = b""
    """Set where the value was cut."""

    @property
    def is_cut(self) -> bool:
        return len(self.value) < self.length

    @property
    def parameter(self) -> Parameter:
        """The value as bound; of a cut one, its beginning."""
        return Parameter(None if self.length < 0 else self.value, self.is_binary, self.type_oid)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(type=tuple[SealedValue, ...])


class Sealer:
    """One run of one writer: its derived key and its counter."""

    def __init__(self, key: Secret) -> None:
        self._run = os.urandom(_RUN_BYTES)
        self._cipher = AESGCM(_derive(key, self._run))
        self._numbers = count(1)

    def seal(self, parameters: Sequence[Parameter], record_id: str) -> bytes:
        """Base64 of version, run id, nonce and ciphertext."""
        nonce = next(self._numbers).to_bytes(_NONCE_BYTES, "big")
        plain = _encoder.encode(_keep(parameters))
        sealed = self._cipher.encrypt(nonce, plain, record_id.encode())
        return base64.b64encode(b"".join((_VERSION, self._run, nonce, sealed)))


def open_values(entry: Entry, key: Secret) -> tuple[SealedValue, ...]:
    """The bind values of a statement's entry; raises ValuesUnreadable."""
    if not isinstance(entry.record, StatementRecord) or not entry.record.values:
        return ()
    try:
        blob = base64.b64decode(entry.record.values, validate=True)
        run, rest = blob[1 : 1 + _RUN_BYTES], blob[1 + _RUN_BYTES :]
        if blob[:1] != _VERSION:
            raise ValuesUnreadable(f"The values of {entry.id} are sealed in a form newer than this version.")
        plain = AESGCM(_derive(key, run)).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], entry.id.encode())
        return _decoder.decode(plain)
    except (InvalidTag, binascii.Error, ValueError, msgspec.DecodeError) as fault:
        raise ValuesUnreadable(
            f"The values of {entry.id} cannot be opened: they were changed, moved, or sealed with another key."
        ) from fault


def _keep(parameters: Sequence[Parameter]) -> list[SealedValue]:
    total = sum(len(parameter.value or b"") for parameter in parameters)
    cap = VALUES_BYTES if total <= VALUES_BYTES else _share(len(parameters))
    return [_keep_one(parameter, cap) for parameter in parameters]


def _share(number: int) -> int:
    return min(HEAD_BYTES, VALUES_BYTES // number)


def _keep_one(parameter: Parameter, cap: int) -> SealedValue:
    value = parameter.value
    if value is None:
        return SealedValue(b"", parameter.is_binary, parameter.type_oid, -1)
    if len(value) <= cap:
        return SealedValue(value, parameter.is_binary, parameter.type_oid, len(value))
    cut = sha256(value).digest()
    return SealedValue(value[:cap], parameter.is_binary, parameter.type_oid, len(value), cut)


@lru_cache(maxsize=64)
def _derive(key: Secret, run: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, run, b"narrows journal values 1").derive(bytes.fromhex(key.reveal()))
