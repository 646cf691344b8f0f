"""Lets PostgreSQL clients in: token, connection, limits, policy, schema, target; then drives the session.

Laws: nothing about connections is said before the token was good; the target is opened last; every refusal is in
the journal, and so is every session from before its first statement.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import structlog

from narrows.app.deciding import GatePorts, InForce
from narrows.app.recorder import Recorder
from narrows.app.targets import Targets
from narrows.core import Limits as CoreLimits
from narrows.credentials import CredentialError
from narrows.gate.ports import CannotRecord
from narrows.gate.settle import settle
from narrows.identity.base import Identity, Refused, SignInContext
from narrows.model.action import Action
from narrows.model.outcome import Outcome
from narrows.model.principal import SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource, ResourceKind
from narrows.model.secret import Secret
from narrows.model.session import Client, Session
from narrows.model.statement import Operation, Protocol, Statement
from narrows.model.verdict import Settled
from narrows.relay.postgres import startup
from narrows.relay.postgres.known import Cache
from narrows.relay.postgres.session import Session as Relay
from narrows.relay.postgres.settings import Context
from narrows.relay.postgres.signin import Authenticate
from narrows.runtime.conduit import Conduit
from narrows.runtime.driver import RelayMachine, SessionDriver
from narrows.runtime.facts.analysis import AnalysisPool
from narrows.runtime.facts.keeper import FactsUnavailable
from narrows.runtime.facts.snapshot import Place
from narrows.runtime.metrics import Metrics
from narrows.runtime.sessions import Sessions
from narrows.runtime.upstream import Upstream, UpstreamUnavailable, cancel_upstream
from narrows.store import StoreError
from narrows.wire.postgres.cancel import CancelKeys

_APPLICATION_BYTES = 63
"""PostgreSQL cuts application_name there."""

_WORKER = 0
"""This process, of those that serve one gateway."""

_UNREADABLE = "the target's schema could not be read after it changed"

log = structlog.get_logger(__name__)


class PostgresFront:
    """The front of every PostgreSQL connection of this process."""

    def __init__(
        self,
        config: InForce,
        identity: Identity,
        targets: Targets,
        ports: GatePorts,
        sessions: Sessions,
        metrics: Metrics,
        analysis: AnalysisPool,
        mask_key: Secret,
        clock: Callable[[], float],
    ) -> None:
        self.config = config
        self.targets = targets
        self.ports = ports
        self.sessions = sessions
        self.metrics = metrics
        self.analysis = analysis
        self.mask_key = mask_key
        self.clock = clock
        self.cache = Cache()
        self.is_draining = False
        self._identity = identity
        self._cancel_keys = CancelKeys(secrets.token_bytes(32))
        settings = config.now.settings
        self.limits = CoreLimits(
            message_bytes=settings.statement_limit_bytes + 1024,
            bind_bytes=settings.bind_limit_bytes,
            row_bytes=settings.row_limit_bytes,
        )

    @property
    def recorder(self) -> Recorder:
        return self.ports.journal

    # -- the listener's questions

    async def admit(self, wanted: Authenticate, client: Client) -> Admitted | Refusal:
        """Everything that must hold before a client is told that he is in."""
        try:
            answer = await self._admit(wanted, client)
        except CannotRecord as failure:
            answer = Refusal(Reason.JOURNAL_UNAVAILABLE, f"nothing is let in: {failure}")
        except StoreError as failure:
            answer = Refusal(Reason.STORE_UNAVAILABLE, Reason.STORE_UNAVAILABLE.remedy)
            log.error("store_failed", error=str(failure))
        if isinstance(answer, Refusal):
            self.metrics.sign_ins.labels(answer.reason.name.lower()).inc()
        else:
            self.metrics.sign_ins.labels("accepted").inc()
            if not client.is_tls:
                self.metrics.plaintext.inc()
        return answer

    async def refused(self, refusal: Refusal, client: Client, wanted: Authenticate | None) -> None:
        self.metrics.sign_ins.labels(refusal.reason.name.lower()).inc()
        user = wanted.user if wanted else ""
        self.recorder.refused(client, refusal, user=user)

    def cancel(self, pid: int, key: bytes) -> None:
        """A CancelRequest: passed to its session where the key is genuine, else ignored."""
        for number, driver in self.sessions.by_pid(pid):
            if self._cancel_keys.fits(key, pid, _WORKER, number):
                driver.cancel()

    # -- admission

    async def _admit(self, wanted: Authenticate, client: Client) -> Admitted | Refusal:
        if self.is_draining:
            return Refusal(Reason.DRAINING, "the gateway is shutting down")
        signed = await self._signed_in(wanted, client)
        if isinstance(signed, Refusal):
            return signed
        refuse = _Refuser(self.recorder, client, signed, wanted)
        place = self._place(wanted, signed)
        if isinstance(place, Refusal):
            return refuse(place)
        session = self._session(signed, place, client)
        if full := self.sessions.admit(session):
            return refuse(full)
        if refused := await self._settled(session, _connecting(place)):
            return refused  # the gate recorded it
        opened = await self._open(session, place, wanted)
        return refuse(opened) if isinstance(opened, Refusal) else opened

    async def _signed_in(self, wanted: Authenticate, client: Client) -> SignedIn | Refusal:
        answer = await self._identity.sign_in(wanted.presented, wanted.user, SignInContext(client.address))
        database = wanted.database or ""
        if isinstance(answer, Refused):
            self.recorder.sign_in_refused(client, answer.refusal, wanted.connection, database)
            return answer.refusal
        await self.recorder.signed_in(client, answer, wanted.connection, database)
        return answer

    def _place(self, wanted: Authenticate, signed: SignedIn) -> Place | Refusal:
        known = self.config.now.connections.get(wanted.connection)
        if known is None:
            return Refusal(Reason.UNKNOWN_CONNECTION, f"there is no connection {wanted.connection[:63]!r}")
        database = known.database if wanted.database is None else wanted.database
        if database not in known.all_databases:
            return Refusal(
                Reason.UNKNOWN_DATABASE,
                f"connection {wanted.connection} does not list the database {database[:63]!r}",
            )
        return self.targets.place(wanted.connection, database, signed.principal)

    def _session(self, signed: SignedIn, place: Place, client: Client) -> Session:
        return Session(
            id=f"s-{secrets.token_hex(8)}",
            principal=signed.principal,
            connection=place.connection,
            database=place.database,
            protocol=Protocol.POSTGRES,
            client=client,
            started_at=self.clock(),
            method=signed.method,
            token_id=signed.token_id,
            expires_at=signed.expires_at,
        )

    async def _settled(self, session: Session, statement: Statement) -> Refusal | None:
        settled = await settle(session, statement, self.ports)
        status = "refused" if settled.refusal else "done"
        if settled.record:
            self.recorder.outcome(session, Outcome(settled.record, status), 0.0)
        return settled.refusal

    async def _open(self, session: Session, place: Place, wanted: Authenticate) -> Admitted | Refusal:
        try:
            if self.targets.keeper.current(place) is None:
                await self.targets.check_credential(place)  # its fault is clearer than an unread schema
            view = self.targets.view(await self.targets.keeper.get(place))
            start = startup.decide(wanted.settings, view)
            if isinstance(start, Refusal):
                return start
            if start.statement is not None and (refused := await self._settled(session, start.statement)):
                return refused
            parameters = {n: v for n, v in start.values.items() if n.lower() != "application_name"}
            parameters["application_name"] = _application(session, wanted.application)
            upstream = await self.targets.open(place, parameters)
        except FactsUnavailable as failure:
            return failure.refusal()
        except CredentialError as failure:
            log.error("credential_unavailable", connection=place.connection, error=str(failure))
            return Refusal(
                Reason.CREDENTIAL_UNAVAILABLE, f"the credential of {place.connection} cannot be read"
            )
        except UpstreamUnavailable as failure:
            self.metrics.upstream_failures.labels(place.connection).inc()
            log.error("upstream_unavailable", connection=place.connection, error=str(failure))
            return failure.failed.refusal()
        try:
            await self.recorder.opened(session, upstream.pid)
        except CannotRecord:
            upstream.conduit.abort()
            raise
        number = self.sessions.take_number()
        pid = number if upstream.pid is None else upstream.pid
        key = self._cancel_keys.mint(pid, _WORKER, number, wanted.protocol_minor)
        context = Context(
            view=self.targets.view(await self.targets.keeper.get(place)),
            labels=self.config.now.labels,
            mask_key=self.mask_key,
            cache=self.cache,
            facts=start.facts,
            parameters=upstream.parameters,
            limits=self.limits,
        )
        return Admitted(self, session, place, upstream, Relay(context), number, pid, key)


class Admitted:
    """A session that is about to begin."""

    def __init__(
        self,
        front: PostgresFront,
        session: Session,
        place: Place,
        upstream: Upstream,
        machine: Relay,
        number: int,
        pid: int,
        key: bytes,
    ) -> None:
        self.parameters = dict(upstream.parameters)
        self.pid = pid
        self.key = key
        self._front = front
        self._session = session
        self._place = place
        self._upstream = upstream
        self._machine = machine
        self._number = number

    async def run(self, client: Conduit, first: bytes) -> None:
        """Drive the session to its end."""
        front, connection = self._front, self._place.connection
        services = SessionServices(front, self._session, self._place, self._upstream)
        front.targets.keeper.retain(self._place)
        front.metrics.sessions.labels(connection).inc()
        driver: SessionDriver | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                driver = SessionDriver(
                    self._session, self._machine, client, self._upstream.conduit, services, tasks.create_task
                )
                services.driver = driver
                front.sessions.add(self.pid, self._number, driver)
                driver.start(first)
                await driver.ended
        finally:
            if driver is not None:
                driver.stop("the gateway stopped")
                front.sessions.remove(self.pid, self._number, driver)
            front.metrics.sessions.labels(connection).dec()
            front.targets.keeper.release(self._place)

    def abandon(self) -> None:
        self._upstream.conduit.abort()
        self._front.recorder.closed(
            self._session, "the client left before the session began", self._front.clock(), 0, 0, 0
        )


class SessionServices:
    """What one session's driver has done for it."""

    def __init__(self, front: PostgresFront, session: Session, place: Place, upstream: Upstream) -> None:
        self.driver: SessionDriver | None = None
        self._front = front
        self._session = session
        self._place = place
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self._started: dict[str, float] = {}
        self._rows = 0
        self._bytes = 0
        metrics, connection = front.metrics, session.connection
        self._allowed = metrics.statements.labels(connection, "allow")
        self._refused = metrics.statements.labels(connection, "deny")
        self._observed = metrics.observed.labels(connection)
        self._rows_metric = metrics.rows.labels(connection)
        self._masked = metrics.masked.labels(connection)

    async def settle(self, statement: Statement) -> Settled:
        front, started = self._front, self._loop.time()
        settled = await settle(self._session, statement, front.ports)
        if settled.refusal is None:
            self._allowed.inc()
            if settled.verdict is not None and settled.verdict.is_observed:
                self._observed.inc()
        else:
            self._refused.inc()
            front.metrics.refusals.labels(settled.refusal.code).inc()
        if settled.record:
            self._started[settled.record] = started
        front.metrics.settle_seconds.observe(self._loop.time() - started)
        return settled

    async def analyse(self, machine: RelayMachine, text: str) -> object:
        assert isinstance(machine, Relay)
        return await self._front.analysis.analyse(text, machine.view, machine.state)

    async def schema_changed(self) -> object | None:
        front, place = self._front, self._place
        keeper = front.targets.keeper
        keeper.outdate(place.connection, place.database)
        others = [d for d in front.sessions if d is not self.driver and _shares(d.session, place)]
        for other in others:
            other.schema_changing()
        try:
            view = front.targets.view(await keeper.changed(place))
            for other in others:
                theirs = front.targets.place(place.connection, place.database, other.session.principal)
                other.schema_read(front.targets.view(await keeper.get(theirs)))
            return view
        except (FactsUnavailable, KeyError) as failure:
            for other in others:
                other.end(Refusal(Reason.FACTS_UNAVAILABLE, _UNREADABLE))
            log.warning("schema_not_read", session=self._session.id, error=str(failure))
            return None

    async def own(self, text: str, purpose: str) -> None:
        session = self._session
        await self._front.recorder.own(session.connection, session.database, text, purpose, session.id)

    def finished(self, outcome: Outcome) -> None:
        started = self._started.pop(outcome.record, None)
        if started is None:
            return  # it was never recorded, so it was refused
        self._rows += outcome.rows
        self._bytes += outcome.bytes
        if outcome.rows:
            self._rows_metric.inc(outcome.rows)
        if outcome.masked:
            self._masked.inc(outcome.masked)
        self._front.recorder.outcome(self._session, outcome, self._loop.time() - started)

    async def cancel_upstream(self) -> None:
        upstream = self._upstream
        if upstream.pid is None:
            return
        try:
            await cancel_upstream(upstream.target, upstream.pid, upstream.key, address=upstream.address)
        except UpstreamUnavailable as failure:
            log.warning("cancel_failed", session=self._session.id, error=str(failure))

    def closed(self, reason: str) -> None:
        for record in list(self._started):
            self.finished(Outcome(record, "lost"))
        statements = self.driver.statements if self.driver else 0
        self._front.recorder.closed(
            self._session, reason, self._front.clock(), statements, self._rows, self._bytes
        )


