"""The form of a token, `nrw_<id>_<secret>`, and what is kept of it.

The secret is 256 random bits. What is kept is one SHA-256 of the token: slow hashes with a salt protect
secrets that people choose and that can be guessed, while nobody tries 2**256; so a stolen store gives
nothing away, and a sign-in costs microseconds instead of an attacker's chance to exhaust us.
The fixed prefix lets scanners of source code and logs find a token that was left there.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass

from narrows.model.secret import Secret

_ID_BYTES = 10
_SECRET_BYTES = 32
_FORM = re.compile(r"nrw_([a-z2-7]{16})_[a-z2-7]{52}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A token that has the form of one of ours; whether it is one the store knows."""

    id: str
    digest: bytes


def mint() -> tuple[str, Secret]:
    """A new id and its token."""
    token_id = _letters(_ID_BYTES)
    return token_id, Secret(f"nrw_{token_id}_{_letters(_SECRET_BYTES)}")


def parse(presented: Secret) -> Parsed | None:
    """The id and the digest of a token; None where it has another form."""
    form = _FORM.fullmatch(presented.reveal())
    return Parsed(form[1], digest(presented)) if form else None


def digest(token: Secret) -> bytes:
    """What the store keeps of a token."""
    return hashlib.sha256(token.reveal().encode("utf-8", "surrogatepass")).digest()


def _letters(size: int) -> str:
    """Base 32: survives shells, URLs, passfiles and a double click."""
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()
