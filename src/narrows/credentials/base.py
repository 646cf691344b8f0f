"""The words of credentials: what one is bound to, the one error, and the shape of a provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol as Shape

from narrows.model.secret import Secret


class CredentialError(Exception):
    """A credential cannot be had; the text says why and what to do, never the value."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. {remedy}")
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Binding:
    """The target that a credential is for; spelled in one way, so that equal targets are equal."""

    host: str
    port: int
    ca_fingerprint: str
    """Who must vouch for the target; see `binding.ca_fingerprint`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", self.host.lower().rstrip("."))
        object.__setattr__(self, "ca_fingerprint", self.ca_fingerprint.lower())

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (CA {self.ca_fingerprint[:16]})"


class Provider(Shape):
    """One place where credentials are kept."""

    def read(self, name: str, binding: Binding) -> Secret:
        """The value of the reference `<scheme>:<name>`; CredentialError where there is none to give."""
        ...
