"""What a target is to a credential: weakening its verification makes another binding."""

from __future__ import annotations

import pytest

from narrows.credentials import Binding, CredentialError, binding_of
from narrows.credentials.binding import ca_fingerprint
from narrows.model.target import Target, TlsMode
from narrows.runtime import tls


def _authority(name: str) -> str:
    return tls.make_authority(name).certificate.decode()


def test_every_weaker_way_to_verify_is_another_binding() -> None:
    pinned, other = _authority("one"), _authority("two")
    prints = [
        ca_fingerprint(TlsMode.VERIFY_FULL, pinned),
        ca_fingerprint(TlsMode.VERIFY_FULL, other),
        ca_fingerprint(TlsMode.VERIFY_FULL, pinned + other),
        ca_fingerprint(TlsMode.VERIFY_FULL, None),
        ca_fingerprint(TlsMode.VERIFY_CA, pinned),
        ca_fingerprint(TlsMode.VERIFY_CA, None),
        ca_fingerprint(TlsMode.REQUIRE, pinned),
    ]
    assert len(set(prints)) == 7
    assert ca_fingerprint(TlsMode.DISABLE, None) == ca_fingerprint(TlsMode.REQUIRE, pinned) == "unverified"


def test_the_order_and_the_text_around_do_not_count() -> None:
    one, two = _authority("one"), _authority("two")
    assert ca_fingerprint(TlsMode.VERIFY_FULL, one + two) == ca_fingerprint(
        TlsMode.VERIFY_FULL, f"# ours\n{two}\n{one}{two}"
    )


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_file_without_certificates_is_an_error(text: str) -> None:
    with pytest.raises(CredentialError, match="no certificate"):
        ca_fingerprint(TlsMode.VERIFY_FULL, text)


def test_equal_targets_are_equal_however_they_are_spelled() -> None:
    assert Binding("DB1.example.", 5432, "AB") == Binding("db1.example", 5432, "ab")
    assert binding_of(Target("shop", "DB1", 5432, "shop", "app")) == Binding("db1", 5432, "system")
