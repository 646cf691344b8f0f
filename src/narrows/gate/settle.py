"""Settle a statement: facts, evaluate, limit, record, and only then may anything be forwarded.

The order is the security of narrows, so it stands here and nowhere else:

1. **facts**: a session whose token was revoked, or whose principal is disabled, decides nothing.
2. **evaluate**: what analysis already refused is not asked; policy answers the rest.
3. **limit**: counted once for each statement that policy allows; after policy, so that what is denied uses up nobody's
   limit, and before the record, so that the record says what became of the statement.
4. **record**: denied statements as fully as allowed ones. If that fails, the answer is no.
5. only now a `Settled` exists, which the relay needs to forward.

Reviews will wait between 2 and 3, and then take facts and verdict again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from narrows.gate.ports import CannotRecord, Excess, Ports
from narrows.model.alert import Alert
from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Mode, Session
from narrows.model.statement import Statement
from narrows.model.verdict import Effect, MaskObligation, Settled, Verdict, mint


async def settle(session: Session, statement: Statement, ports: Ports) -> Settled:
    """The verdict on a statement, recorded: what the relay may act upon."""
    try:
        decided = _decide(session, statement, ports)
    except Exception as failure:  # a part that breaks its promise must not open the gate
        refusal = Refusal(Reason.INTERNAL, f"the gate failed: {type(failure).__name__}")
        decided = _Decided(None, refusal)
    try:
        record = await ports.journal.statement(session, statement, decided.verdict, decided.refusal)
    except CannotRecord as failure:
        return mint("", decided.verdict, Refusal(Reason.JOURNAL_UNAVAILABLE, str(failure)))
    if decided.alert is not None:
        ports.journal.alert(session, record, decided.alert)
    return mint(record, decided.verdict, decided.refusal)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What is recorded and then acted upon."""

    verdict: Verdict | None
    refusal: Refusal | None
    alert: Alert | None = None


def _decide(session: Session, statement: Statement, ports: Ports) -> _Decided:
    live = ports.facts.live(session)
    if isinstance(live, Refusal):
        return _Decided(None, live)
    if statement.refusal is not None:
        return _Decided(None, statement.refusal)
    verdict = ports.policy.evaluate(live, statement)
    excess = ports.limit.take(live, statement) if verdict.effect is Effect.ALLOW else None
    alert = excess.alert if excess else None
    if live.mode is Mode.OBSERVE:
        return _Decided(observed(_limited(verdict, excess), statement), None, alert)
    return _Decided(verdict, excess.refusal if excess else refusal_of(verdict), alert)


def _limited(verdict: Verdict, excess: Excess | None) -> Verdict:
    """The verdict as it would have been enforced."""
    if excess is None:
        return verdict
    refusal = excess.refusal
    return replace(verdict, effect=Effect.DENY, reason=refusal.reason, message=refusal.message)


def refusal_of(verdict: Verdict) -> Refusal | None:
    """What the caller is told, or None where the verdict is an allow whose obligations we know."""
    if verdict.effect is Effect.ALLOW:
        return None
    reason = verdict.reason or Reason.NOT_PERMITTED
    rule = verdict.policies[0] if verdict.policies else None
    return Refusal(reason, verdict.message or reason.remedy, rule)


def observed(verdict: Verdict, statement: Statement) -> Verdict:
    """The same verdict for the journal, with nothing enforced: what `mode: observe` asks for."""
    raw = MaskObligation(dict.fromkeys(statement.disclosures, Rung.RAW))
    others = tuple(o for o in verdict.obligations if not isinstance(o, MaskObligation))
    return replace(verdict, is_observed=True, obligations=(raw, *others))
