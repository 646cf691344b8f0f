"""/v1/tokens: make one for a declared user or service, list, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from narrows.api.calls import Call, Called
from narrows.api.ports import Token
from narrows.api.problems import not_found, problem
from narrows.api.shapes import Shape
from narrows.config.models import OPERATOR
from narrows.model.action import Action
from narrows.model.principal import Principal
from narrows.model.reason import Reason

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])


class TokenRequest(Shape):
    """For whom, how long, what for."""

    principal: str = Field(max_length=128)
    ttl_s: float | None = Field(default=None, gt=0)
    note: str = Field(default="", max_length=200)


class TokenMade(Shape):
    """The one answer that shows the secret."""

    token: Token
    secret: str


@router.post("", status_code=201)
async def create(call: Called, body: TokenRequest) -> TokenMade:
    """Make a token; needs manage_tokens. The secret is shown in this answer and nowhere again."""
    detail = f"principal={body.principal!r} ttl_s={body.ttl_s or 'default'}"
    async with call.permitted(Action.MANAGE_TOKENS, detail=detail):
        principal = _declared(call, body.principal)
        ttl_s = _ttl(call, body.ttl_s)
        made = await call.gateway.create_token(principal, ttl_s, body.note, call.principal)
        return TokenMade(token=made.token, secret=made.secret.reveal())


@router.get("")
async def list_tokens(
    call: Called, principal: Annotated[str | None, Query(max_length=128)] = None
) -> tuple[Token, ...]:
    """Tokens of one principal or of all, newest first; needs manage_tokens."""
    detail = f"principal={principal!r}" if principal else ""
    async with call.permitted(Action.MANAGE_TOKENS, detail=detail):
        return await call.gateway.tokens(_declared(call, principal) if principal else None)


@router.delete("/{token_id}")
async def revoke(call: Called, token_id: str) -> Token:
    """Revoke a token and end the sessions opened with it; needs manage_tokens."""
    async with call.permitted(Action.MANAGE_TOKENS):
        revoked = await call.gateway.revoke_token(token_id, call.principal)
        if revoked is None:
            raise not_found(f"token {token_id!r}")
        return revoked


def _declared(call: Call, name: str) -> Principal:
    short = name.removeprefix("User/").removeprefix("Service/")
    principal = call.gateway.config.principal(short)
    if principal is None or short == OPERATOR or (short != name and principal.id != name):
        raise not_found(f"user or service {name!r} in narrows.yaml")
    return principal


def _ttl(call: Call, asked: float | None) -> float:
    settings = call.gateway.config.settings
    if asked is None:
        return settings.token_ttl_s
    if asked > settings.token_ttl_limit_s:
        raise problem(
            Reason.BAD_REQUEST,
            f"ttl_s: a token holds at most {settings.token_ttl_limit_s:g} s (token_ttl_limit_s)",
        )
    return asked
