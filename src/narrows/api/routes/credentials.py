"""/v1/credentials: a target's password goes in here and never comes out."""

from __future__ import annotations

import re

from fastapi import APIRouter
from pydantic import Field, SecretStr

from narrows.api.calls import Called
from narrows.api.ports import StoredCredential
from narrows.api.problems import not_found, problem
from narrows.api.shapes import Shape
from narrows.model.action import Action
from narrows.model.reason import Reason
from narrows.model.secret import Secret

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class CredentialRequest(Shape):
    """The value, and the connection whose host, port and CA it is bound to."""

    connection: str = Field(max_length=64)
    value: SecretStr = Field(min_length=1, max_length=8192)


@router.get("")
async def list_credentials(call: Called) -> tuple[StoredCredential, ...]:
    """Names and the targets they are bound to; needs manage_credentials."""
    async with call.permitted(Action.MANAGE_CREDENTIALS):
        return await call.gateway.credentials()


@router.put("/{name}")
async def put(call: Called, name: str, body: CredentialRequest) -> StoredCredential:
    """Keep a password under a name, for `store:NAME`; needs manage_credentials."""
    async with call.permitted(Action.MANAGE_CREDENTIALS, detail=f"connection={body.connection!r}"):
        if not _NAME.match(name):
            raise problem(Reason.BAD_REQUEST, "a credential's name has letters, digits and . _ - only")
        if body.connection not in call.gateway.config.connections:
            raise not_found(f"connection {body.connection!r}")
        value = Secret(body.value.get_secret_value())
        return await call.gateway.put_credential(name, body.connection, value, call.principal)


@router.delete("/{name}")
async def delete(call: Called, name: str) -> dict[str, str]:
    """Forget a password; needs manage_credentials."""
    async with call.permitted(Action.MANAGE_CREDENTIALS):
        if not await call.gateway.delete_credential(name, call.principal):
            raise not_found(f"credential {name!r}")
        return {"deleted": name}
