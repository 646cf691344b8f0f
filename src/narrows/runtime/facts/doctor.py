"""Looks at a target with the gateway's own credential and says what is wrong, what is risky, and what to do.

Law: a finding for each thing looked at, good ones too, so that silence is never mistaken for health.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from narrows.model.target import Target, TlsMode
from narrows.relay.postgres.upstream import Fault
from narrows.runtime.facts import catalog
from narrows.runtime.facts.query import Queries, QueryFailed
from narrows.runtime.upstream import Upstream, UpstreamUnavailable

LIMIT_S = 15.0
OLDEST_TESTED = 15
NEWEST_TESTED = 18


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, with less protection than it could have."""
    ERROR = "error"
    """It does not work, or protects nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; the remedy is empty where all is well."""

    level: Level
    text: str
    remedy: str = ""


REMEDIES: dict[Fault, str] = {
    Fault.NAME_UNKNOWN: "Correct `host` in narrows.yaml, or the resolver of this machine.",
    Fault.NOT_LISTENING: "Start the target, or correct `host` and `port` in narrows.yaml.",
    Fault.UNREACHABLE: "See to the route and the firewall between this machine and the target.",
    Fault.TIMED_OUT: "See to the route and the firewall, or raise `upstream_timeout_s`.",
    Fault.TLS_ABSENT: "Turn `ssl` on at the target; only where the network is yours alone, set tls.mode: disable.",
    Fault.TLS_UNVERIFIED: "Put the authority of the target's certificate into `tls.ca`; see to its names and dates.",
    Fault.TLS_FAILED: "See the target's log: it must offer TLS 1.2 or newer.",
    Fault.PASSWORD_REFUSED: "Correct the credential's user or password.",
    Fault.NOT_ADMITTED: "Add a line for the gateway's address, user and database to the target's pg_hba.conf.",
    Fault.CLEARTEXT_WANTED: "Use scram-sha-256 in the target's pg_hba.conf, or verify its certificate.",
    Fault.METHOD_UNKNOWN: "Use scram-sha-256 for the gateway's user in the target's pg_hba.conf.",
    Fault.NOT_PROVEN: "Somebody may stand between: check the address and the certificate.",
    Fault.DATABASE_MISSING: "Correct `database` in narrows.yaml, or create it.",
    Fault.TOO_MANY: "Raise max_connections at the target, or close what holds its connections.",
    Fault.NOT_READY: "Wait until the target accepts connections.",
    Fault.REFUSED: "See the target's log.",
    Fault.PROTOCOL: "Something other than PostgreSQL answers there: correct `host` and `port`.",
    Fault.LOST: "See the target's log.",
}
"""What to do about each way in which a target cannot be used."""


async def examine(target: Target, open_queries: Callable[[], Awaitable[Queries]]) -> list[Finding]:
    """Every finding about one target; `open_queries` signs in as the gateway does."""
    try:
        queries = await open_queries()
    except UpstreamUnavailable as error:
        fault = error.failed.fault
        return [Finding(Level.ERROR, str(error), REMEDIES[fault])]
    try:
        found = [_signed_in(queries.upstream), _protection(target, queries.upstream)]
        [row] = await queries.rows(catalog.sql("doctor"), "examine the credential", LIMIT_S)
        return [*found, *_judge(row)]
    except (QueryFailed, TimeoutError, ValueError) as error:
        return [
            *found,
            Finding(Level.ERROR, f"the catalogs cannot be read: {error}", "See the target's log."),
        ]
    finally:
        queries.close()


def _signed_in(upstream: Upstream) -> Finding:
    target = upstream.target
    return Finding(
        Level.OK, f"signed in to {target.host} ({upstream.address}) port {target.port} as {target.user}"
    )


def _protection(target: Target, upstream: Upstream) -> Finding:
    if upstream.is_verified:
        how = "its name checked" if target.tls is TlsMode.VERIFY_FULL else "its name not checked"
        pinned = "a pinned authority" if target.ca_pem else "the system's authorities"
        return Finding(Level.OK, f"{upstream.tls_version}, certificate verified by {pinned}, {how}")
    remedy = "Set tls.mode: verify-full and tls.ca in narrows.yaml."
    if upstream.tls_version:
        return Finding(
            Level.WARNING, f"{upstream.tls_version}, but nobody checks whose certificate it is", remedy
        )
    return Finding(Level.WARNING, "the way to the target is not encrypted", remedy)


def _judge(row: catalog.Row) -> Iterator[Finding]:
    version, role, *flags = row
    is_super, bypasses_rls, makes_roles, makes_databases, replicates = [flag == "t" for flag in flags[:5]]
    powers, owned, schemas = [json.loads(text) if text else [] for text in flags[5:8]]
    owns_database, readable = flags[8] == "t", int(flags[9] or 0)
    yield _version(int(version or 0))
    if is_super:
        yield Finding(
            Level.ERROR,
            f"{role} is a superuser: it can turn off whatever protects the target",
            "Give the gateway a role that owns nothing and has only the grants that callers need.",
        )
    else:
        yield Finding(Level.OK, f"{role} is no superuser")
    if bypasses_rls and not is_super:
        yield Finding(Level.WARNING, f"{role} bypasses row security", f"ALTER ROLE {role} NOBYPASSRLS")
    for holds, what in (
        (makes_roles, "CREATEROLE"),
        (makes_databases, "CREATEDB"),
        (replicates, "REPLICATION"),
    ):
        if holds and not is_super:
            yield Finding(Level.WARNING, f"{role} has {what}", f"ALTER ROLE {role} NO{what}")
    if powers:
        yield Finding(
            Level.ERROR,
            f"{role} is a member of {', '.join(powers)}",
            f"REVOKE {', '.join(powers)} FROM {role}",
        )
    if owned or owns_database:
        what = ", ".join([*(["the database"] if owns_database else []), *owned])
        yield Finding(
            Level.WARNING,
            f"{role} owns {what}: an owner can drop, alter and grant",
            "Give them to another role: ALTER ... OWNER TO; let the gateway's have grants only.",
        )
    if schemas:
        yield Finding(
            Level.WARNING,
            f"{role} may create objects in {', '.join(schemas)}, which other sessions would then find",
            f"REVOKE CREATE ON SCHEMA {', '.join(schemas)} FROM {role}, PUBLIC",
        )
    if readable == 0:
        yield Finding(
            Level.WARNING, f"{role} may read no table of this database", "Grant it what callers may need."
        )


def _version(number: int) -> Finding:
    major = number // 10000
    if major < OLDEST_TESTED:
        return Finding(
            Level.WARNING, f"PostgreSQL {major} is older than what is tested", "Upgrade the target."
        )
    if major > NEWEST_TESTED:
        return Finding(
            Level.WARNING, f"PostgreSQL {major} is newer than what is tested", "Look for a newer narrows."
        )
    return Finding(Level.OK, f"PostgreSQL {major}")
