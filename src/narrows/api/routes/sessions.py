"""/v1/sessions: who is on now, and the end of one."""

from __future__ import annotations

from fastapi import APIRouter

from narrows.api.calls import Called
from narrows.api.ports import OpenSession
from narrows.api.problems import not_found
from narrows.model.action import Action

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.get("")
async def list_sessions(call: Called) -> tuple[OpenSession, ...]:
    """Every open session, oldest first; needs view_status."""
    async with call.permitted(Action.VIEW_STATUS):
        return call.gateway.sessions()


@router.delete("/{session_id}")
async def end_session(call: Called, session_id: str) -> dict[str, str]:
    """End a session at both sides; needs end_session."""
    async with call.permitted(Action.END_SESSION):
        if not await call.gateway.end_session(session_id, call.principal):
            raise not_found(f"open session {session_id!r}")
        return {"ended": session_id}
