"""Stands behind the control API: what it shows and changes of the running gateway."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from collections.abc import Mapping
from typing import Any

import structlog

from narrows.api.ports import (
    Check,
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
from narrows.app import front as fronts
from narrows.app.parts import Parts
from narrows.app.targets import absent_columns
from narrows.config import load as loading
from narrows.config.faults import ConfigError, Fault
from narrows.config.loaded import Config
from narrows.credentials import CredentialError, binding_of
from narrows.gate.ports import CannotRecord
from narrows.gate.settle import settle
from narrows.identity.base import Refused, SignInContext
from narrows.identity.local import Issued, NotIssued
from narrows.inspect.sql import analyse_inline
from narrows.inspect.sql.analysis import Analysis, SessionState
from narrows.journal import read, records
from narrows.journal.export import as_mapping
from narrows.journal.values import open_values
from narrows.model.outcome import Outcome
from narrows.model.principal import Principal, SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.session import Client, Mode, Session
from narrows.model.statement import Statement
from narrows.model.target import Target
from narrows.model.verdict import Settled
from narrows.runtime.facts import doctor
from narrows.runtime.facts.keeper import FactsUnavailable
from narrows.runtime.facts.snapshot import Place
from narrows.runtime.tls import TlsFileError
from narrows.settings import SETTINGS
from narrows.store import StoreError, journal_index
from narrows.store.credentials import CredentialRow
from narrows.store.tokens import TokenRow

log = structlog.get_logger(__name__)

_LEVELS = {doctor.Level.OK: State.OK, doctor.Level.WARNING: State.WARN, doctor.Level.ERROR: State.FAIL}


class Control:
    """`api.ports.Gateway` over the parts of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reloading = asyncio.Lock()

    @property
    def config(self) -> Config:
        return self._parts.config.now

    def now(self) -> float:
        return self._parts.clock()

    # -- who, and may they

    async def sign_in(self, presented: Secret, client: Client) -> SignedIn | Refusal:
        parts = self._parts
        answer = await parts.identity.sign_in(presented, None, SignInContext(client.address))
        if isinstance(answer, Refused):
            parts.recorder.sign_in_refused(client, answer.refusal, "", "")
            return answer.refusal
        try:
            await parts.recorder.signed_in(client, answer, "", "")
        except CannotRecord as failure:
            return Refusal(Reason.JOURNAL_UNAVAILABLE, str(failure))
        return answer

    async def settle(self, session: Session, statement: Statement) -> Settled:
        return await settle(session, statement, self._parts.ports)

    async def finished(self, session: Session, record: str, status: str, error: str = "") -> None:
        self._parts.recorder.outcome(session, Outcome(record, status, tag=error[:200] or None), 0.0)

    # -- how it stands

    def readiness(self) -> tuple[Check, ...]:
        parts = self._parts
        journal = parts.journal.status()
        checks = [
            Check("journal", State.OK if journal.is_available else State.FAIL, journal.message or "writable"),
            _index_check(parts),
        ]
        if parts.front.is_draining:
            checks.append(Check("draining", State.FAIL, "the gateway is shutting down"))
        return tuple(checks)

    async def doctor(self) -> tuple[Check, ...]:
        parts = self._parts
        checks = [*self.readiness(), await self._store_check()]
        checks += [Check("config", State.WARN, str(fault)) for fault in self.config.warnings]
        checks += _observing(self.config)
        for name, known in self.config.connections.items():
            for database in known.all_databases:
                place = parts.targets.place(name, database)
                target = self.config.target(name, database, known.credential)
                checks += await _examine(parts, target, place)
        return tuple(checks)

    def metrics(self) -> bytes:
        parts = self._parts
        parts.metrics.journal_lag.set(parts.indexer.lag().bytes)
        for status in parts.targets.keeper.statuses():
            place = status.place
            parts.metrics.schema_age.labels(place.connection, place.database, place.user).set(status.age_s)
        return parts.metrics.text()

    # -- sessions

    def sessions(self) -> tuple[OpenSession, ...]:
        return tuple(
            OpenSession(
                id=s.id,
                principal=s.principal.id,
                connection=s.connection,
                database=s.database,
                client=s.client.address,
                application=s.client.application,
                started_at=s.started_at,
                expires_at=s.expires_at,
                is_tls=s.client.is_tls,
                mode=str(s.mode),
                statements=driver.statements,
            )
            for driver in sorted(self._parts.sessions, key=lambda d: d.session.started_at)
            for s in (driver.session,)
        )

    async def end_session(self, session_id: str, by: Principal) -> bool:
        driver = self._parts.sessions.get(session_id)
        if driver is None:
            return False
        driver.end(Refusal(Reason.SESSION_ENDED, f"the session was ended by {by.name}", sqlstate="57P01"))
        return True

    async def analyse(
        self,
        principal: Principal,
        connection: str,
        database: str,
        sql: str,
    ) -> tuple[Statement, ...] | Refusal:
        parts = self._parts
        try:
            snapshot = await parts.targets.keeper.get(parts.targets.place(connection, database, principal))
        except FactsUnavailable as failure:
            return failure.refusal()
        view = parts.targets.view(snapshot)
        analysis = analyse_inline(sql, view, SessionState())
        if analysis is None:
            analysis = await parts.analysis.analyse(sql, view, SessionState())
        return analysis.refusal or _statements(analysis)

    # -- the journal

    async def journal_search(self, query: JournalQuery) -> tuple[JournalEntry, ...]:
        wanted = journal_index.Search(
            person=query.person,
            connection=query.connection,
            table=query.table,
            verdict=query.verdict,
            kind=query.kind,
            session=query.session,
            since=query.since,
            until=query.until,
            text=query.text,
        )
        found = await self._run(self._search, wanted, query.limit, query.before)
        return tuple(_journal_entry(entry) for entry in found)

    async def journal_record(self, record_id: str, with_values: bool) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = await self._run(self._show, record_id, with_values)
        return found

    async def journal_head(self) -> Mapping[str, Any]:
        head: dict[str, Any] = json.loads(await self._run(self._parts.journal.export_head))
        return head

    # -- tokens

    async def create_token(self, principal: Principal, ttl_s: float, note: str, by: Principal) -> NewToken:
        identity = self._parts.identity
        issued = await self._run(identity.issue, principal, by.id, lifetime_s=ttl_s, note=note)
        if isinstance(issued, NotIssued):
            raise Unavailable(Refusal(Reason.BAD_REQUEST, issued.message))
        assert isinstance(issued, Issued)
        return NewToken(_token(issued.row), issued.token)

    async def tokens(self, principal: Principal | None) -> tuple[Token, ...]:
        rows = await self._run(self._parts.identity.list_tokens, principal)
        return tuple(_token(row) for row in rows)

    async def revoke_token(self, token_id: str, by: Principal) -> Token | None:
        row = await self._run(self._parts.identity.revoke, token_id, by.id)
        self._parts.end_lapsed()
        return _token(row) if row else None

    # -- credentials

    async def put_credential(
        self, name: str, connection: str, value: Secret, by: Principal
    ) -> StoredCredential:
        known = self.config.connections[connection]
        binding = binding_of(self.config.target(connection, known.database, known.credential))
        row = await self._run(self._parts.stored.put, name, binding, value, by.id)
        self._parts.targets.forget(connection)
        return _stored(row)

    async def credentials(self) -> tuple[StoredCredential, ...]:
        return tuple(_stored(row) for row in await self._run(self._parts.stored.list_credentials))

    async def delete_credential(self, name: str, by: Principal) -> bool:  # noqa: ARG002 - the gate recorded who
        return bool(await self._run(self._parts.stored.delete, name))

    # -- configuration

    async def reload(self, by: Principal) -> Reloaded:
        """Read the directory again; with any fault nothing changes, and both are in the journal."""
        parts = self._parts
        async with self._reloading:
            before = parts.config.now
            try:
                config = await self._run(loading.load, before.directory, None, parts.flags)
                parts.tls.reload()
            except (ConfigError, TlsFileError) as failure:
                faults = failure.faults if isinstance(failure, ConfigError) else (_tls_fault(failure),)
                parts.metrics.reloads.labels("refused").inc()
                parts.recorder.note(
                    records.ConfigLoaded(
                        is_accepted=False, faults=tuple(str(fault) for fault in faults), principal=by.id
                    )
                )
                return Reloaded(faults=faults)
            await parts.recorder.loaded(config.versions, by.id)
            parts.take(config)
            fronts.refresh(parts.front)
            parts.end_lapsed()
            parts.metrics.reloads.labels("done").inc()
            log.info("reloaded", **config.versions)
            return Reloaded(
                config.versions, warnings=config.warnings, needs_restart=_needs_restart(before, config)
            )

    # -- inside

    async def _run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """In the pool; what fails there is said in the API's own words."""
        try:
            return await self._parts.pool.run(function, *args, **kwargs)
        except StoreError as failure:
            raise Unavailable(Refusal(Reason.STORE_UNAVAILABLE, str(failure))) from failure
        except CredentialError as failure:
            raise Unavailable(Refusal(Reason.CREDENTIAL_UNAVAILABLE, str(failure))) from failure
        except CannotRecord as failure:
            raise Unavailable(Refusal(Reason.JOURNAL_UNAVAILABLE, str(failure))) from failure

    def _search(
        self, wanted: journal_index.Search, limit: int, before: str | None
    ) -> list[journal_index.Entry]:
        with self._parts.store.read() as connection:
            return journal_index.search(connection, wanted, limit=limit, before=before)

    def _show(self, record_id: str, with_values: bool) -> Mapping[str, Any] | None:
        parts = self._parts
        found = read.show(parts.journal.directory, record_id)
        if found is None:
            return None
        shown = as_mapping(read.Told(found.entry, found.outcome))
        shown["facts"] = found.facts
        shown.pop("values", None)
        if with_values:
            shown["values"] = [_value(v) for v in open_values(found.entry, parts.journal_keys.values)]
        return shown

    async def _store_check(self) -> Check:
        try:
            await self._run(self._parts.store.check)
        except Unavailable as failure:
            return Check("store", State.FAIL, failure.refusal.message)
        return Check("store", State.OK, "readable and writable")


