"""Certificates and contexts: what is made verifies, what is replaced is taken, what is broken is left."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from narrows.model.target import TlsMode
from narrows.runtime import tls

AUTHORITY = tls.make_authority("test")


def write(directory: Path, issued: tls.Issued) -> tuple[Path, Path]:
    certificate, key = directory / "server.crt", directory / "server.key"
    certificate.write_bytes(issued.certificate)
    key.write_bytes(issued.key)
    return certificate, key


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A handshake in memory; both ends."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    )
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends


def server_of(directory: Path, issued: tls.Issued) -> ssl.SSLContext:
    return tls.server_context(*write(directory, issued))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "gateway.example", "10.1.2.3"])
def test_what_is_made_verifies_by_every_name(tmp_path: Path, name: str) -> None:
    """This machine's own names, and those given."""
    server = server_of(tmp_path, tls.make_certificate(AUTHORITY, ["gateway.example", "10.1.2.3"]))
    client = tls.client_context(TlsMode.VERIFY_FULL, AUTHORITY.certificate.decode())
    assert client
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    _, end = shake(server, client, name)
    assert end.version() == "TLSv1.3"
    assert end.selected_alpn_protocol() == tls.ALPN


@pytest.mark.parametrize("mode", [TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL])
def test_another_authority_does_not_verify(tmp_path: Path, mode: TlsMode) -> None:
    server = server_of(tmp_path, tls.make_certificate(AUTHORITY))
    client = tls.client_context(mode, tls.make_authority().certificate.decode())
    assert client
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client, "localhost")


def test_modes_promise_what_they_say() -> None:
    assert tls.client_context(TlsMode.DISABLE) is None
    contexts = {mode: tls.client_context(mode) for mode in TlsMode if mode is not TlsMode.DISABLE}
    found = {mode: (made.verify_mode, made.check_hostname) for mode, made in contexts.items() if made}
    assert found == {
        TlsMode.REQUIRE: (ssl.CERT_NONE, False),
        TlsMode.VERIFY_CA: (ssl.CERT_REQUIRED, False),
        TlsMode.VERIFY_FULL: (ssl.CERT_REQUIRED, True),
    }


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    server = server_of(tmp_path, tls.make_certificate(AUTHORITY))
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2
    client = tls.client_context(TlsMode.REQUIRE)
    assert client
    assert client.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_pinned_authority_is_the_only_one() -> None:
    """Not beside the system's."""
    client = tls.client_context(TlsMode.VERIFY_FULL, AUTHORITY.certificate.decode())
    assert client
    assert len(client.get_ca_certs()) == 1


def test_a_replaced_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    files = tls.ServerTls(*write(tmp_path, tls.make_certificate(AUTHORITY, ["old.example"])))
    before = files.context
    assert not files.reload_if_changed()
    write(tmp_path, tls.make_certificate(AUTHORITY, ["new.example"]))
    assert files.reload_if_changed()
    client = tls.client_context(TlsMode.VERIFY_FULL, AUTHORITY.certificate.decode())
    assert client
    shake(files.context, client, "new.example")
    shake(before, client, "old.example")


@pytest.mark.parametrize("damage", ["rubbish", "another key", "absent"])
def test_a_broken_certificate_leaves_the_old_in_service(tmp_path: Path, damage: str) -> None:
    certificate, key = write(tmp_path, tls.make_certificate(AUTHORITY))
    files = tls.ServerTls(certificate, key)
    before = files.context
    if damage == "rubbish":
        certificate.write_text("rubbish")
    elif damage == "another key":
        key.write_bytes(tls.make_certificate(AUTHORITY).key)
    else:
        key.unlink()
    for _ in range(2):  # said again, not taken as seen
        with pytest.raises(tls.TlsFileError, match=r"server\.(crt|key)"):
            files.reload_if_changed()
    assert files.context is before


def test_an_encrypted_key_is_a_clear_error_and_no_prompt(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    issued = tls.make_certificate(AUTHORITY)
    key = form.load_pem_private_key(issued.key, None)
    locked = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"password")
    )
    certificate, path = write(tmp_path, tls.Issued(issued.certificate, locked))
    with pytest.raises(tls.TlsFileError):
        tls.server_context(certificate, path)


def test_a_bad_authority_is_a_clear_error() -> None:
    for text in ("rubbish", ""):
        with pytest.raises(tls.TlsFileError):
            tls.client_context(TlsMode.VERIFY_FULL, text)
        with pytest.raises(tls.TlsFileError):
            tls.fingerprint(text)


def test_the_fingerprint_is_of_the_certificates_not_of_their_spelling() -> None:
    text = AUTHORITY.certificate.decode()
    assert tls.fingerprint(text) == tls.fingerprint("a comment\n" + text.replace("\n", "\r\n"))
    assert tls.fingerprint(text) != tls.fingerprint(text + tls.make_authority().certificate.decode())
    assert len(tls.fingerprint(text)) == 64


def test_the_certificates_hold_what_they_should() -> None:
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    issued = x509.load_pem_x509_certificate(
        tls.make_certificate(AUTHORITY, ["a.example"], days=10, now=now).certificate
    )
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "localhost"]
    assert ipaddress.ip_address("::1") in names.get_values_for_type(x509.IPAddress)
    assert issued.not_valid_after_utc == now + datetime.timedelta(days=10)
    authority = x509.load_pem_x509_certificate(AUTHORITY.certificate)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_a_private_key_does_not_show() -> None:
    assert "PRIVATE" not in repr(AUTHORITY)


def test_channel_binding_data_of_nonsense_is_none() -> None:
    assert tls.server_end_point(b"rubbish") is None
