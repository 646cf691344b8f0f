"""/v1/doctor: a thorough look at everything the gateway depends on."""

from __future__ import annotations

from fastapi import APIRouter

from narrows.api.calls import Called
from narrows.api.ports import Check
from narrows.model.action import Action

router = APIRouter(prefix="/v1/doctor", tags=["health"])


@router.get("")
async def doctor(call: Called) -> tuple[Check, ...]:
    """What is well, what is not and what to do; needs view_status."""
    async with call.permitted(Action.VIEW_STATUS):
        return await call.gateway.doctor()
