"""One principal's use of one Connection, from sign-in to close."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from narrows.model.principal import Principal
from narrows.model.statement import Protocol


class Mode(StrEnum):
    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of the caller's end of the wire."""

    address: str
    is_tls: bool
    application: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Who, where, since when; frozen at sign-in, with live facts looked up by the gate."""

    id: str
    principal: Principal
    connection: str
    database: str
    protocol: Protocol
    client: Client
    started_at: float
    """Seconds since the epoch."""
    method: str
    token_id: str
    expires_at: float
    task: tuple[str, ...] = ()
    """Path from the root task; empty where the caller has none."""
    mode: Mode = Mode.ENFORCE
