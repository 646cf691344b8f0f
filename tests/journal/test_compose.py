"""What of a statement, a session and a sign-in is journalled."""

from __future__ import annotations

from dataclasses import replace

from narrows.journal import compose
from narrows.journal.records import OperationEntry
from narrows.model.action import Action
from narrows.model.alert import Alert
from narrows.model.label import Rung
from narrows.model.outcome import Outcome
from narrows.model.principal import Principal, PrincipalKind, SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource, ResourceKind
from narrows.model.session import Client, Session
from narrows.model.statement import Operation, Parameter, Protocol, Statement
from narrows.model.verdict import Effect, MaskObligation, Verdict

_CLIENT = Client("10.0.0.1:5", True, "psql")
_ALICE = Principal(PrincipalKind.USER, "alice", frozenset({"support", "all"}))
_SESSION = Session(
    "s-1",
    _ALICE,
    "shop",
    "shop",
    Protocol.POSTGRES,
    _CLIENT,
    100.0,
    "token",
    "nrw_1",
    900.0,
    ("ci", "deploy"),
)
_TABLE = Resource(ResourceKind.TABLE, ("shop", "shop", "public", "orders"))
_COLUMN = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "orders", "email"))
_STATEMENT = Statement(
    Protocol.POSTGRES,
    "select",
    "SELECT email FROM orders",
    (Operation(Action.SELECT, _TABLE, frozenset({"pii", "a"}), {"tables": frozenset({"z", "y"})}),),
    parameters=(Parameter(b"hidden", False, 25),),
    versions={"snapshot": "s1"},
)
_ALLOW = Verdict(
    Effect.ALLOW,
    policies=("support-reads",),
    obligations=(MaskObligation({_COLUMN: Rung.PARTIAL}),),
    alerts=(("watch", "high"),),
    request={"principal": "x"},
    versions={"policy": "p1"},
)
_DENY = Verdict(Effect.DENY, Reason.FORBIDDEN, "no", ("no-orders",))


def test_an_allowed_statement_is_recorded_whole() -> None:
    record = compose.statement_record(_SESSION, _STATEMENT, _ALLOW, hold=4)
    assert record.principal == "User/alice" and record.groups == ("all", "support")
    assert record.task == ("ci", "deploy") and record.hold == 4
    assert record.operations == (
        OperationEntry(
            action="select",
            resource='Table::"shop/public.orders"',
            labels=("a", "pii"),
            facts={"tables": ["y", "z"]},
        ),
    )
    assert record.rungs == {"shop/public.orders.email": "partial"}
    assert record.versions == {"snapshot": "s1", "policy": "p1"}
    assert (record.effect, record.reason, record.alerts) == ("allow", "", (("watch", "high"),))


def test_an_alert_says_who_and_what_noticed() -> None:
    record = compose.statement_record(_SESSION, _STATEMENT, _ALLOW)
    (of_policy,) = compose.policy_alerts(record, "control.7")
    of_limit = compose.alert_record(_SESSION, "control.7", Alert("medium", "filters_per_minute", "m", 601))
    assert (of_policy.severity, of_policy.rule, of_policy.policy) == ("high", "watch", "watch")
    assert (of_limit.severity, of_limit.rule, of_limit.count) == ("medium", "filters_per_minute", 601)
    for each in (of_policy, of_limit):
        assert (each.principal, each.connection, each.database) == ("User/alice", "shop", "shop")
        assert (each.record, each.session) == ("control.7", "s-1")


def test_a_denied_statement_is_recorded_as_fully() -> None:
    allowed = compose.statement_record(_SESSION, _STATEMENT, _ALLOW)
    denied = compose.statement_record(
        _SESSION, _STATEMENT, _DENY, Refusal(Reason.FORBIDDEN, "no", "no-orders")
    )
    assert (denied.effect, denied.reason, denied.message, denied.policies) == (
        "deny",
        "FORBIDDEN",
        "no",
        ("no-orders",),
    )
    for name in ("text", "operations", "groups", "task", "session", "connection", "database"):
        assert getattr(denied, name) == getattr(allowed, name)


def test_what_analysis_refused_is_a_deny_without_a_verdict() -> None:
    statement = replace(_STATEMENT, refusal=Refusal(Reason.UNPARSABLE, "syntax"))
    record = compose.statement_record(_SESSION, statement, None)
    assert (record.effect, record.reason, record.policies) == ("deny", "UNPARSABLE", ())


def test_an_allow_that_was_refused_by_something_else_is_a_deny() -> None:
    record = compose.statement_record(_SESSION, _STATEMENT, _ALLOW, Refusal(Reason.DRAINING, "bye"))
    assert (record.effect, record.reason) == ("deny", "DRAINING")


def test_an_observed_deny_keeps_its_effect_and_says_that_it_was_observed() -> None:
    record = compose.statement_record(_SESSION, _STATEMENT, replace(_DENY, is_observed=True))
    assert (record.effect, record.is_observed) == ("deny", True)


def test_equal_and_changed_operations_are_told_apart() -> None:
    first = compose.statement_record(_SESSION, _STATEMENT, _ALLOW)
    again = compose.statement_record(_SESSION, _STATEMENT, _ALLOW)
    assert first.operations is again.operations
    other = replace(_STATEMENT, operations=(Operation(Action.DELETE, _TABLE),))
    assert compose.statement_record(_SESSION, other, _ALLOW).operations[0].action == "delete"


def test_outcome_session_and_sign_in() -> None:
    ended = compose.outcome_record(_SESSION, Outcome("control.3", "error", sqlstate="42P01"), 0.1234567)
    assert (ended.record, ended.sqlstate, ended.command, ended.seconds) == (
        "control.3",
        "42P01",
        "",
        0.123457,
    )
    opened = compose.session_opened(_SESSION)
    assert (opened.principal, opened.application, opened.mode, opened.is_tls) == (
        "User/alice",
        "psql",
        "enforce",
        True,
    )
    closed = compose.session_closed(_SESSION, "client left", 103.5, rows=4)
    assert (closed.seconds, closed.rows) == (3.5, 4)
    accepted = compose.sign_in(_CLIENT, SignedIn(_ALICE, "token", "nrw_1", 9.0), connection="shop")
    assert (accepted.is_accepted, accepted.principal, accepted.token_id) == (True, "User/alice", "nrw_1")
    refused = compose.sign_in(_CLIENT, Refusal(Reason.TOKEN_EXPIRED, "expired"))
    assert (refused.is_accepted, refused.reason, refused.principal) == (False, "TOKEN_EXPIRED", "")
