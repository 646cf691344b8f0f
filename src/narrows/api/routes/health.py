"""/healthz says that the process answers, /readyz that it can serve; neither asks who is there or tells details."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from narrows.api.calls import gateway_of
from narrows.api.ports import Gateway, State

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The loop turns."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(gateway: Annotated[Gateway, Depends(gateway_of)], response: Response) -> dict[str, object]:
    """200 where statements can be decided and recorded, else 503 with the names of what fails."""
    failing = sorted(check.name for check in gateway.readiness() if check.state is State.FAIL)
    if failing:
        response.status_code = 503
    return {"status": "failing" if failing else "ok", "failing": failing}
