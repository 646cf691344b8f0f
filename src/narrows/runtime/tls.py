"""TLS for both faces of the gateway, and the certificates of a first start.

Laws: TLS 1.2 or newer everywhere; a context that verifies has its authorities pinned or the system's, never
none; a certificate that does not load leaves the old one in service.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from narrows.model.target import TlsMode
from narrows.wire.postgres import scram

ALPN = "postgresql"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class TlsFileError(Exception):
    """A certificate, key or authority file cannot be used; mend the file that the message names."""


def client_context(mode: TlsMode, ca_pem: str | None = None) -> ssl.SSLContext | None:
    """The context for a target; None where the mode is `disable`."""
    if mode is TlsMode.DISABLE:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    context.check_hostname = mode is TlsMode.VERIFY_FULL
    if mode is TlsMode.REQUIRE:
        context.verify_mode = ssl.CERT_NONE
    elif ca_pem is None:
        context.load_default_certs()
    else:
        _load_authorities(context, ca_pem)
    return context


def _load_authorities(context: ssl.SSLContext, ca_pem: str) -> None:
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFileError(f"the pinned certificate authority is not valid PEM: {error}") from error


def server_context(
    certificate: Path, key: Path, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
) -> ssl.SSLContext:
    """A context for callers. A direct TLS connection must also check `selected_alpn_protocol() == ALPN`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([ALPN])
    try:
        # A password callback, or OpenSSL would ask at the terminal for an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise TlsFileError(f"cannot use {certificate} with {key}: {error}") from error
    return context


@dataclass
class ServerTls:
    """The listener's certificate; `context` is asked for anew at each handshake."""

    certificate: Path
    key: Path
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    context: ssl.SSLContext = field(init=False)
    _seen: tuple[tuple[int, int, int], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Take the files as they are now; TlsFileError leaves the old certificate in service."""
        seen = self._stamp()
        self.context = server_context(self.certificate, self.key, self.minimum)
        self._seen = seen

    def reload_if_changed(self) -> bool:
        """Reload where a file was written or replaced since; True where it was."""
        if self._stamp() == self._seen:
            return False
        self.reload()
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        try:
            stats = [path.stat() for path in (self.certificate, self.key)]
        except OSError as error:
            raise TlsFileError(f"cannot read {error.filename}: {error.strerror}") from error
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def make_authority(
    name: str = "narrows", *, days: int = 3650, now: datetime.datetime | None = None
) -> Issued:
    """A self-signed authority that may only sign server certificates directly."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(f"{name} authority"), key.public_key(), days, now)
    builder = (
        builder.issuer_name(_subject(f"{name} authority"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _issued(builder.sign(key, hashes.SHA256()), key)


def make_certificate(
    authority: Issued,
    names: Sequence[str] = (),
    *,
    days: int = 825,
    now: datetime.datetime | None = None,
    with_local: bool = True,
) -> Issued:
    """A server certificate for `names` (host names or addresses) and, `with_local`, this machine's own."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    wanted = tuple(dict.fromkeys((*names, *(LOCAL_NAMES if with_local else ()))))
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(wanted[0]), key.public_key(), days, now)
    builder = (
        builder.issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    return _issued(builder.sign(issuer_key, hashes.SHA256()), key)


def fingerprint(pem: str | bytes) -> str:
    """SHA-256 over every certificate of a PEM text in order, in hex; what a credential is bound to."""
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise TlsFileError(f"not a PEM certificate: {error}") from error
    digest = hashlib.sha256()
    for certificate in certificates:
        digest.update(certificate.public_bytes(serialization.Encoding.DER))
    return digest.hexdigest()


def server_end_point(certificate_der: bytes) -> bytes | None:
    """RFC 5929 tls-server-end-point of a peer's certificate; None where its signature names no hash."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate_der).signature_hash_algorithm
    except (ValueError, x509.UnsupportedGeneralNameType):
        return None
    return scram.end_point_binding(certificate_der, algorithm.name) if algorithm else None


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int, now: datetime.datetime | None
) -> x509.CertificateBuilder:
    start = now or datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of callers differ; an hour back costs nothing.
        .not_valid_before(start - datetime.timedelta(hours=1))
        .not_valid_after(start + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
