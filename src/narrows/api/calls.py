"""The one way from a request into the gateway: who calls, may they, and the record of it.

Laws: the Unix socket's peer is the operator only if the kernel says that it is this process's user or root;
everybody else presents a Bearer token. `Call.permitted` settles first, and only inside it is the gateway
shown or changed. The text that is journalled is made here from names, never from a body.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from narrows.api.ports import SOCKET_METHOD, Gateway, Unavailable
from narrows.api.problems import Problem, problem
from narrows.config.loaded import operator
from narrows.config.rights import Steps
from narrows.model.action import Action
from narrows.model.principal import Principal, SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import GATEWAY
from narrows.model.secret import Secret
from narrows.model.session import Client, Session
from narrows.model.statement import Operation, Protocol, Statement

_TOKEN_LIMIT = 8192

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the Unix socket, as the kernel says (SO_PEERCRED)."""

    uid: int
    pid: int

    @property
    def is_operator(self) -> bool:
        return self.uid in (0, os.getuid())


@dataclass(frozen=True, slots=True)
class Permit:
    """A settled and recorded call; what it allows happens while it is held."""

    record: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request by somebody known."""

    gateway: Gateway
    session: Session
    line: str
    """Method and path, such as `POST /v1/tokens`."""
    explaining: asyncio.Lock
    """Explanations take time: one at once."""

    @property
    def principal(self) -> Principal:
        return self.session.principal

    @asynccontextmanager
    async def permitted(self, *actions: Action, detail: str = "") -> AsyncIterator[Permit]:
        """Settle this call for these actions on the gateway; a Problem where it is refused."""
        settled = await self.gateway.settle(self.session, self._statement(actions, detail))
        if settled.refusal is not None:
            raise Problem(settled.refusal)
        try:
            yield Permit(settled.record)
        except Problem as found:
            await self.gateway.finished(self.session, settled.record, "error", found.refusal.message)
            raise
        except Unavailable as found:
            await self.gateway.finished(self.session, settled.record, "error", found.refusal.message)
            raise Problem(found.refusal) from found
        except BaseException as failure:
            await self.gateway.finished(self.session, settled.record, "error", type(failure).__name__)
            raise
        await self.gateway.finished(self.session, settled.record, "done")

    def _statement(self, actions: tuple[Action, ...], detail: str) -> Statement:
        return Statement(
            protocol=Protocol.CONTROL,
            kind="control",
            text=f"{self.line} {detail}".rstrip(),
            operations=tuple(Operation(action, GATEWAY) for action in actions),
        )


async def paced(steps: Steps[T]) -> T:
    """An answer that takes many questions, with a turn of the loop after each."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: T = end.value
            return answer
        await asyncio.sleep(0)


def gateway_of(request: Request) -> Gateway:
    """The gateway that this application serves."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def call_of(request: Request) -> Call:
    """The call with its caller, or a Problem: nobody gets further unknown."""
    gateway = gateway_of(request)
    client = _client(request)
    signed_in = await _signed_in(request, gateway, client)
    if isinstance(signed_in, Refusal):
        raise Problem(signed_in)
    session = Session(
        id=f"ctl-{secrets.token_hex(8)}",
        principal=signed_in.principal,
        connection="",
        database="",
        protocol=Protocol.CONTROL,
        client=client,
        started_at=gateway.now(),
        method=signed_in.method,
        token_id=signed_in.token_id,
        expires_at=signed_in.expires_at,
    )
    return Call(gateway, session, f"{request.method} {request.url.path}", request.app.state.explaining)


async def _signed_in(request: Request, gateway: Gateway, client: Client) -> SignedIn | Refusal:
    token = _bearer(request)
    peer: Peer | None = getattr(request.state, "peer", None)
    if token is not None:
        return await gateway.sign_in(token, client)
    if peer is None:
        return Refusal(Reason.SIGN_IN_FAILED, "no token was presented; sign in with `narrows login`")
    if not peer.is_operator:
        return Refusal(Reason.SIGN_IN_FAILED, "this socket is for the gateway's own user; present a token")
    return SignedIn(operator(), SOCKET_METHOD, f"uid:{peer.uid}", math.inf)


def _bearer(request: Request) -> Secret | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    value = value.strip()
    if not scheme:
        return None
    if scheme.lower() != "bearer" or not value or len(value) > _TOKEN_LIMIT:
        raise problem(Reason.SIGN_IN_FAILED, "write the token as: Authorization: Bearer TOKEN")
    return Secret(value)


def _client(request: Request) -> Client:
    peer: Peer | None = getattr(request.state, "peer", None)
    address = f"unix:uid={peer.uid}" if peer else (request.client.host if request.client else "")
    is_tls = request.url.scheme == "https" or peer is not None
    return Client(address=address, is_tls=is_tls, application=request.headers.get("user-agent", "")[:128])


Called = Annotated[Call, Depends(call_of)]
"""The parameter that makes a route one for known callers."""
