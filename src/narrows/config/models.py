"""The shape of narrows.yaml: what may stand in it, with what default, and nothing else.

Names are checked here, references between names in `load.py`. A password never stands in the file: the
credential says where it is kept.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from narrows.model.session import Mode
from narrows.model.target import TlsMode

OPERATOR = "operator"
"""The built-in principal of the control socket; nobody else may bear its name."""

_CONNECTION_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_PRINCIPAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}\Z")
_REFERENCE = re.compile(
    r"(store:[A-Za-z0-9][A-Za-z0-9._-]{0,127}|env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:[^\x00-\x1f]{1,1024}"
    r"|vault:[^\x00-\x1f#]{1,512}#[^\x00-\x1f]{1,128})\Z"
)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z|[0-9A-Fa-f:.]{2,45}\Z")


def _connection_name(name: str) -> str:
    if not _CONNECTION_NAME.match(name):
        raise ValueError("a connection's name begins with a-z and goes on with a-z, 0-9, - or _")
    return name


def _principal_name(name: str) -> str:
    if not _PRINCIPAL_NAME.match(name):
        raise ValueError("a name begins with a letter or digit and goes on with letters, digits or . _ @ + -")
    return name


def _reference(text: str) -> str:
    if not _REFERENCE.match(text):
        raise ValueError(
            "a password does not stand here, only where it is kept: "
            "store:NAME, env:NAME, file:PATH or vault:MOUNT/PATH#FIELD"
        )
    return text


def _host(text: str) -> str:
    if not _HOST.match(text):
        raise ValueError("write a host name or an address, without port or scheme")
    return text


def _pg_name(text: str) -> str:
    if not text or len(text.encode()) > 63 or any(ord(c) < 32 for c in text):
        raise ValueError("a PostgreSQL name has 1 to 63 bytes and no control characters")
    return text


def _nothing_is_empty(value: Any) -> Any:
    """`alice:` with nothing behind it means `alice: {}`."""
    return {} if value is None else value


def _list_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("a name stands twice; keep one of them")
    return values


ConnectionName = Annotated[str, AfterValidator(_connection_name)]
PrincipalName = Annotated[str, AfterValidator(_principal_name)]
Reference = Annotated[str, AfterValidator(_reference)]
PgName = Annotated[str, AfterValidator(_pg_name)]
Text = Annotated[str, Field(max_length=500)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Group(_Shape):
    """A group that users and services can belong to."""

    description: Text = ""


class Member(_Shape):
    """A user or a service."""

    groups: Annotated[tuple[PrincipalName, ...], AfterValidator(_list_once)] = ()
    disabled: bool = False
    description: Text = ""


class Credential(_Shape):
    """Who the gateway is to a target; the caller never sees it."""

    user: PgName
    password: Reference


class Tls(_Shape):
    """How the way to a target is protected."""

    mode: TlsMode = TlsMode.VERIFY_FULL
    ca: str | None = Field(default=None, min_length=1, max_length=1024)
    """A PEM file relative to the directory; None or `system` means the system's authorities."""


class Connection(_Shape):
    """A configured way to a target."""

    protocol: Literal["postgres"] = "postgres"
    description: Text = ""
    host: Annotated[str, AfterValidator(_host)]
    port: int = Field(default=5432, ge=1, le=65535)
    database: PgName
    databases: Annotated[tuple[PgName, ...], AfterValidator(_list_once)] = ()
    """Other databases that `dbname=NAME/DATABASE` may reach; the home database always may."""
    tls: Annotated[Tls, BeforeValidator(_nothing_is_empty)] = Tls()
    credential: Credential
    credentials: Mapping[PrincipalName, Credential] = Field(default_factory=dict)
    """Per group, the first that the caller belongs to; nobody's group: `credential`."""
    export_rows: int = Field(default=1000, ge=0, le=10**9)
    """A SELECT over labelled tables that could return more rows than this is an `export`."""
    filters_per_minute: int = Field(default=600, ge=0, le=10**9)
    """With how many values one principal may compare labelled columns in a minute; 0 is no limit."""
    mode: Mode = Mode.ENFORCE
    until: datetime.date | None = None
    """The last day on which `mode: observe` holds; from the next day (UTC) on it enforces."""

    @model_validator(mode="after")
    def _observe_ends(self) -> Connection:
        if self.mode is Mode.OBSERVE and self.until is None:
            raise ValueError("mode: observe enforces nothing, so it needs its last day: until: YYYY-MM-DD")
        if self.mode is Mode.ENFORCE and self.until is not None:
            raise ValueError("until belongs to mode: observe; remove it")
        return self

    @property
    def all_databases(self) -> tuple[str, ...]:
        """The home database first, then the others."""
        return (self.database, *(name for name in self.databases if name != self.database))

    def mode_on(self, day: datetime.date) -> Mode:
        """The mode that holds on a day (UTC): `observe` ends by itself."""
        is_observing = self.mode is Mode.OBSERVE and self.until is not None and day <= self.until
        return Mode.OBSERVE if is_observing else Mode.ENFORCE

    def credential_for(self, groups: Collection[str]) -> Credential:
        """The credential of the first listed group that the caller belongs to, or the connection's own."""
        return next((c for group, c in self.credentials.items() if group in groups), self.credential)


Members = Mapping[PrincipalName, Annotated[Member, BeforeValidator(_nothing_is_empty)]]


class Root(_Shape):
    """All of narrows.yaml."""

    settings: Annotated[Mapping[str, Any], BeforeValidator(_nothing_is_empty)] = Field(default_factory=dict)
    groups: Annotated[
        Mapping[PrincipalName, Annotated[Group, BeforeValidator(_nothing_is_empty)]],
        BeforeValidator(_nothing_is_empty),
    ] = Field(default_factory=dict)
    users: Annotated[Members, BeforeValidator(_nothing_is_empty)] = Field(default_factory=dict)
    services: Annotated[Members, BeforeValidator(_nothing_is_empty)] = Field(default_factory=dict)
    connections: Annotated[Mapping[ConnectionName, Connection], BeforeValidator(_nothing_is_empty)] = Field(
        default_factory=dict
    )
