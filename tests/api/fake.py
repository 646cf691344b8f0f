"""A verified fake: the whole `Gateway` port in memory, with the real configuration and the real policy engine.

It keeps the order of everything that was asked of it, so that a test can say: settled first, and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from narrows.api import server
from narrows.api.ports import (
    SOCKET_METHOD,
    Check,
    Gateway,
    JournalEntry,
    JournalQuery,
    NewToken,
    OpenSession,
    Reloaded,
    State,
    StoredCredential,
    Token,
    Unavailable,
)
from narrows.config.faults import ConfigError
from narrows.config.load import load
from narrows.config.loaded import Config
from narrows.config.questions import question
from narrows.config.rights import ask
from narrows.gate.settle import refusal_of
from narrows.model.principal import Principal, SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.session import Client, Session
from narrows.model.statement import Protocol, Statement
from narrows.model.verdict import Settled, mint
from narrows.runtime import tls
from narrows.settings import Address
from tests.config import directory

NOW = 1_795_000_000.0

NARROWS = """\
groups: {support: {}, finance: {}, operators: {}}
users:
  alice: {groups: [support]}
  olga: {groups: [operators]}
services:
  reports: {}
connections:
  shop:
    host: db.internal
    database: shop
    description: the shop
    credential: {user: shop_app, password: "store:shop"}
  hidden:
    host: db.internal
    database: hidden
    credential: {user: hidden, password: "env:HIDDEN"}
settings: {control_body_limit_bytes: 8KiB, token_ttl_limit_s: 30d}
"""
OPERATORS = """\
@id("operators-operate")
permit (principal in Group::"operators", action in Action::"operate", resource == Gateway::"narrows")
unless { action == Action::"view_values" };
"""


def config_in(folder: Path) -> Config:
    """The configuration that most tests run with."""
    return load(directory.write(folder, NARROWS, operators=OPERATORS), {})


class FakeGateway:
    """See `narrows.api.ports.Gateway`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.order: list[str] = []
        """What was asked, in order: `settle`, `finished:done`, and the methods that show or change something."""
        self.journal: list[tuple[Session, Statement, Refusal | None]] = []
        self.by_token: dict[str, str] = {"alice-token": "alice", "olga-token": "olga"}
        self.tokens_: dict[str, Token] = {}
        self.credentials_: dict[str, tuple[StoredCredential, Secret]] = {}
        self.sessions_ = [
            OpenSession(
                "s1", "User/alice", "shop", "shop", "127.0.0.1:5", "psql\x1b[2J", NOW, NOW, True, "enforce"
            )
        ]
        self.entries: list[JournalEntry] = []
        self.failing: Exception | None = None
        self.journal_fails = False
        self.checks: tuple[Check, ...] = (Check("journal", State.OK, "writable"),)

    def now(self) -> float:
        return NOW

    async def sign_in(self, presented: Secret, client: Client) -> SignedIn | Refusal:
        self.order.append("sign_in")
        name = self.by_token.get(presented.reveal())
        principal = self.config.principal(name) if name else None
        if principal is None:
            return Refusal(Reason.SIGN_IN_FAILED, "the token is not valid")
        return SignedIn(principal, "token", f"id-of-{name}", NOW + 3600)

    async def settle(self, session: Session, statement: Statement) -> Settled:
        self.order.append("settle")
        if self.journal_fails:
            return mint("", None, Refusal(Reason.JOURNAL_UNAVAILABLE, "the journal's disk is full"))
        assert session.protocol is Protocol.CONTROL and session.connection == ""
        assert session.method == SOCKET_METHOD or session.token_id.startswith("id-of-")
        verdict = ask(self.config, session, statement, NOW)
        refusal = refusal_of(verdict)
        self.journal.append((session, statement, refusal))
        return mint(f"r{len(self.journal)}", verdict, refusal)

    async def finished(self, session: Session, record: str, status: str, error: str = "") -> None:
        self.order.append(f"finished:{status}")

    def readiness(self) -> tuple[Check, ...]:
        return self.checks

    async def doctor(self) -> tuple[Check, ...]:
        self._asked("doctor")
        return (*self.checks, Check("shop", State.FAIL, "the role owns tables", "use another role"))

    def metrics(self) -> bytes:
        self._asked("metrics")
        return b"narrows_sessions 1\n"

    def sessions(self) -> tuple[OpenSession, ...]:
        self._asked("sessions")
        return tuple(self.sessions_)

    async def end_session(self, session_id: str, by: Principal) -> bool:
        self._asked("end_session")
        before = len(self.sessions_)
        self.sessions_ = [s for s in self.sessions_ if s.id != session_id]
        return len(self.sessions_) < before

    async def analyse(
        self, principal: Principal, connection: str, database: str, sql: str
    ) -> tuple[Statement, ...] | Refusal:
        self._asked("analyse")
        if "payroll" not in sql:
            return Refusal(Reason.UNPARSABLE, "syntax error", position=1)
        statement = question(self.config, connection, database, "select", "public.payroll", {})
        return (replace(statement, text=sql),)

    async def journal_search(self, query: JournalQuery) -> tuple[JournalEntry, ...]:
        self._asked("journal_search")
        found = [e for e in self.entries if query.person in (None, e.principal)]
        after = [e.id for e in found].index(query.before) + 1 if query.before else 0
        return tuple(found[after : after + query.limit])

    async def journal_record(self, record_id: str, with_values: bool) -> Mapping[str, Any] | None:
        self._asked("journal_record")
        if record_id != "main:1":
            return None
        shown: dict[str, Any] = {
            "id": record_id,
            "at": NOW,
            "text": "SELECT '\x1b[2J\u202e'\nFROM t",
            "rungs": {},
        }
        return {**shown, **({"values": ["4711"]} if with_values else {})}

    async def journal_head(self) -> Mapping[str, Any]:
        self._asked("journal_head")
        return {"format": "narrows journal head 1", "writers": {}}

    async def create_token(self, principal: Principal, ttl_s: float, note: str, by: Principal) -> NewToken:
        self._asked("create_token")
        token = Token(f"t{len(self.tokens_) + 1}", principal.id, NOW, by.id, NOW + ttl_s, note)
        self.tokens_[token.id] = token
        self.by_token[f"nrw_{token.id}_secret"] = principal.name
        return NewToken(token, Secret(f"nrw_{token.id}_secret"))

    async def tokens(self, principal: Principal | None) -> tuple[Token, ...]:
        self._asked("tokens")
        return tuple(t for t in self.tokens_.values() if principal is None or t.principal == principal.id)

    async def revoke_token(self, token_id: str, by: Principal) -> Token | None:
        self._asked("revoke_token")
        if token_id in self.tokens_:
            self.tokens_[token_id] = replace(self.tokens_[token_id], revoked_at=NOW)
        return self.tokens_.get(token_id)

    async def put_credential(
        self, name: str, connection: str, value: Secret, by: Principal
    ) -> StoredCredential:
        self._asked("put_credential")
        known = self.config.connections[connection]
        stored = StoredCredential(name, known.host, known.port, NOW, by.id)
        self.credentials_[name] = (stored, value)
        return stored

    async def credentials(self) -> tuple[StoredCredential, ...]:
        self._asked("credentials")
        return tuple(stored for stored, _ in self.credentials_.values())

    async def delete_credential(self, name: str, by: Principal) -> bool:
        self._asked("delete_credential")
        return self.credentials_.pop(name, None) is not None

    async def reload(self, by: Principal) -> Reloaded:
        self._asked("reload")
        try:
            self.config = load(self.config.directory, {})
        except ConfigError as error:
            return Reloaded(faults=error.faults)
        return Reloaded(self.config.versions, (), self.config.warnings, ("postgres_listen",))

    def _asked(self, name: str) -> None:
        self.order.append(name)
        if self.failing is not None:
            raise self.failing