def _statements(analysis: Analysis) -> tuple[Statement, ...]:
    """What the gate would be asked: the whole text is one statement."""
    return (analysis.statement(),)


def _index_check(parts: Parts) -> Check:
    lag = parts.indexer.lag()
    if lag.fault:
        return Check(
            "journal_index", State.WARN, lag.fault, "searches miss the newest records until it goes on"
        )
    return Check("journal_index", State.OK, f"{lag.bytes} bytes behind")


def _observing(config: Config) -> list[Check]:
    return [
        Check(
            f"connection {name}",
            State.WARN,
            f"observes until the end of {known.until} (UTC): nothing is enforced there until then",
            "set mode: enforce when the policies are ready",
        )
        for name, known in config.connections.items()
        if known.mode_on(datetime.datetime.now(datetime.UTC).date()) is Mode.OBSERVE
    ]


async def _examine(parts: Parts, target: Target, place: Place) -> list[Check]:
    name = f"{place.connection}/{place.database}"
    try:
        findings = await doctor.examine(target, lambda: parts.targets.open_queries(place))
    except (CredentialError, FactsUnavailable) as failure:
        return [Check(name, State.FAIL, str(failure))]
    checks = [Check(name, _LEVELS[found.level], found.text, found.remedy) for found in findings]
    with contextlib.suppress(FactsUnavailable):
        snapshot = await parts.targets.keeper.get(place)
        labels = parts.config.now.labels.of(place.connection, place.database)
        checks += [
            Check(
                name,
                State.WARN,
                f"labels.yaml labels {column}, which is not there",
                "correct the name: whatever it was meant for is shown",
            )
            for column in absent_columns(snapshot, labels)
        ]
    return checks


def _journal_entry(entry: journal_index.Entry) -> JournalEntry:
    return JournalEntry(**{field: getattr(entry, field) for field in JournalEntry.__dataclass_fields__})


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        principal=f"{row.kind}/{row.name}",
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        note=row.note,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _stored(row: CredentialRow) -> StoredCredential:
    return StoredCredential(row.name, row.host, row.port, row.updated_at, row.updated_by)


def _value(value: Any) -> dict[str, Any]:
    parameter = value.parameter
    if parameter.value is None:
        text = None
    elif parameter.is_binary:
        text = parameter.value.hex()
    else:
        text = parameter.value.decode("utf-8", "backslashreplace")
    return {
        "value": text,
        "is_binary": parameter.is_binary,
        "type_oid": parameter.type_oid,
        "is_cut": value.is_cut,
    }


def _tls_fault(failure: TlsFileError) -> Fault:
    return Fault("narrows.yaml", str(failure), "correct tls_certificate and tls_key")


def _needs_restart(before: Config, after: Config) -> tuple[str, ...]:
    return tuple(
        setting.name
        for setting in SETTINGS
        if not setting.is_reloadable
        and getattr(before.settings, setting.name) != getattr(after.settings, setting.name)
    )
