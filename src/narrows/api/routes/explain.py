"""/v1/explain: what policy says of a statement or an action, for anybody, and why. Nothing runs."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import Field

from narrows.api.calls import Call, Called
from narrows.api.problems import Problem, not_found, problem
from narrows.api.shapes import Explained, Operated, Shape
from narrows.config import questions
from narrows.config.questions import QuestionError
from narrows.model.action import Action
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.statement import Statement
from narrows.model.verdict import MaskObligation
from narrows.policy.explain import Explanation

router = APIRouter(prefix="/v1/explain", tags=["policy"])


class Question(Shape):
    """Either `sql`, analysed on the present snapshot, or `action` and `on`."""

    connection: str = Field(default="", max_length=64)
    database: str | None = Field(default=None, max_length=64)
    principal: str | None = Field(default=None, max_length=128)
    """By default the caller."""
    sql: str | None = Field(default=None, max_length=64 * 1024)
    action: str | None = Field(default=None, max_length=64)
    on: str = Field(default="", max_length=512)
    facts: dict[str, bool | int | str] = Field(default_factory=dict, max_length=32)


@router.post("")
async def explain(call: Called, body: Question) -> tuple[Explained, ...]:
    """One answer for each statement; needs explain_policy. The SQL is not journalled, for it was not run."""
    who = body.principal or call.principal.id
    async with call.permitted(
        Action.EXPLAIN_POLICY, detail=f"principal={who!r} connection={body.connection!r}"
    ):
        if (body.sql is None) == (body.action is None):
            raise problem(Reason.BAD_REQUEST, "ask with either `sql` or `action`")
        try:
            return await _answers(call, body, who)
        except QuestionError as fault:
            raise problem(Reason.BAD_REQUEST, str(fault)) from None


async def _answers(call: Call, body: Question, who: str) -> tuple[Explained, ...]:
    config = call.gateway.config
    principal = questions.find_principal(config, who)
    database = questions.check_place(config, body.connection, body.database) if body.connection else ""
    statements: tuple[Statement, ...]
    if body.action is not None:
        statements = (
            questions.question(config, body.connection, database, body.action, body.on, body.facts),
        )
    else:
        if not body.connection:
            raise not_found("connection named; `sql` is explained on one")
        analysed = await call.gateway.analyse(principal, body.connection, database, body.sql or "")
        if isinstance(analysed, Refusal):
            raise Problem(analysed)
        statements = analysed
    now = call.gateway.now()
    async with call.explaining:
        return await asyncio.to_thread(
            lambda: tuple(
                shape(s, questions.answer(config, principal, body.connection, database, s, now))
                for s in statements
            )
        )


def shape(statement: Statement, found: Explanation) -> Explained:
    """An explanation as JSON."""
    verdict = found.verdict
    masks = [o for o in verdict.obligations if isinstance(o, MaskObligation)]
    return Explained(
        kind=statement.kind,
        text=statement.text,
        operations=tuple(
            Operated(action=op.action, resource=str(op.resource), labels=tuple(sorted(op.labels)))
            for op in statement.operations
        ),
        effect=str(verdict.effect),
        code=verdict.reason.code if verdict.reason else None,
        message=verdict.message,
        policies=verdict.policies,
        rungs={column.id: rung.name.lower() for mask in masks for column, rung in mask.rungs.items()},
        steps=tuple(str(found).splitlines()),
    )
