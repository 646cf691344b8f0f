"""/metrics: the Prometheus text, for view_status, or for everybody where `metrics_public` says so."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from narrows.api.calls import call_of, gateway_of
from narrows.model.action import Action

router = APIRouter(tags=["health"])

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters, gauges and histograms; none bears a person's name or a statement."""
    gateway = gateway_of(request)
    if not gateway.config.settings.metrics_public:
        call = await call_of(request)
        async with call.permitted(Action.VIEW_STATUS):
            return Response(gateway.metrics(), media_type=CONTENT_TYPE)
    return Response(gateway.metrics(), media_type=CONTENT_TYPE)
