"""A refusal as PostgreSQL says it, and the statement that makes the target fail where it must.

Law: the same fields everywhere: code, rule, message, whether trying again can help, the review, the budget.
"""

from __future__ import annotations

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.wire.postgres import backend, frontend

FAILING_TEXT = "narrows refused"
"""Not SQL: it fails in the target's parser, also in an aborted block, and takes no snapshot."""

RESERVED = "narrows reserved"
"""Name of statements of our own; a client's may not begin so. An unnamed one would replace the client's."""

FAILING_QUERY = frontend.build(frontend.Query(FAILING_TEXT))
FAILING_PARSE = frontend.build(frontend.Parse(RESERVED, FAILING_TEXT))
FLUSH = frontend.build(frontend.Flush())
PURPOSE = "make the target's transaction fail as the refused statement would have"


def sqlstate_of(refusal: Refusal) -> str:
    return refusal.sqlstate or refusal.code


def build_error(refusal: Refusal, severity: str = "ERROR") -> bytes:
    """The ErrorResponse of a refusal."""
    fields = {"S": severity, "V": severity, "C": sqlstate_of(refusal), "M": refusal.message}
    fields["D"] = _detail(refusal)
    if refusal.reason.remedy != refusal.message:
        fields["H"] = refusal.reason.remedy
    if refusal.position is not None:
        fields["P"] = str(refusal.position)
    return backend.build(backend.ErrorResponse(fields))


def _detail(refusal: Refusal) -> str:
    parts = [f"code: {refusal.code}"]
    if refusal.rule:
        parts.append(f"rule: {refusal.rule}")
    parts.append(f"retryable: {'yes' if refusal.is_retryable else 'no'}")
    if refusal.review:
        parts.append(f"review: {refusal.review.id} {refusal.review.url}")
    if refusal.budget_left is not None:
        parts.append(f"budget_left: {refusal.budget_left}")
    return "; ".join(parts)


def cancelled() -> Refusal:
    """What the caller's own CancelRequest makes of a statement that waited at the gate."""
    return Refusal(Reason.TIMED_OUT, "canceling statement due to user request", sqlstate="57014")


def unsupported(what: str, sqlstate: str | None = None) -> Refusal:
    return Refusal(Reason.UNSUPPORTED, what, sqlstate=sqlstate)
