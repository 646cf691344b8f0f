"""A directory, a clock that a test moves, and sign-in with tokens on a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from narrows import store
from narrows.identity import directory
from narrows.identity.base import Refused, SignInContext
from narrows.identity.directory import Directory, Group, LiveDirectory, Member
from narrows.identity.limiter import FailureLimiter, FailureLimits
from narrows.identity.liveness import Liveness
from narrows.identity.local import Issued, LocalIdentity, TokenLimits
from narrows.model.principal import Principal, PrincipalKind, SignedIn
from narrows.model.secret import Secret
from narrows.model.session import Client, Session
from narrows.model.statement import Protocol
from narrows.store import Pool, Store

ALICE = Principal(PrincipalKind.USER, "alice", frozenset({"support", "staff"}))
BOB = Principal(PrincipalKind.USER, "bob")
CI = Principal(PrincipalKind.SERVICE, "ci", frozenset({"robots"}))
START = 1_000_000.0


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = START

    def __call__(self) -> float:
        return self.now


def declared(disabled: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()) -> Directory:
    users = (Member("alice", ("support",), "alice" in disabled), Member("bob", (), "bob" in disabled))
    return directory.build(
        users=[user for user in users if user.name not in without],
        services=[Member("ci", ("robots",), "ci" in disabled)],
        groups=[Group("support", ("staff",)), Group("staff"), Group("robots")],
    )


@dataclass
class Desk:
    """Everything around one LocalIdentity."""

    store: Store
    pool: Pool
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.directory = LiveDirectory(declared())
        self.liveness = Liveness(self.directory, self.clock)
        self.limiter = FailureLimiter(FailureLimits(failures=3, window_s=30.0, sources=100))
        self.identity = LocalIdentity(
            self.store, self.pool, self.directory, self.liveness, self.limiter, self.clock, TokenLimits()
        )

    def issue(self, principal: Principal = ALICE, lifetime_s: float | None = None) -> Issued:
        issued = self.identity.issue(principal, "User/root", lifetime_s=lifetime_s)
        assert isinstance(issued, Issued)
        return issued

    async def sign_in(
        self, token: Secret | str, user: str | None = None, source: str = "192.0.2.1"
    ) -> SignedIn | Refused:
        secret = Secret(token) if isinstance(token, str) else token
        return await self.identity.sign_in(secret, user, SignInContext(source))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = store.open(tmp_path / "narrows.db")
    pool = Pool(threads=2)
    yield Desk(opened, pool)
    pool.close()
    opened.close()


def session_of(signed_in: SignedIn) -> Session:
    return Session(
        id="s1",
        principal=signed_in.principal,
        connection="shop",
        database="shop",
        protocol=Protocol.POSTGRES,
        client=Client("192.0.2.1", is_tls=True),
        started_at=START,
        method=signed_in.method,
        token_id=signed_in.token_id,
        expires_at=signed_in.expires_at,
    )