class _Refuser:
    """Journals a refusal that came after the token was good, and hands it on."""

    def __init__(self, recorder: Recorder, client: Client, signed: SignedIn, wanted: Authenticate) -> None:
        self._recorder = recorder
        self._client = client
        self._signed = signed
        self._wanted = wanted

    def __call__(self, refusal: Refusal) -> Refusal:
        self._recorder.refused(
            self._client,
            refusal,
            principal=self._signed.principal.id,
            user=self._wanted.user,
            connection=self._wanted.connection,
            database=self._wanted.database or "",
        )
        return refusal


def _shares(session: Session, place: Place) -> bool:
    return (session.connection, session.database) == (place.connection, place.database)


def _connecting(place: Place) -> Statement:
    """Opening a session, as the statement that policy is asked about."""
    database = Resource(ResourceKind.DATABASE, (place.connection, place.database), place.is_home)
    return Statement(
        Protocol.POSTGRES,
        "connect",
        f"connect to {database.id}",
        (Operation(Action.CONNECT, database),),
    )


def _application(session: Session, application: str) -> str:
    """Who it is, for the target's own log: `alice s-1a2b... psql`."""
    text = f"{session.principal.name} {session.id} {application}".strip()
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain[:_APPLICATION_BYTES]


def refresh(front: PostgresFront) -> None:
    """Give open sessions the view that holds now: after a reload, or after a new reading of a schema."""
    for driver in front.sessions:
        session = driver.session
        with contextlib.suppress(KeyError):
            place = front.targets.place(session.connection, session.database, session.principal)
            if (current := front.targets.keeper.current(place)) is not None:
                driver.update_view(front.targets.view(current), front.config.now.labels)
