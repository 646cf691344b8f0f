"""Errors as application/problem+json (RFC 9457), with the fields that a refusal has in every protocol."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[Reason, int] = {
    Reason.BAD_REQUEST: 422,
    Reason.NOT_FOUND: 404,
    Reason.TOO_LARGE: 413,
    Reason.CONFIG_INVALID: 409,
    Reason.BUSY: 429,
    Reason.INTERNAL: 500,
    Reason.TIMED_OUT: 504,
    **dict.fromkeys(
        (
            Reason.SIGN_IN_FAILED,
            Reason.TOKEN_EXPIRED,
            Reason.PRINCIPAL_DISABLED,
            Reason.SESSION_ENDED,
            Reason.WRONG_USER,
        ),
        401,
    ),
    **dict.fromkeys(
        (
            Reason.JOURNAL_UNAVAILABLE,
            Reason.STORE_UNAVAILABLE,
            Reason.FACTS_UNAVAILABLE,
            Reason.UPSTREAM_UNAVAILABLE,
            Reason.CREDENTIAL_UNAVAILABLE,
            Reason.DRAINING,
        ),
        503,
    ),
    **dict.fromkeys((Reason.UNKNOWN_CONNECTION, Reason.UNKNOWN_DATABASE), 404),
}
"""Reason -> HTTP status; whatever is not listed was forbidden: 403."""


class Problem(Exception):
    """A call ends here; the refusal says why and what to do."""

    def __init__(self, refusal: Refusal, status: int | None = None, **more: Any) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.status = status or _STATUS.get(refusal.reason, 403)
        self.more = more


def problem(reason: Reason, message: str, status: int | None = None, **more: Any) -> Problem:
    """A Problem that no policy made."""
    return Problem(Refusal(reason, message), status, **more)


def not_found(what: str) -> Problem:
    return problem(Reason.NOT_FOUND, f"there is no {what}")


def body_of(refusal: Refusal, status: int, more: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a problem; empty fields are left out, `retryable` never is."""
    review = {"id": refusal.review.id, "url": refusal.review.url} if refusal.review else None
    fields = {
        "type": f"urn:narrows:reason:{refusal.code}",
        "title": refusal.reason.name.replace("_", " ").capitalize(),
        "status": status,
        "detail": refusal.message,
        "code": refusal.code,
        "rule": refusal.rule,
        "message": refusal.message,
        "remedy": refusal.reason.remedy,
        "review": review,
        "budget_left": refusal.budget_left,
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None} | {
        "retryable": refusal.is_retryable
    }


def response(found: Problem) -> JSONResponse:
    """The answer for a Problem."""
    headers = {"WWW-Authenticate": 'Bearer realm="narrows"'} if found.status == 401 else {}
    return JSONResponse(
        body_of(found.refusal, found.status, found.more),
        status_code=found.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )
