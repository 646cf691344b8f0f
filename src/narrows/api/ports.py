"""What the control API needs from the gateway, as shapes; app.py implements `Gateway`.

Laws: a call that shows or changes anything is settled first, by the same gate as every statement, and a
method that changes something is only called after that. Nothing here returns a secret except `create_token`,
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from narrows.config.faults import Fault
from narrows.config.loaded import Config
from narrows.model.principal import Principal, SignedIn
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.session import Client, Session
from narrows.model.statement import Statement
from narrows.model.verdict import Settled

SOCKET_METHOD = "socket"
"""`SignedIn.method` of the built-in operator, whom the kernel vouches for; such a sign-in never expires."""


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that readiness or `doctor` looked at."""

    name: str
    state: State
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One session as operators see it."""

    id: str
    principal: str
    """`User/alice`."""
    connection: str
    database: str
    client: str
    application: str
    started_at: float
    expires_at: float
    is_tls: bool
    mode: str
    statements: int = 0


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """What to look for; None does not narrow. `before` is the id of the last record of the page before."""

    person: str | None = None
    connection: str | None = None
    table: str | None = None
    verdict: str | None = None
    kind: str | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None
    limit: int = 100
    before: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One record as a search finds it."""

    id: str
    at: float
    kind: str
    session: str = ""
    principal: str = ""
    groups: tuple[str, ...] = ()
    connection: str = ""
    database: str = ""
    verdict: str = ""
    reason: str = ""
    policies: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    text: str = ""
    status: str = ""
    rows: int = 0
    masked: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed; its secret was shown once, at creation."""

    id: str
    principal: str
    """`User/alice`."""
    created_at: float
    created_by: str
    expires_at: float
    note: str = ""
    revoked_at: float | None = None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its secret, for the one answer that shows it."""

    token: Token
    secret: Secret


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential by name, with the target it is bound to; the value never comes out."""

    name: str
    host: str
    port: int
    updated_at: float
    updated_by: str


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: new versions, or the faults for which nothing changed."""

    versions: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    needs_restart: tuple[str, ...] = ()
    """Settings that changed and take effect at the next start."""


class Gateway(Protocol):
    """The running gateway behind the control API; every method may be called from its event loop only."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sign_in(self, presented: Secret, client: Client) -> SignedIn | Refusal:
        """Who presents this token; both outcomes are journalled, failures are counted and limited."""

    async def settle(self, session: Session, statement: Statement) -> Settled:
        """The gate's answer to one call, journalled before it is given.

        The session's protocol is CONTROL and its connection empty; its `method` is "socket" for the
        built-in operator, whose liveness needs no token.
        """

    async def finished(self, session: Session, record: str, status: str, error: str = "") -> None:
        """Journal how a settled call ended: `done`, or `error` with one sentence. Never raises."""

    def readiness(self) -> tuple[Check, ...]:
        """What must hold to serve: journal, store, listeners. Quick and in memory."""

    async def doctor(self) -> tuple[Check, ...]:
        """A thorough look: targets, credentials, certificates, roles, files. May take seconds."""

    def metrics(self) -> bytes:
        """The Prometheus text."""

    def sessions(self) -> tuple[OpenSession, ...]:
        """Every open data session, oldest first."""

    async def end_session(self, session_id: str, by: Principal) -> bool:
        """End one session at both sides; False where none has that id."""

    async def analyse(
        self, principal: Principal, connection: str, database: str, sql: str
    ) -> tuple[Statement, ...] | Refusal:
        """What the gate would be asked for this SQL, on the present snapshot; runs nothing at the target."""

    async def journal_search(self, query: JournalQuery) -> tuple[JournalEntry, ...]:
        """Newest first, at most `limit`."""

    async def journal_record(self, record_id: str, with_values: bool) -> Mapping[str, Any] | None:
        """The whole record with its facts and outcome as JSON values; bind values only where asked for."""

    async def journal_head(self) -> Mapping[str, Any]:
        """The signed heads of every writer's chain, to be kept outside."""

    async def create_token(self, principal: Principal, ttl_s: float, note: str, by: Principal) -> NewToken:
        """A new token for a declared principal."""

    async def tokens(self, principal: Principal | None) -> tuple[Token, ...]:
        """Those of one principal or of all, newest first."""

    async def revoke_token(self, token_id: str, by: Principal) -> Token | None:
        """End a token and the sessions opened with it; None where none has that id."""

    async def put_credential(
        self, name: str, connection: str, value: Secret, by: Principal
    ) -> StoredCredential:
        """Keep a password, bound to the host, port and CA that the connection has now."""

    async def credentials(self) -> tuple[StoredCredential, ...]:
        """All of them, by name."""

    async def delete_credential(self, name: str, by: Principal) -> bool:
        """Forget one; False where none has that name."""

    async def reload(self, by: Principal) -> Reloaded:
        """Read the directory again; open sessions stay. With any fault nothing changes."""


class Unavailable(Exception):
    """A part of the gateway cannot answer now; the refusal says which and what to do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
