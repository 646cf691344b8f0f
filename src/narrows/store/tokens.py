"""Queries on tokens: rows in, rows out. What a token is worth is decided in `identity`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from narrows.store.schema import tokens

LIST_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token as it is kept; `digest` is the hash of the secret, never the secret."""

    id: str
    kind: str
    name: str
    digest: bytes = field(repr=False)
    created_at: float
    created_by: str
    expires_at: float
    note: str = ""
    revoked_at: float | None = None
    revoked_by: str | None = None
    last_used_at: float | None = None


_COLUMNS = tuple(tokens.c[name] for name in TokenRow.__slots__)


def insert(connection: Connection, row: TokenRow) -> None:
    """Keep a new token."""
    connection.execute(sa.insert(tokens).values({name: getattr(row, name) for name in TokenRow.__slots__}))


def find(connection: Connection, token_id: str) -> TokenRow | None:
    """The token of this id, ended or not."""
    found = connection.execute(sa.select(*_COLUMNS).where(tokens.c.id == token_id)).one_or_none()
    return TokenRow(*found) if found else None


def list_tokens(
    connection: Connection,
    *,
    principal: tuple[str, str] | None = None,
    live_at: float | None = None,
    limit: int = LIST_LIMIT,
) -> list[TokenRow]:
    """Newest first; of one (kind, name) or of all, and only those neither revoked nor expired at `live_at`."""
    wanted = sa.select(*_COLUMNS).order_by(tokens.c.created_at.desc(), tokens.c.id)
    if principal is not None:
        wanted = wanted.where(tokens.c.kind == principal[0], tokens.c.name == principal[1])
    if live_at is not None:
        wanted = wanted.where(tokens.c.revoked_at.is_(None), tokens.c.expires_at > live_at)
    return [TokenRow(*row) for row in connection.execute(wanted.limit(min(limit, LIST_LIMIT)))]


def revoke(connection: Connection, token_id: str, at: float, by: str) -> None:
    """End a token; the first revocation stands."""
    connection.execute(_revocation(at, by).where(tokens.c.id == token_id))


def revoke_of(connection: Connection, principal: tuple[str, str], at: float, by: str) -> None:
    """End every token of a (kind, name)."""
    connection.execute(
        _revocation(at, by).where(tokens.c.kind == principal[0], tokens.c.name == principal[1])
    )


def live_of(connection: Connection, principal: tuple[str, str], now: float) -> dict[str, float]:
    """Id -> expiry of every token of a (kind, name) that holds."""
    wanted = sa.select(tokens.c.id, tokens.c.expires_at).where(
        tokens.c.kind == principal[0],
        tokens.c.name == principal[1],
        tokens.c.revoked_at.is_(None),
        tokens.c.expires_at > now,
    )
    return {row.id: row.expires_at for row in connection.execute(wanted)}


def revoked(connection: Connection, now: float) -> dict[str, float]:
    """Id -> expiry of every token that is revoked and would otherwise still hold."""
    wanted = sa.select(tokens.c.id, tokens.c.expires_at).where(
        tokens.c.revoked_at.is_not(None), tokens.c.expires_at > now
    )
    return {row.id: row.expires_at for row in connection.execute(wanted)}


def touch(connection: Connection, token_id: str, at: float) -> None:
    """Note that the token was used."""
    connection.execute(sa.update(tokens).where(tokens.c.id == token_id).values(last_used_at=at))


def purge(connection: Connection, expired_before: float) -> int:
    """Forget tokens that expired long ago; whoever still holds one is then told that it is not valid."""
    return connection.execute(sa.delete(tokens).where(tokens.c.expires_at < expired_before)).rowcount


def _revocation(at: float, by: str) -> Any:
    return sa.update(tokens).where(tokens.c.revoked_at.is_(None)).values(revoked_at=at, revoked_by=by)
