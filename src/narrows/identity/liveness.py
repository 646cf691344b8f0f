"""Whether a session still holds: asked before every statement, answered from memory in microseconds.

Laws: a session ends when its token expires or is revoked, and when its principal is disabled or no longer
declared; a revocation holds here before it is in the store, and is loaded from there at start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from narrows.identity.directory import LiveDirectory
from narrows.model.principal import Principal
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Session

_EXPIRED = Refusal(Reason.SESSION_ENDED, "The session's token has expired; sign in again.", sqlstate="57P01")
_REVOKED = Refusal(Reason.SESSION_ENDED, "The session's token was revoked.", sqlstate="57P01")
_DISABLED = Refusal(Reason.PRINCIPAL_DISABLED, Reason.PRINCIPAL_DISABLED.remedy, sqlstate="57P01")


class Liveness:
    """What ends open sessions: the clock, revocations and the directory."""

    def __init__(self, directory: LiveDirectory, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._revoked: dict[str, float] = {}
        self._changing = threading.Lock()
        """Revocations come from the pool's threads, and none may undo another; readers need no lock."""

    def is_live(self, session: Session) -> Refusal | None:
        """None while the session holds, else what to tell its caller."""
        if self._clock() >= session.expires_at:
            return _EXPIRED
        if session.token_id in self._revoked:
            return _REVOKED
        return None if self._directory.now.find(session.principal.id) else _DISABLED

    def principal(self, session: Session) -> Principal | Refusal:
        """The session's principal with the groups that hold now."""
        return self.is_live(session) or self._directory.now.find(session.principal.id) or _DISABLED

    def is_revoked(self, token_id: str) -> bool:
        """Revoked, as far as this process has heard."""
        return token_id in self._revoked

    def revoke(self, revoked: Mapping[str, float]) -> None:
        """End the sessions of these tokens (id -> expiry) now; those past their expiry are forgotten."""
        now = self._clock()
        with self._changing:
            kept = {token: until for token, until in self._revoked.items() if until > now}
            self._revoked = kept | dict(revoked)

    def __len__(self) -> int:
        return len(self._revoked)
