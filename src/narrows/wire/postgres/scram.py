"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677), both ends, without I/O, clock or randomness.

Laws: nonces and salts are passed in, fresh for each conversation; the client believes nothing before it has
verified the server's signature; proofs are compared in constant time; the number of iterations that the other
end may ask for is bounded. The channel binding is tls-server-end-point (RFC 5929).

    client-first   n,,n=user,r=NONCE              server-first   r=NONCE+OTHER,s=SALT,i=4096
    client-final   c=biws,r=NONCE+OTHER,p=PROOF   server-final   v=SIGNATURE
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from narrows.wire.errors import ProtocolError, Side
from narrows.wire.postgres.saslprep import password_bytes

PLAIN = "SCRAM-SHA-256"
PLUS = "SCRAM-SHA-256-PLUS"
DEFAULT_ITERATIONS = 4096
LIMIT_ITERATIONS = 600_000
LIMIT_BYTES = 8192
"""A message of either end; the longest real one has some hundred bytes."""
NONCE_LIMIT = 256
INVALID_AUTHORIZATION = "28000"
INVALID_PASSWORD = "28P01"  # noqa: S105 - an SQLSTATE

_BINDING = "p=tls-server-end-point"
_PRINTABLE = re.compile(r"[\x21-\x2b\x2d-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps in place of a password; it lets nobody sign in."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client knows the password; send it `final` in AuthenticationSASLFinal."""

    final: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """The client does not know the password."""


def make_verifier(password: str, salt: bytes, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
    salted = hashlib.pbkdf2_hmac("sha256", password_bytes(password), salt, iterations)
    client_key = _mac(salted, b"Client Key")
    return Verifier(salt, iterations, _digest(client_key), _mac(salted, b"Server Key"))


def end_point_binding(certificate: bytes, hash_name: str) -> bytes:
    """The binding data of a server certificate (DER) signed with this hash; for md5 and sha1 it is sha256."""
    name = hash_name.lower().replace("-", "")
    return hashlib.new("sha256" if name in ("md5", "sha1") else name, certificate).digest()


class ScramClient:
    """One conversation as client.

    `end_point` is the binding data of the server's certificate where the channel is TLS, else None. With it
    the PLUS mechanism is chosen where it is offered; where it is not, the server is told that it could have
    been, so that one who struck it from the offer is found out. PostgreSQL ignores `user` here: it takes
    that of the start-up packet.
    """

    __slots__ = ("_binding", "_first", "_gs2", "_limit", "_nonce", "_password", "_signature", "mechanism")

    def __init__(
        self,
        password: str,
        nonce: str,
        offered: Sequence[str],
        end_point: bytes | None = None,
        user: str = "",
        limit_iterations: int = LIMIT_ITERATIONS,
    ) -> None:
        if not _PRINTABLE.match(nonce):
            raise ValueError("a nonce is printable and has no comma")
        self.mechanism = _choose(offered, end_point)
        self._password = password
        self._nonce = nonce
        self._limit = limit_iterations
        self._binding = end_point if self.mechanism == PLUS and end_point else b""
        self._gs2 = f"{_BINDING},," if self.mechanism == PLUS else ("y,," if end_point else "n,,")
        self._first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._signature: bytes | None = None

    def first(self) -> bytes:
        """client-first, for SASLInitialResponse."""
        return (self._gs2 + self._first).encode()

    def final(self, server_first: bytes) -> bytes:
        """client-final, the answer to AuthenticationSASLContinue."""
        text = _text(server_first, "upstream")
        nonce, salt64, count = _attributes(text, "rsi", "upstream")
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce) or not _PRINTABLE.match(nonce):
            raise _fault("upstream", "the nonce is not ours made longer")
        salt = _decode(salt64, "upstream")
        iterations = int(count) if re.fullmatch(r"[1-9][0-9]{0,9}", count) else 0
        if not 1 <= iterations <= self._limit or not salt:
            raise _fault("upstream", f"it asks for no salt or for other than 1 to {self._limit} iterations")
        salted = hashlib.pbkdf2_hmac("sha256", password_bytes(self._password), salt, iterations)
        bare = f"c={_encode(self._gs2.encode('ascii') + self._binding)},r={nonce}"
        signed = f"{self._first},{text},{bare}".encode()
        client_key = _mac(salted, b"Client Key")
        proof = _xor(client_key, _mac(_digest(client_key), signed))
        self._signature = _mac(_mac(salted, b"Server Key"), signed)
        return f"{bare},p={_encode(proof)}".encode("ascii")

    def verify(self, server_final: bytes) -> None:
        """The target has proved that it knows the password too, or ProtocolError."""
        text = _text(server_final, "upstream")
        if text.startswith("e="):
            raise _fault("upstream", "the target reports an error", INVALID_PASSWORD)
        (shown,) = _attributes(text, "v", "upstream")
        if self._signature is None:
            raise _fault("upstream", "it is complete before it began")
        if not hmac.compare_digest(_decode(shown, "upstream"), self._signature):
            raise _fault("upstream", "the signature is wrong", INVALID_AUTHORIZATION)


class ScramServer:
    """One conversation as server, against one verifier.

    Give a made-up verifier (same salt for the same name each time) for a user who does not exist.
    """

    __slots__ = ("_end_point", "_expected", "_first", "_mechanism", "_nonce", "_verifier")

    def __init__(
        self, verifier: Verifier, nonce: str, mechanism: str = PLAIN, end_point: bytes | None = None
    ) -> None:
        if not _PRINTABLE.match(nonce):
            raise ValueError("a nonce is printable and has no comma")
        if mechanism not in mechanisms(end_point):
            raise _fault("client", "the mechanism was not offered")
        self._verifier = verifier
        self._nonce = nonce
        self._mechanism = mechanism
        self._end_point = end_point
        self._expected: tuple[str, str] | None = None
        self._first = ""

    def first(self, client_first: bytes) -> bytes:
        """server-first, for AuthenticationSASLContinue."""
        binding, authzid, bare = _parts(_text(client_first, "client"))
        self._check_binding(binding)
        if authzid:
            raise _fault("client", "an authorization identity is not supported")
        _, nonce = _attributes(bare, "nr", "client")
        if len(nonce) > NONCE_LIMIT or not _PRINTABLE.match(nonce):
            raise _fault("client", "the nonce is not printable or too long")
        data = f"{binding},,".encode("ascii") + (self._end_point or b"" if self._mechanism == PLUS else b"")
        self._expected = (_encode(data), nonce + self._nonce)
        first = f"r={nonce}{self._nonce},s={_encode(self._verifier.salt)},i={self._verifier.iterations}"
        self._first = f"{bare},{first}"
        return first.encode("ascii")

    def final(self, client_final: bytes) -> Accepted | Rejected:
        """Whether the client's proof holds."""
        text = _text(client_final, "client")
        if self._expected is None:
            raise _fault("client", "it is complete before it began")
        bare, _, proof64 = text.rpartition(",p=")
        if _attributes(bare, "cr", "client") != [*self._expected]:
            raise _fault("client", "the channel binding or the nonce is not that of this conversation")
        proof = _decode(proof64, "client")
        if len(proof) != 32:
            raise _fault("client", "a proof has 32 bytes")
        signed = f"{self._first},{bare}".encode()
        client_key = _xor(proof, _mac(self._verifier.stored_key, signed))
        if not hmac.compare_digest(_digest(client_key), self._verifier.stored_key):
            return Rejected()
        return Accepted(f"v={_encode(_mac(self._verifier.server_key, signed))}".encode("ascii"))

    def _check_binding(self, binding: str) -> None:
        """RFC 5802 section 6: the flag fits the mechanism, and `y` shows an offer that was tampered with."""
        if self._mechanism == PLUS:
            if binding != _BINDING:
                raise _fault("client", "the PLUS mechanism needs tls-server-end-point")
        elif binding == "y" and self._end_point is not None:
            raise _fault("client", "channel binding was offered but did not reach the client")
        elif binding not in ("n", "y"):
            raise _fault("client", "channel binding without the PLUS mechanism")


def mechanisms(end_point: bytes | None) -> tuple[str, ...]:
    """What a server offers; PLUS where the channel is TLS and its certificate's binding data is known."""
    return (PLAIN,) if end_point is None else (PLUS, PLAIN)


def _choose(offered: Sequence[str], end_point: bytes | None) -> str:
    if end_point is not None and PLUS in offered:
        return PLUS
    if PLAIN in offered:
        return PLAIN
    raise _fault("upstream", "none of the mechanisms offered is supported")


def _parts(text: str) -> tuple[str, str, str]:
    """client-first: channel binding flag, authorization identity, the rest."""
    pieces = text.split(",", 2)
    if len(pieces) != 3:
        raise _fault("client", "the header is not complete")
    return pieces[0], pieces[1], pieces[2]


def _attributes(text: str, names: str, side: Side) -> list[str]:
    """The values of these attributes, first and in this order; extensions may follow, `m` may not."""
    pieces = text.split(",")
    for piece, name in zip(pieces, names, strict=False):
        if not piece.startswith(f"{name}="):
            raise _fault(side, f"the attribute {name} is not in its place")
    if len(pieces) < len(names):
        raise _fault(side, "an attribute is missing")
    if any(not re.match("[A-Za-ln-z]=", piece) for piece in pieces[len(names) :]):
        raise _fault(side, "an extension is malformed or mandatory")
    return [piece[2:] for piece in pieces[: len(names)]]


def _text(data: bytes, side: Side) -> str:
    if len(data) > LIMIT_BYTES:
        raise _fault(side, "a message is too long")
    try:
        text = data.decode("ascii" if side == "upstream" else "utf-8")
    except UnicodeDecodeError:
        raise _fault(side, "a message is not text") from None
    if "\0" in text:
        raise _fault(side, "a message holds a NUL")
    return text


def _decode(text: str, side: Side) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _fault(side, "malformed base64") from None


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _fault(side: Side, what: str, sqlstate: str = "08P01") -> ProtocolError:
    return ProtocolError(side, f"SCRAM: {what}", sqlstate)
