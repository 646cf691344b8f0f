"""Settle a statement: facts, evaluate, record, and only then may anything be forwarded.

The order is the security of narrows, so it stands here and nowhere else:

1. **facts**: a session whose token was revoked, or whose principal is disabled, decides nothing.
2. **evaluate**: what analysis already refused is not asked; policy answers the rest.
3. **record**: denied statements as fully as allowed ones. If that fails, the answer is no.
4. only now a `Settled` exists, which the relay needs to forward.

Reviews will wait between 2 and 3, and then take facts and verdict again.
"""

from __future__ import annotations

from dataclasses import replace

from narrows.gate.ports import CannotRecord, Ports
from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.session import Mode, Session
from narrows.model.statement import Statement
from narrows.model.verdict import Effect, MaskObligation, Settled, Verdict, mint


async def settle(session: Session, statement: Statement, ports: Ports) -> Settled:
    """The verdict on a statement, recorded: what the relay may act upon."""
    try:
        verdict, refusal = _decide(session, statement, ports)
    except Exception as failure:  # a part that breaks its promise must not open the gate
        verdict, refusal = None, Refusal(Reason.INTERNAL, f"the gate failed: {type(failure).__name__}")
    try:
        record = await ports.journal.statement(session, statement, verdict, refusal)
    except CannotRecord as failure:
        return mint("", verdict, Refusal(Reason.JOURNAL_UNAVAILABLE, str(failure)))
    return mint(record, verdict, refusal)


def _decide(session: Session, statement: Statement, ports: Ports) -> tuple[Verdict | None, Refusal | None]:
    live = ports.facts.live(session)
    if isinstance(live, Refusal):
        return None, live
    if statement.refusal is not None:
        return None, statement.refusal
    verdict = ports.policy.evaluate(live, statement)
    if live.mode is Mode.OBSERVE:
        return observed(verdict, statement), None
    return verdict, refusal_of(verdict)


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
