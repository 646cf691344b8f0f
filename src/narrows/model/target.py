"""The real system behind a Connection: where it is, how the way there is protected, who we are to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TlsMode(StrEnum):
    """How much TLS to a target promises; the names are libpq's."""

    DISABLE = "disable"
    REQUIRE = "require"
    """Encrypted, the other end unverified."""
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class Target:
    """One database at one server, as the gateway signs in to it."""

    connection: str
    host: str
    port: int
    database: str
    user: str
    tls: TlsMode = TlsMode.VERIFY_FULL
    ca_pem: str | None = None
    """The pinned authorities as PEM text; None means the system's store."""
    allows_cleartext: bool = False
    """The password may be sent in clear outside TLS, where the target asks for it."""
