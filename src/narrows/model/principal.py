"""Who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PrincipalKind(StrEnum):
    USER = "User"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated human or workload, with the groups that hold now."""

    kind: PrincipalKind
    name: str
    groups: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """`User/alice`: unique among principals, fit for logs and searches."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The proof that a caller was authenticated, and until when that holds."""

    principal: Principal
    method: str
    token_id: str
    expires_at: float
    """Seconds since the epoch; the session ends then."""
