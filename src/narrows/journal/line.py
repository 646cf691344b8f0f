"""One line of the chain: its bytes, its hash, its signature. Pure.

    {"hash":"<64 hex>","seq":12,"at":1763801787.123456,"kind":"statement",...}\\n

Laws: `hash` is SHA-256 over the previous line's hash and every byte that follows the hash member, so that
no byte of a line can change unseen; a signed line ends in its signature, which covers the previous hash
and all else in the line, so that it vouches for everything before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX: Final = b'{"hash":"'
BODY_AT: Final = len(PREFIX) + 64 + 2
LINE_BYTES: Final = 128 << 20
"""No line is longer; a statement of 16 MiB escapes to at most 96 MiB."""

_LINE = re.compile(rb'\{"hash":"([0-9a-f]{64})",')
_BODY = re.compile(rb'"seq":(\d{1,19}),"at":(-?\d{1,11}\.\d{6}),"kind":"([a-z_]{1,40})"')
_SIGNATURE = re.compile(rb',"key":"([0-9a-f]{16})"(,"signature":"([0-9a-f]{128})"\})\Z')
_DOMAIN: Final = b"narrows journal line 1\n"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line taken apart; nothing is checked yet but its form."""

    hash: bytes
    body: bytes
    seq: int
    at: float
    kind: str
    content_at: int
    """Where, in the body, the record's own members begin."""


def genesis(writer: str) -> bytes:
    """The hash that stands before the first line of a writer: no chain can be passed off as another's."""
    return sha256(b"narrows journal 1\n" + writer.encode()).hexdigest().encode()


def digest(previous: bytes, body: bytes) -> bytes:
    """The chain's hash, as lower-case hex."""
    chained = sha256(previous)
    chained.update(body)
    return chained.hexdigest().encode()


def build_body(seq: int, at: float, encoded: bytes) -> bytes:
    """The body of a line from a record's JSON object, which begins with its kind."""
    return b'"seq":%d,"at":%.6f,%b' % (seq, at, encoded[1:])


def build_line(hash_: bytes, body: bytes) -> bytes:
    return b'{"hash":"%b",%b\n' % (hash_, body)


def parse(line: bytes) -> Parsed | None:
    """A whole line without its newline; None where it cannot be one of ours."""
    head = _LINE.match(line)
    body = line[BODY_AT:]
    members = _BODY.match(body)
    if head is None or members is None or not body.endswith(b"}"):
        return None
    seq, at, kind = members.groups()
    return Parsed(head[1], body, int(seq), float(at), kind.decode(), members.end())


def sign(body: bytes, previous: bytes, key: Ed25519PrivateKey, key_id: str) -> bytes:
    """The body with the key's id and the signature as its last members."""
    unsigned = b'%b,"key":"%b"' % (body[:-1], key_id.encode())
    signature = key.sign(_signed_bytes(unsigned, previous))
    return b'%b,"signature":"%b"}' % (unsigned, signature.hex().encode())


def signing_key_id(body: bytes) -> str | None:
    """Which key a body says it is signed with; None for an unsigned one."""
    found = _SIGNATURE.search(body)
    return found[1].decode() if found else None


def is_signed(body: bytes, previous: bytes, key: Ed25519PublicKey) -> bool:
    """The body ends in a signature by this key, made at this place of this chain."""
    found = _SIGNATURE.search(body)
    if found is None:
        return False
    try:
        key.verify(bytes.fromhex(found[3].decode()), _signed_bytes(body[: found.start(2)], previous))
    except InvalidSignature:
        return False
    return True


def _signed_bytes(unsigned: bytes, previous: bytes) -> bytes:
    return _DOMAIN + previous + b"\n" + unsigned
