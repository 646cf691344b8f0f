"""What the control API answers, as JSON shapes; times are seconds since the epoch.

The dataclasses of `ports` are answered as they are; here stands what no port knows.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rights(Shape):
    """What a principal may do on one connection; the words are those of policies."""

    connection: str
    database: str
    databases: tuple[str, ...]
    mode: str
    allowed: tuple[str, ...]
    """Actions permitted on the connection and on everything known in it."""
    partly: tuple[str, ...]
    """Actions permitted on some of it."""
    rungs: dict[str, str]
    """Label -> the lowest rung among the columns that bear it: raw, partial, token or none."""


class WhoAmI(Shape):
    """The caller as the gateway knows it."""

    principal: str
    name: str
    kind: str
    groups: tuple[str, ...]
    method: str
    expires_at: float | None
    """None where the sign-in does not expire."""
    operate: tuple[str, ...]
    """What the caller may do with the gateway itself."""
    connections: tuple[Rights, ...]


class ConnectionShape(Shape):
    """A connection that the caller may open, and how a client gets there."""

    name: str
    description: str
    protocol: str
    database: str
    databases: tuple[str, ...]
    mode: str
    until: str | None
    host: str
    """Where the gateway listens, not the target."""
    port: int
    user: str
    sslmode: str


class Operated(Shape):
    """One operation and what policy says of it."""

    action: str
    resource: str
    labels: tuple[str, ...]


class Explained(Shape):
    """One statement, what it needs, and the verdict on it."""

    kind: str
    text: str
    operations: tuple[Operated, ...]
    effect: str
    code: str | None
    message: str
    policies: tuple[str, ...]
    rungs: dict[str, str]
    """Labelled column -> the rung it would be shown at."""
    steps: tuple[str, ...]
    """Why, one sentence a step."""
