"""The FastAPI application: every route file in one list, and what holds for all of them.

Laws: a request body is bounded before anybody parses it; every answer forbids caching; every error is a
problem document; a failure shows its type to the log and nothing to the caller.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from narrows import __version__
from narrows.api import problems
from narrows.api.calls import gateway_of
from narrows.api.ports import Gateway, Unavailable
from narrows.api.problems import Problem, problem
from narrows.api.routes import (
    connections,
    credentials,
    doctor,
    explain,
    health,
    journal,
    metrics,
    reload,
    sessions,
    tokens,
    whoami,
)
from narrows.model.reason import Reason

ROUTES = (
    health,
    metrics,
    whoami,
    connections,
    sessions,
    journal,
    tokens,
    credentials,
    reload,
    explain,
    doctor,
)
"""Every noun of the API, in the order of the reference."""

_log = structlog.get_logger("narrows.api")

_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def build(gateway: Gateway) -> FastAPI:
    """The application that serves one gateway."""
    app = FastAPI(
        title="narrows control API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.gateway = gateway
    app.state.explaining = asyncio.Lock()
    for route in ROUTES:
        app.include_router(route.router)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)
    app.add_middleware(_Bounds, gateway=gateway)
    return app


class _Bounds:
    """Bodies no larger than the setting says, and the headers that every answer bears."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._gateway.config.settings.control_body_limit_bytes
        left = limit

        async def receive_bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise problem(Reason.TOO_LARGE, f"the request body is larger than {limit} bytes", 413)
            return message

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        if _declared_length(scope) > limit:
            refused = problem(Reason.TOO_LARGE, f"the request body is larger than {limit} bytes", 413)
            await problems.response(refused)(scope, receive, send_marked)
            return
        await self._app(scope, receive_bounded, send_marked)


def _declared_length(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problems.response(error)


async def _on_unavailable(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unavailable)
    return problems.response(Problem(error.refusal))


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Without the input: a credential's value must not come back in an error.
    faults = [{"path": ".".join(map(str, f["loc"])), "message": str(f["msg"])} for f in error.errors()[:20]]
    first = f"{faults[0]['path']}: {faults[0]['message']}" if faults else "the request is not understood"
    return problems.response(problem(Reason.BAD_REQUEST, first, faults=faults))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Problem):
        return problems.response(error.__cause__)
    reason = Reason.NOT_FOUND if error.status_code in (404, 405) else Reason.BAD_REQUEST
    message = f"{request.method} {request.url.path}: {error.detail}"[:500]
    return problems.response(problem(reason, message, error.status_code))


async def _on_failure(request: Request, error: Exception) -> JSONResponse:
    _log.error(
        "control_call_failed",
        method=request.method,
        path=request.url.path,
        error=type(error).__name__,
        exc_info=error,
    )
    return problems.response(problem(Reason.INTERNAL, "the gateway failed on this call; its log says why"))


def described(gateway: Gateway) -> dict[str, Any]:
    """The OpenAPI document."""
    return build(gateway).openapi()


__all__ = ["ROUTES", "build", "described", "gateway_of"]
