"""From the words of the model to records: the one place that says what of a statement is journalled.

It stands before every forward, so what is the same from statement to statement is worked out once:
verdicts and analyses are cached by their makers and come again as the same objects.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

from narrows.journal.records import (
    Alert,
    OperationEntry,
    OutcomeRecord,
    SessionClosed,
    SessionOpened,
    SignIn,
    StatementRecord,
)
from narrows.model import alert as words
from narrows.model.outcome import Outcome
from narrows.model.principal import SignedIn
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource
from narrows.model.session import Client, Session
from narrows.model.statement import Operation, Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict

_RENDERED = 2048


class _Operations:
    """Rendered operations by the identity of their tuple; bounded."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[tuple[Operation, ...], tuple[OperationEntry, ...]]] = OrderedDict()

    def render(self, operations: tuple[Operation, ...]) -> tuple[OperationEntry, ...]:
        seen = self._seen.get(id(operations))
        if seen is not None:
            return seen[1]
        rendered = tuple(_operation(operation) for operation in operations)
        self._seen[id(operations)] = (operations, rendered)
        if len(self._seen) > _RENDERED:
            self._seen.popitem(last=False)
        return rendered


_operations = _Operations()


def statement_record(
    session: Session,
    statement: Statement,
    verdict: Verdict | None,
    refusal: Refusal | None = None,
    *,
    hold: int = 0,
) -> StatementRecord:
    """The record of a statement as it was settled; without a verdict it was refused before policy was asked.

    The request and the bind values go beside it: `journal.append(record, facts=verdict.request,
    parameters=statement.parameters)`.
    """
    refusal = refusal or statement.refusal
    reason = refusal.reason if refusal else verdict.reason if verdict else None
    is_observed = verdict is not None and verdict.is_observed
    return StatementRecord(
        session=session.id,
        principal=session.principal.id,
        groups=_sorted(session.principal.groups),
        task=session.task,
        connection=session.connection,
        database=session.database,
        protocol=statement.protocol,
        statement=statement.kind,
        text=statement.text,
        operations=_operations.render(statement.operations),
        effect=_effect(verdict, refusal, is_observed),
        is_observed=is_observed,
        reason=reason.name if reason else "",
        message=refusal.message if refusal else verdict.message if verdict else "",
        policies=verdict.policies if verdict else (),
        rungs=_rungs(verdict) if verdict else {},
        alerts=verdict.alerts if verdict else (),
        versions={**statement.versions, **verdict.versions} if verdict else statement.versions,
        hold=hold,
    )


def policy_alerts(record: StatementRecord, id_: str) -> tuple[Alert, ...]:
    """One alert for each `@alert` policy that the statement of that record has satisfied."""
    return tuple(
        Alert(
            severity=severity,
            message=f"policy {policy} was satisfied by {record.principal}",
            rule=policy,
            policy=policy,
            principal=record.principal,
            connection=record.connection,
            database=record.database,
            record=id_,
            session=record.session,
        )
        for policy, severity in record.alerts
    )


def alert_record(session: Session, record: str, alert: words.Alert) -> Alert:
    """What the gateway itself noticed while it settled the statement of that record."""
    return Alert(
        severity=alert.severity,
        message=alert.message,
        rule=alert.rule,
        principal=session.principal.id,
        connection=session.connection,
        database=session.database,
        count=alert.count,
        record=record,
        session=session.id,
    )


def outcome_record(session: Session, outcome: Outcome, seconds: float) -> OutcomeRecord:
    return OutcomeRecord(
        record=outcome.record,
        session=session.id,
        status=outcome.status,
        rows=outcome.rows,
        bytes=outcome.bytes,
        masked=outcome.masked,
        sqlstate=outcome.sqlstate or "",
        command=outcome.tag or "",
        seconds=round(seconds, 6),
    )


def session_opened(session: Session, target_pid: int = 0) -> SessionOpened:
    return SessionOpened(
        session=session.id,
        principal=session.principal.id,
        connection=session.connection,
        database=session.database,
        address=session.client.address,
        protocol=session.protocol,
        groups=_sorted(session.principal.groups),
        task=session.task,
        method=session.method,
        token_id=session.token_id,
        expires_at=session.expires_at,
        is_tls=session.client.is_tls,
        application=session.client.application,
        mode=session.mode,
        target_pid=target_pid,
    )


def session_closed(
    session: Session, reason: str, at: float, *, statements: int = 0, rows: int = 0, sent_bytes: int = 0
) -> SessionClosed:
    return SessionClosed(
        session=session.id,
        reason=reason,
        statements=statements,
        rows=rows,
        bytes=sent_bytes,
        seconds=round(max(0.0, at - session.started_at), 3),
    )


def sign_in(
    client: Client, result: SignedIn | Refusal, *, connection: str = "", database: str = ""
) -> SignIn:
    """A sign-in, accepted or refused."""
    if isinstance(result, Refusal):
        return SignIn(
            address=client.address,
            is_accepted=False,
            connection=connection,
            database=database,
            reason=result.reason.name,
            message=result.message,
            is_tls=client.is_tls,
            application=client.application,
        )
    return SignIn(
        address=client.address,
        is_accepted=True,
        principal=result.principal.id,
        method=result.method,
        token_id=result.token_id,
        connection=connection,
        database=database,
        is_tls=client.is_tls,
        application=client.application,
    )


def _effect(verdict: Verdict | None, refusal: Refusal | None, is_observed: bool) -> str:
    """What policy said; what was refused by anything else is a deny whatever policy said."""
    if verdict is None or (refusal is not None and not is_observed and verdict.effect is Effect.ALLOW):
        return Effect.DENY.value
    return verdict.effect.value


def _operation(operation: Operation) -> OperationEntry:
    return OperationEntry(
        action=operation.action.value,
        resource=str(operation.resource),
        labels=_sorted(operation.labels),
        facts={name: _fact(value) for name, value in operation.facts.items()},
    )


def _fact(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _rungs(verdict: Verdict) -> dict[str, str]:
    return {
        _id_of(resource): rung.name.lower()
        for obligation in verdict.obligations
        if isinstance(obligation, MaskObligation)
        for resource, rung in obligation.rungs.items()
    }


@lru_cache(maxsize=4096)
def _id_of(resource: Resource) -> str:
    return resource.id


@lru_cache(maxsize=4096)
def _sorted(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
