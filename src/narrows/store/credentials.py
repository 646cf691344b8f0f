"""Queries on sealed credentials: ciphertext in, ciphertext out. Opening one is for `credentials`."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from narrows.store.dialect import upsert
from narrows.store.schema import credentials


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One sealed credential and the target it is bound to."""

    name: str
    host: str
    port: int
    ca_fingerprint: str
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    key_id: str
    updated_at: float
    updated_by: str


_COLUMNS = tuple(credentials.c[name] for name in CredentialRow.__slots__)


def put(connection: Connection, row: CredentialRow) -> None:
    """Keep a credential, in place of the one of that name."""
    upsert(connection, credentials, {name: getattr(row, name) for name in CredentialRow.__slots__})


def find(connection: Connection, name: str) -> CredentialRow | None:
    """The credential of this name."""
    found = connection.execute(sa.select(*_COLUMNS).where(credentials.c.name == name)).one_or_none()
    return CredentialRow(*found) if found else None


def list_credentials(connection: Connection) -> list[CredentialRow]:
    """All of them, by name."""
    return [
        CredentialRow(*row) for row in connection.execute(sa.select(*_COLUMNS).order_by(credentials.c.name))
    ]


def delete(connection: Connection, name: str) -> int:
    """Forget a credential; how many there were."""
    return connection.execute(sa.delete(credentials).where(credentials.c.name == name)).rowcount
