"""/v1/connections: those that the caller may open, and how a client gets there."""

from __future__ import annotations

import datetime

from fastapi import APIRouter

from narrows.api.calls import Call, Called, paced
from narrows.api.shapes import ConnectionShape
from narrows.config import rights
from narrows.model.session import Mode

router = APIRouter(prefix="/v1/connections", tags=["callers"])


@router.get("")
async def connections(call: Called) -> tuple[ConnectionShape, ...]:
    """By name; a connection that the caller may not open is not shown."""
    config, now = call.gateway.config, call.gateway.now()
    return tuple(
        [
            _shape(call, name)
            for name in sorted(config.connections)
            if await paced(rights.is_reachable(config, call.principal, name, now))
        ]
    )


def _shape(call: Call, name: str) -> ConnectionShape:
    config = call.gateway.config
    known = config.connections[name]
    mode = known.mode_on(datetime.datetime.fromtimestamp(call.gateway.now(), datetime.UTC).date())
    return ConnectionShape(
        name=name,
        description=known.description,
        protocol=known.protocol,
        database=known.database,
        databases=known.all_databases,
        mode=str(mode),
        until=known.until.isoformat() if known.until and mode is Mode.OBSERVE else None,
        host=config.settings.public_host,
        port=config.settings.clients_port,
        user=call.principal.name,
        sslmode="verify-full",
    )
