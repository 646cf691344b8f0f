"""What the end-to-end tests share: a gateway over a shop, a twin of the shop that is reached directly, real clients.

Law: "unchanged" means the same words as without a gateway, so what a client prints is compared with what it
prints when it runs the same against the twin.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers import gateway, postgres
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Postgres

_NUMBERS = itertools.count(1)

DEVELOPERS = """\
@id("developers-do-everything")
permit (principal in Group::"developers", action, resource in Connection::"shop");
"""

GUARDRAILS = """\
@id("no-drop-database")
@message("A database is not dropped through the gateway.")
forbid (principal, action == Action::"drop", resource) when { resource is Database };
"""

PAYROLL = """\
@id("payroll-is-finance-only")
@message("Payroll is for the finance team.")
forbid (principal, action, resource in Table::"shop/public.payroll")
unless { principal in Group::"finance" || principal in Group::"developers" };
"""

CHANGES: dict[str, Any] = {
    "groups": {"developers": {"description": "build the shop: do and see everything"}},
    "users": {"dev": {"groups": ["developers"]}},
}
"""The starting directory with a user who may do everything, for tests of clients rather than of policy."""

FILES = {
    "policies/developers.cedar": DEVELOPERS,
    "policies/guardrails.cedar": GUARDRAILS,
    "policies/payroll.cedar": PAYROLL,
}


@dataclass
class World:
    """A gateway, the database behind it, and the same database beside it."""

    gateway: Gateway
    shop: Database
    twin: Database

    @property
    def server(self) -> Postgres:
        return self.shop.server

    def psql(
        self,
        who: str,
        text: str,
        version: int = 15,
        options: Sequence[str] = ("-X",),
        dbname: str = "shop",
        extra: Mapping[str, str] = {},
    ) -> subprocess.CompletedProcess[str]:
        """psql of a version through the gateway, `text` on its standard input."""
        return _run_psql(self.gateway.environ(who, dbname), text, version, options, extra)

    def direct_psql(
        self, text: str, version: int = 15, options: Sequence[str] = ("-X",), extra: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """The same, straight to the twin as the application's role."""
        environment = self.server.environment(self.twin.name, self.twin.app)
        return _run_psql(environment, text, version, options, extra)

    def activity(self, condition: str = "true") -> list[tuple[Any, ...]]:
        """(pid, state, query, application_name) of the callers' sessions at the target."""
        return self.shop.query(
            "select pid, state, query, application_name from pg_stat_activity where datname = current_database()"
            f" and usename = 'shop_app' and application_name like '% s-%' and ({condition})"
        )


def _run_psql(
    environment: Mapping[str, str], text: str, version: int, options: Sequence[str], extra: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    programs = postgres.programs(version)
    return subprocess.run(
        [programs.path("psql"), *options],
        env={**environment, **programs.environment, **extra},
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",  # binary COPY and other encodings
        timeout=60,
    )


@contextlib.contextmanager
def started(
    server: Postgres,
    changes: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[World]:
    """A world for the length of a `with`."""
    number = next(_NUMBERS)
    shop, twin = (server.create_shop(f"e2e_{number}_{name}") for name in ("shop", "twin"))
    for database in (shop, twin):
        _ = database.app
        database.run("grant create on schema public to shop_app")
    try:
        with gateway.started(shop, changes, files, environment) as running:
            yield World(running, shop, twin)
            assert _failures(running) == [], "the gateway failed somewhere inside"
    finally:
        for database in (shop, twin):
            server.drop_database(database.name)


def _failures(running: Gateway) -> list[str]:
    """Lines of the log that tell of an exception nobody foresaw: no input may lead to one."""
    return [line for line in running.log.splitlines() if '"exception"' in line or "Traceback" in line]


def eventually(is_so: Callable[[], Any], limit_s: float = 5.0, what: str = "") -> Any:
    """Poll until it is so; what it answered."""
    deadline = time.monotonic() + limit_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what or is_so}"
        time.sleep(0.02)
    return found


def entries(running: Gateway, kind: str, **fields: Any) -> list[Any]:
    """The journal's entries of a kind whose fields are these."""
    return [
        entry
        for entry in running.journal()
        if entry.kind == kind
        and all(getattr(entry.record, name, None) == value for name, value in fields.items())
    ]


def texts(running: Gateway, effect: str = "allow") -> list[str]:
    """The statements of the journal with this verdict."""
    return [entry.record.text for entry in entries(running, "statement", effect=effect)]