def unavailable() -> Unavailable:
    return Unavailable(Refusal(Reason.STORE_UNAVAILABLE, "the store is locked"))


def _is_gateway(fake: FakeGateway) -> Gateway:
    """mypy holds the fake to the port here."""
    return fake


@dataclass(frozen=True)
class Running:
    """A served fake and where it is."""

    gateway: FakeGateway
    url: str
    socket: Path
    ca: Path


@contextlib.contextmanager
def running(folder: Path, gateway: FakeGateway, *, loop: str = "asyncio") -> Iterator[Running]:
    """The control API over HTTPS and a Unix socket, in a loop of its own thread."""
    authority = tls.make_authority()
    issued = tls.make_certificate(authority)
    (folder / "tls").mkdir(exist_ok=True)
    (folder / "tls/ca.crt").write_bytes(authority.certificate)
    (folder / "tls/server.crt").write_bytes(issued.certificate)
    (folder / "tls/server.key").write_bytes(issued.key)
    context = tls.server_context(folder / "tls/server.crt", folder / "tls/server.key")
    listeners = server.bind((Address("127.0.0.1", 0),), gateway.config.settings.control_socket)
    port = listeners.tcp[0].getsockname()[1]
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    is_up = threading.Event()

    async def main() -> None:
        stop = asyncio.Event()
        stops.append((asyncio.get_running_loop(), stop))
        is_up.set()
        await server.serve(_is_gateway(gateway), listeners, context, stop)

    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    thread = threading.Thread(target=lambda: asyncio.Runner(loop_factory=factory).run(main()))
    thread.start()
    is_up.wait()
    try:
        yield Running(
            gateway,
            f"https://localhost:{port}",
            gateway.config.settings.control_socket,
            folder / "tls/ca.crt",
        )
    finally:
        stops[0][0].call_soon_threadsafe(stops[0][1].set)
        thread.join(timeout=15)
        assert not thread.is_alive()
