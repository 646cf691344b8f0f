"""The order of the gate: facts, evaluate, record, forward; each step's failure is a refusal."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from narrows.gate.ports import CannotRecord, Excess
from narrows.gate.settle import settle
from narrows.model.action import Action
from narrows.model.alert import Alert
from narrows.model.label import Rung
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource, ResourceKind
from narrows.model.session import Client, Mode, Session
from narrows.model.statement import Operation, Protocol, Statement
from narrows.model.verdict import Effect, MaskObligation, Settled, Verdict

ALICE = Principal(PrincipalKind.USER, "alice", frozenset({"support"}))
SESSION = Session(
    "s1", ALICE, "shop", "shop", Protocol.POSTGRES, Client("127.0.0.1", True), 0.0, "token", "t1", 1e12
)
EMAIL = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "customers", "email"))
TABLE = Resource(ResourceKind.TABLE, ("shop", "shop", "public", "customers"))
STATEMENT = Statement(
    Protocol.POSTGRES,
    "SELECT",
    "SELECT email FROM customers",
    (Operation(Action.SELECT, TABLE),),
    {EMAIL: frozenset({"email"})},
)
ALLOW = Verdict(Effect.ALLOW, obligations=(MaskObligation({EMAIL: Rung.NONE}),))
EXCESS = Excess(
    Refusal(Reason.FILTER_LIMIT, "too many", "filters_per_minute"),
    Alert("medium", "filters_per_minute", "x", 601),
)
DENY = Verdict(Effect.DENY, Reason.FORBIDDEN, "payroll is finance's", ("payroll-finance",))


@dataclass
class Steps:
    """Ports that write down who was asked in which order."""

    verdict: Verdict = ALLOW
    live_answer: Session | Refusal = SESSION
    is_full: bool = False
    order: list[str] = field(default_factory=list)
    recorded: list[tuple[Verdict | None, Refusal | None]] = field(default_factory=list)
    excess: Excess | None = None
    alerts: list[tuple[str, Alert]] = field(default_factory=list)

    @property
    def facts(self) -> Steps:
        return self

    policy = limit = journal = facts

    def live(self, session: Session) -> Session | Refusal:
        self.order.append("facts")
        return self.live_answer

    def evaluate(self, session: Session, statement: Statement) -> Verdict:
        self.order.append("evaluate")
        return self.verdict

    def take(self, session: Session, statement: Statement) -> Excess | None:
        self.order.append("limit")
        return self.excess

    def alert(self, session: Session, record: str, alert: Alert) -> None:
        self.order.append("alert")
        self.alerts.append((record, alert))

    async def statement(
        self, session: Session, statement: Statement, verdict: Verdict | None, refusal: Refusal | None
    ) -> str:
        self.order.append("record")
        if self.is_full:
            raise CannotRecord("no space left on the journal's disk")
        self.recorded.append((verdict, refusal))
        return "w:1"


async def test_facts_then_policy_then_limit_then_record() -> None:
    steps = Steps()
    settled = await settle(SESSION, STATEMENT, steps)
    assert steps.order == ["facts", "evaluate", "limit", "record"]
    assert settled.is_allowed
    assert settled.record == "w:1"
    assert settled.masks.lowest is Rung.NONE


async def test_a_denial_is_recorded_as_fully_and_names_its_rule() -> None:
    steps = Steps(verdict=DENY)
    settled = await settle(SESSION, STATEMENT, steps)
    assert settled.refusal == Refusal(Reason.FORBIDDEN, "payroll is finance's", "payroll-finance")
    assert steps.order == ["facts", "evaluate", "record"]  # what is denied uses up no limit
    assert steps.recorded == [(DENY, settled.refusal)]


async def test_what_exceeds_the_limit_is_recorded_and_alerted_and_not_forwarded() -> None:
    steps = Steps(excess=EXCESS)
    settled = await settle(SESSION, STATEMENT, steps)
    assert settled.refusal is EXCESS.refusal
    assert steps.order == ["facts", "evaluate", "limit", "record", "alert"]
    assert steps.recorded == [(ALLOW, EXCESS.refusal)]
    assert steps.alerts == [("w:1", EXCESS.alert)]


async def test_without_a_record_there_is_no_alert() -> None:
    steps = Steps(excess=EXCESS, is_full=True)
    settled = await settle(SESSION, STATEMENT, steps)
    assert settled.refusal is not None
    assert settled.refusal.reason is Reason.JOURNAL_UNAVAILABLE
    assert steps.alerts == []


async def test_observe_records_what_the_limit_would_have_refused() -> None:
    session = replace(SESSION, mode=Mode.OBSERVE)
    steps = Steps(excess=EXCESS, live_answer=session)
    settled = await settle(session, STATEMENT, steps)
    assert settled.is_allowed
    verdict, refusal = steps.recorded[0]
    assert verdict is not None
    assert (verdict.effect, verdict.reason, verdict.is_observed) == (Effect.DENY, Reason.FILTER_LIMIT, True)
    assert refusal is None
    assert steps.alerts


async def test_a_session_that_ended_asks_no_policy_but_is_recorded() -> None:
    ended = Refusal(Reason.SESSION_ENDED, "the token was revoked")
    steps = Steps(live_answer=ended)
    settled = await settle(SESSION, STATEMENT, steps)
    assert settled.refusal is ended
    assert steps.order == ["facts", "record"]


async def test_what_analysis_refused_is_not_asked_but_is_recorded() -> None:
    refused = Refusal(Reason.UNPARSABLE, "syntax error")
    steps = Steps()
    settled = await settle(SESSION, replace(STATEMENT, refusal=refused), steps)
    assert settled.refusal is refused
    assert steps.order == ["facts", "record"]


async def test_what_cannot_be_recorded_does_not_run() -> None:
    settled = await settle(SESSION, STATEMENT, Steps(is_full=True))
    assert settled.refusal is not None
    assert settled.refusal.reason is Reason.JOURNAL_UNAVAILABLE
    assert "no space left" in settled.refusal.message


async def test_a_part_that_breaks_its_promise_does_not_open_the_gate() -> None:
    class Broken(Steps):
        def evaluate(self, session: Session, statement: Statement) -> Verdict:
            raise ZeroDivisionError("secret-value")

    steps = Broken()
    settled = await settle(SESSION, STATEMENT, steps)
    assert settled.refusal is not None
    assert settled.refusal.reason is Reason.INTERNAL
    assert "secret-value" not in settled.refusal.message
    assert steps.order == ["facts", "record"]


async def test_observe_records_the_deny_and_enforces_nothing() -> None:
    session = replace(SESSION, mode=Mode.OBSERVE)
    steps = Steps(verdict=DENY, live_answer=session)
    settled = await settle(session, STATEMENT, steps)
    assert settled.is_allowed
    assert settled.masks.rungs == {EMAIL: Rung.RAW}
    verdict, _ = steps.recorded[0]
    assert verdict is not None
    assert (verdict.effect, verdict.is_observed) == (Effect.DENY, True)


def test_nobody_else_can_make_a_settled() -> None:
    with pytest.raises(TypeError):
        Settled("w:1", ALLOW, None)


def test_only_the_gate_mints() -> None:
    """`mint` is imported by gate.settle alone: the permit cannot be made by a shortcut."""
    source = Path(__file__).parents[2] / "src" / "narrows"
    users = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "narrows.model.verdict"
        and "mint" in [alias.name for alias in node.names]
    }
    assert users == {"gate/settle.py"}
