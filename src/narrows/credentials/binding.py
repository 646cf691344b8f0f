"""What a target is, to a credential: its host, its port, and who vouches for it.

Law: weakening how a target is verified makes another binding, so that it cannot be used to draw a stored
credential to another machine.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from narrows.credentials.base import Binding, CredentialError
from narrows.model.target import Target, TlsMode


def binding_of(target: Target) -> Binding:
    """The binding of a credential to this target."""
    return Binding(target.host, target.port, ca_fingerprint(target.tls, target.ca_pem))


def ca_fingerprint(tls: TlsMode, ca_pem: str | None) -> str:
    """`unverified`, `system`, or the SHA-256 of the pinned authorities whatever their order.

    `verify-ca`, which takes any name that they vouch for, has `any-name:` before it.
    """
    if tls in (TlsMode.DISABLE, TlsMode.REQUIRE):
        return "unverified"
    who = "system" if ca_pem is None else _digest(ca_pem)
    return f"any-name:{who}" if tls is TlsMode.VERIFY_CA else who


def _digest(ca_pem: str) -> str:
    try:
        authorities = x509.load_pem_x509_certificates(ca_pem.encode())
    except ValueError as error:
        raise CredentialError(
            "The CA file holds no certificate", "Name a PEM file with the authorities."
        ) from error
    ders = {certificate.public_bytes(Encoding.DER) for certificate in authorities}
    return hashlib.sha256(b"".join(sorted(ders))).hexdigest()
