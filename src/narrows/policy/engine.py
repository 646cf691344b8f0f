"""One question in, one Verdict out, remembered where nothing in it depends on the time.

Laws: the key of the memory holds everything that the request is built from; a reload brings a new
`PolicySet` and with it an empty memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.model.session import Session
from narrows.model.verdict import Effect, MaskObligation, Verdict
from narrows.policy import request
from narrows.policy.decide import Decision, cannot_ask, decide
from narrows.policy.load import load
from narrows.policy.policyset import PolicySet
from narrows.policy.request import Json, Query

__all__ = ["PolicySet", "Query", "evaluate", "load", "reevaluate"]

_REMEMBERED_PARTS = 256
"""A statement with more operations and disclosures is decided each time: its key would cost memory for little."""


def evaluate(policies: PolicySet, query: Query, now: float) -> Verdict:
    """The verdict on a statement; it never raises. `now` is in seconds since the epoch."""
    refusal = query.statement.refusal
    if refusal is not None:
        return Verdict(Effect.DENY, refusal.reason, refusal.message, versions=_versions(policies, query))
    key = None if policies.uses_time or _parts(query) > _REMEMBERED_PARTS else _key(query)
    if key is None:
        return _evaluate(policies, query, now)
    known = policies.verdicts.get(key)
    if known is None:
        known = _evaluate(policies, query, now)
        policies.verdicts.put(key, known)
    return known


def _parts(query: Query) -> int:
    return len(query.statement.operations) + len(query.statement.disclosures)


def reevaluate(policies: PolicySet, recorded: Json, now: float) -> Decision:
    """What these policies say to a request out of the journal (`Verdict.request`) at that moment."""
    if recorded.get("shape") != request.SHAPE:
        return cannot_ask("recorded in another form")
    return decide(policies, recorded, now)


def _evaluate(policies: PolicySet, query: Query, now: float) -> Verdict:
    try:
        built = request.build(query)
    except request.RequestError as failure:
        return verdict_of(cannot_ask(str(failure)), policies, query)
    return verdict_of(decide(policies, built, now), policies, query, built, now)


def verdict_of(
    decision: Decision, policies: PolicySet, query: Query, built: Json | None = None, now: float = 0.0
) -> Verdict:
    """A decision told about its statement; `built` is the request that it answers."""
    rungs = {column: decision.rungs[column.id] for column in query.statement.disclosures if decision.rungs}
    moment = {"now": now} if policies.uses_time else {}
    return Verdict(
        effect=decision.effect,
        reason=decision.reason,
        message=decision.message,
        policies=decision.policies,
        obligations=(MaskObligation(rungs),) if rungs else (),
        alerts=decision.alerts,
        request={**built, **moment} if built else {},
        versions=_versions(policies, query),
    )


def _versions(policies: PolicySet, query: Query) -> Mapping[str, str]:
    labels = {"labels": query.labels.version} if query.labels is not None else {}
    return {**query.statement.versions, **labels, "policy": policies.version}


def _key(query: Query) -> object | None:
    """Everything that `request.build` and `_versions` read, in hashable form; None where a fact has none."""
    statement, session = query.statement, query.session
    key = (
        query.principal,
        _session_key(session) if session else None,
        statement.kind,
        tuple([(one.action, one.resource, one.labels, *one.facts.items()) for one in statement.operations]),
        tuple(statement.disclosures.items()),
        tuple(statement.facts.items()),
        tuple(statement.versions.items()),
        None if query.labels is None else query.labels.version,
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _session_key(session: Session) -> tuple[object, ...]:
    client = session.client
    return (
        session.connection,
        session.database,
        client.address,
        client.is_tls,
        client.application,
        session.method,
        session.mode,
        session.protocol,
        bool(session.task),
    )
