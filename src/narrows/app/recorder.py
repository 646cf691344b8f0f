"""What is written to the journal, and counted, by everything that happens in this process.

Laws: what must stand before something happens raises `CannotRecord`; what happened already is recorded as
well as can be, and a failure to do so is logged and counted.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from narrows.gate.ports import CannotRecord
from narrows.journal import Journal, JournalUnavailable, RecordTooLarge, compose, records
from narrows.model.alert import Alert
from narrows.model.outcome import Outcome
from narrows.model.principal import SignedIn
from narrows.model.refusal import Refusal
from narrows.model.session import Client, Session
from narrows.model.statement import Statement
from narrows.model.verdict import Verdict
from narrows.runtime.metrics import Metrics

log = structlog.get_logger(__name__)


class Recorder:
    """The gate's journal port, and the same for sign-ins, sessions and our own statements."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self.journal = journal
        self._metrics = metrics

    # -- before it happens

    async def statement(
        self, session: Session, statement: Statement, verdict: Verdict | None, refusal: Refusal | None
    ) -> str:
        record = compose.statement_record(session, statement, verdict, refusal)
        facts = verdict.request if verdict else None
        try:
            id_ = await self.journal.append_durable(record, facts=facts, parameters=statement.parameters)
        except (JournalUnavailable, RecordTooLarge) as failure:
            self._metrics.journal_failures.inc()
            raise CannotRecord(str(failure)) from failure
        for alert in compose.policy_alerts(record, id_):
            self._try(alert)
        return id_

    def alert(self, session: Session, record: str, alert: Alert) -> None:
        """Written beside a statement that is recorded already."""
        self._try(compose.alert_record(session, record, alert))

    async def own(self, connection: str, database: str, text: str, purpose: str, session: str = "") -> None:
        """A statement of ours at a target; raises `CannotRecord`."""
        record = records.OwnRecord(
            connection=connection, database=database, text=text, purpose=purpose, session=session
        )
        await self._must(record)

    async def opened(self, session: Session, target_pid: int | None) -> None:
        """A session begins; raises `CannotRecord`."""
        await self._must(compose.session_opened(session, target_pid or 0))

    async def signed_in(self, client: Client, signed: SignedIn, connection: str, database: str) -> None:
        """Somebody was let in; raises `CannotRecord`."""
        await self._must(compose.sign_in(client, signed, connection=connection, database=database))

    async def loaded(self, versions: Mapping[str, str], principal: str = "") -> None:
        """A configuration is about to hold; raises `CannotRecord`."""
        await self._must(records.ConfigLoaded(is_accepted=True, versions=versions, principal=principal))

    # -- after it happened

    def outcome(self, session: Session, outcome: Outcome, seconds: float) -> None:
        self._try(compose.outcome_record(session, outcome, seconds))

    def closed(
        self, session: Session, reason: str, at: float, statements: int, rows: int, sent_bytes: int
    ) -> None:
        self._try(
            compose.session_closed(
                session, reason, at, statements=statements, rows=rows, sent_bytes=sent_bytes
            )
        )

    def sign_in_refused(self, client: Client, refusal: Refusal, connection: str, database: str) -> None:
        self._try(compose.sign_in(client, refusal, connection=connection, database=database))

    def refused(
        self,
        client: Client,
        refusal: Refusal,
        *,
        principal: str = "",
        user: str = "",
        connection: str = "",
        database: str = "",
    ) -> None:
        """Something was refused before a session stood."""
        self._try(
            records.Refused(
                address=client.address,
                reason=refusal.reason.name,
                message=refusal.message,
                principal=principal,
                connection=connection,
                database=database,
                user=user[:128],
            )
        )

    def note(self, record: records.Record) -> None:
        """Anything else that happened."""
        self._try(record)

    # -- inside

    async def _must(self, record: records.Record) -> None:
        try:
            await self.journal.append_durable(record)
        except (JournalUnavailable, RecordTooLarge) as failure:
            self._metrics.journal_failures.inc()
            raise CannotRecord(str(failure)) from failure

    def _try(self, record: records.Record) -> None:
        try:
            self.journal.append(record)
        except (JournalUnavailable, RecordTooLarge) as failure:
            self._metrics.journal_failures.inc()
            log.error("not_recorded", kind=records.KIND_OF[type(record)], error=str(failure))
