"""Tokens of our own: issued, listed, revoked, and taken at sign-in.

Laws: the comparison takes the same time for any token; nothing of a token but its hash is stored; a sign-in
is judged from the store, and refused where the store cannot be read; who was told that a token was revoked
can rely on it in this process even where the store then failed.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from narrows.identity import tokens
from narrows.identity.base import Refused, SignInContext
from narrows.identity.directory import Directory, LiveDirectory
from narrows.identity.limiter import FailureLimiter
from narrows.identity.liveness import Liveness
from narrows.model.principal import Principal, SignedIn
from narrows.model.reason import Reason
from narrows.model.secret import Secret
from narrows.store import Pool, Store, StoreError
from narrows.store import tokens as rows
from narrows.store.tokens import TokenRow

METHOD = "token"
NOTE_CHARACTERS = 200
TOUCH_EVERY_S = 600.0
"""A token's last use is noted this coarsely: a write per connection would be one too many."""
REMEMBERED = 4096
"""Tokens that signed in lately and so pass the limit on failures of their source."""
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How long a token holds: where nothing is said, and at most."""

    default_s: float = 8 * 3600.0
    max_s: float = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, shown this once."""

    token: Secret
    row: TokenRow


@dataclass(frozen=True, slots=True)
class NotIssued:
    """Why there is no token."""

    message: str


class LocalIdentity:
    """Signs in with tokens; `issue`, `revoke*` and `list_tokens` block and belong into the pool."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        directory: LiveDirectory,
        liveness: Liveness,
        limiter: FailureLimiter,
        clock: Callable[[], float],
        limits: TokenLimits = TokenLimits(),
    ) -> None:
        self._store = store
        self._pool = pool
        self._directory = directory
        self._liveness = liveness
        self._limiter = limiter
        self._clock = clock
        self.limits = limits
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    async def sign_in(
        self, presented: Secret, hint_user: str | None, context: SignInContext
    ) -> SignedIn | Refused:
        """Whose token this is; refused sources wait, save for tokens that signed in lately."""
        now = self._clock()
        parsed = tokens.parse(presented)
        wait_s = self._limiter.wait_s(context.source, now)
        if wait_s and not (parsed and parsed.digest in self._seen):
            return Refused(Reason.BUSY, f"Too many failed sign-ins from this address; wait {wait_s:.0f} s.")
        try:
            row = await self._pool.run(self._find, parsed.id) if parsed else None
        except StoreError:
            return Refused(Reason.STORE_UNAVAILABLE, Reason.STORE_UNAVAILABLE.remedy)
        answer = judge(parsed, row, hint_user, self._directory.now, now)
        if isinstance(answer, SignedIn) and self._liveness.is_revoked(answer.token_id):
            answer = _revoked(answer.token_id, answer.principal.id)
        self._note(answer, parsed, row, context, now)
        return answer

    def load(self) -> None:
        """Read the revocations that still matter; at start, and whenever another gateway made some."""
        with self._store.read() as connection:
            self._liveness.revoke(rows.revoked(connection, self._clock()))

    def issue(
        self, principal: Principal, created_by: str, *, lifetime_s: float | None = None, note: str = ""
    ) -> Issued | NotIssued:
        """A new token for a declared principal; `created_by` is a principal's id."""
        lifetime_s = self.limits.default_s if lifetime_s is None else lifetime_s
        now = self._clock()
        if refused := self._why_not(principal, lifetime_s, note):
            return NotIssued(refused)
        token_id, token = tokens.mint()
        row = TokenRow(
            id=token_id,
            kind=principal.kind.value,
            name=principal.name,
            digest=tokens.digest(token),
            created_at=now,
            created_by=created_by,
            expires_at=now + lifetime_s,
            note=note,
        )
        with self._store.write() as connection:
            rows.insert(connection, row)
        return Issued(token, row)

    def revoke(self, token_id: str, by: str) -> TokenRow | None:
        """End a token and its sessions; None where there is no such token."""
        with self._store.read() as connection:
            found = rows.find(connection, token_id)
        if found is None:
            return None
        self._liveness.revoke({found.id: found.expires_at})
        with self._store.write() as connection:
            rows.revoke(connection, token_id, self._clock(), by)
            return rows.find(connection, token_id)

    def revoke_of(self, principal: Principal, by: str) -> tuple[str, ...]:
        """End every live token of a principal, and their sessions; their ids."""
        now = self._clock()
        with self._store.write() as connection:
            live = rows.live_of(connection, _key(principal), now)
            self._liveness.revoke(live)
            rows.revoke_of(connection, _key(principal), now, by)
        return tuple(live)

    def list_tokens(self, principal: Principal | None = None, *, with_ended: bool = False) -> list[TokenRow]:
        """The tokens of one principal or of all, newest first."""
        with self._store.read() as connection:
            return rows.list_tokens(
                connection,
                principal=_key(principal) if principal else None,
                live_at=None if with_ended else self._clock(),
            )

    def purge(self, kept_s: float = 30 * 86400.0) -> int:
        """Forget tokens that expired longer ago than this; how many."""
        with self._store.write() as connection:
            return rows.purge(connection, self._clock() - kept_s)

    def _find(self, token_id: str) -> TokenRow | None:
        with self._store.read() as connection:
            return rows.find(connection, token_id)

    def _touch(self, token_id: str, at: float) -> None:
        with self._store.write() as connection:
            rows.touch(connection, token_id, at)

    def _why_not(self, principal: Principal, lifetime_s: float, note: str) -> str | None:
        if self._directory.now.find(principal.id) is None:
            return f"{principal.id} is not declared, or is disabled; declare it in narrows.yaml and reload."
        if not 0 < lifetime_s <= self.limits.max_s:
            return f"A token holds for more than 0 and at most {self.limits.max_s:.0f} seconds."
        if len(note) > NOTE_CHARACTERS or not note.isprintable():
            return f"A note is at most {NOTE_CHARACTERS} printable characters."
        return None

    def _note(
        self,
        answer: SignedIn | Refused,
        parsed: tokens.Parsed | None,
        row: TokenRow | None,
        context: SignInContext,
        now: float,
    ) -> None:
        """What is remembered of an attempt: only one by a stranger counts against its source."""
        if isinstance(answer, Refused):
            if answer.reason is Reason.SIGN_IN_FAILED and not answer.principal:
                self._limiter.failed(context.source, now)
            return
        if parsed:
            self._seen[parsed.digest] = None
            self._seen.move_to_end(parsed.digest)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        if row and now - (row.last_used_at or 0.0) >= TOUCH_EVERY_S:
            self._pool.post(self._touch, row.id, now)


