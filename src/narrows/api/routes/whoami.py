"""/v1/whoami: the caller, and what policy lets the caller do; no more than signing in is asked for."""

from __future__ import annotations

import math

from fastapi import APIRouter

from narrows.api.calls import Call, Called, paced
from narrows.api.shapes import Rights, WhoAmI
from narrows.config import rights

router = APIRouter(prefix="/v1/whoami", tags=["callers"])


@router.get("")
async def whoami(call: Called) -> WhoAmI:
    """Principal, groups, and effective rights per connection."""
    principal, now = call.principal, call.gateway.now()
    expires_at = call.session.expires_at
    return WhoAmI(
        principal=principal.id,
        name=principal.name,
        kind=str(principal.kind),
        groups=tuple(sorted(principal.groups)),
        method=call.session.method,
        expires_at=expires_at if math.isfinite(expires_at) else None,
        operate=await paced(rights.operate_rights(call.gateway.config, principal, now)),
        connections=tuple([await _rights(call, name) for name in sorted(call.gateway.config.connections)]),
    )


async def _rights(call: Call, name: str) -> Rights:
    config = call.gateway.config
    found = await paced(rights.connection_rights(config, call.principal, name, call.gateway.now()))
    known = config.connections[name]
    return Rights(
        connection=name,
        database=known.database,
        databases=known.all_databases,
        mode=str(known.mode),
        allowed=found.allowed,
        partly=found.partly,
        rungs={label: rung.name.lower() for label, rung in found.rungs.items()},
    )
