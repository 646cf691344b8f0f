"""/v1/reload: read the directory again; open sessions stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from narrows.api.calls import Called
from narrows.api.problems import problem
from narrows.config.faults import Fault
from narrows.model.action import Action
from narrows.model.reason import Reason

router = APIRouter(prefix="/v1/reload", tags=["configuration"])


@router.post("")
async def reload(call: Called) -> Mapping[str, Any]:
    """Take the directory as it is now, or answer its faults and change nothing; needs reload."""
    async with call.permitted(Action.RELOAD):
        done = await call.gateway.reload(call.principal)
        if done.faults:
            message = f"{len(done.faults)} faults in the configuration; nothing changed"
            raise problem(Reason.CONFIG_INVALID, message, faults=[described(f) for f in done.faults[:200]])
        return {
            "versions": done.versions,
            "warnings": [described(fault) for fault in done.warnings],
            "needs_restart": done.needs_restart,
        }


def described(fault: Fault) -> dict[str, object]:
    """A fault as JSON."""
    return {
        "file": fault.file,
        "line": fault.line,
        "path": fault.path,
        "message": fault.message,
        "remedy": fault.remedy,
    }