def judge(
    parsed: tokens.Parsed | None,
    row: TokenRow | None,
    hint_user: str | None,
    directory: Directory,
    now: float,
) -> SignedIn | Refused:
    """The answer to a sign-in, from what was presented and what is known; the order is the law of `base`."""
    presented, kept = (parsed.digest if parsed else _NO_DIGEST), (row.digest if row else b"")
    if not hmac.compare_digest(presented, kept) or parsed is None or row is None:
        token_id = parsed.id if parsed else ""
        return Refused(Reason.SIGN_IN_FAILED, Reason.SIGN_IN_FAILED.remedy, token_id)
    owner = f"{row.kind}/{row.name}"
    if row.revoked_at is not None:
        return _revoked(row.id, owner)
    if now >= row.expires_at:
        return Refused(Reason.TOKEN_EXPIRED, Reason.TOKEN_EXPIRED.remedy, row.id, owner)
    principal = directory.find(owner)
    if principal is None:
        return Refused(Reason.PRINCIPAL_DISABLED, Reason.PRINCIPAL_DISABLED.remedy, row.id, owner)
    if hint_user and hint_user not in (row.name, owner):
        message = (
            f"This token belongs to {row.name!r}, not to {hint_user[:64]!r}; connect as user {row.name!r}."
        )
        return Refused(Reason.WRONG_USER, message, row.id, owner)
    return SignedIn(principal, METHOD, row.id, row.expires_at)


def _revoked(token_id: str, owner: str) -> Refused:
    return Refused(
        Reason.SIGN_IN_FAILED,
        "This token was revoked; ask an operator for a new one (`narrows tokens create`).",
        token_id,
        owner,
    )


def _key(principal: Principal) -> tuple[str, str]:
    return principal.kind.value, principal.name
