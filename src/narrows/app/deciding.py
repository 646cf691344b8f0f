"""The gate's facts and policy ports, over the configuration in force."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace

from narrows.api.ports import SOCKET_METHOD
from narrows.app.recorder import Recorder
from narrows.config.loaded import Config
from narrows.identity.liveness import Liveness
from narrows.model.refusal import Refusal
from narrows.model.session import Session
from narrows.model.statement import Statement
from narrows.model.verdict import Verdict
from narrows.policy import Query, evaluate


class InForce:
    """The configuration that holds now; a reload replaces it by one assignment."""

    __slots__ = ("now",)

    def __init__(self, config: Config) -> None:
        self.now = config


class LiveFacts:
    """Who the caller is now: revoked, disabled, or in other groups than at sign-in."""

    def __init__(self, config: InForce, liveness: Liveness, clock: Callable[[], float]) -> None:
        self._config = config
        self._liveness = liveness
        self._clock = clock

    def live(self, session: Session) -> Session | Refusal:
        if session.method == SOCKET_METHOD:
            return session
        principal = self._liveness.principal(session)
        if isinstance(principal, Refusal):
            return principal
        known = self._config.now.connections.get(session.connection)
        mode = session.mode if known is None else known.mode_on(_day(self._clock()))
        if principal == session.principal and mode is session.mode:
            return session
        return replace(session, principal=principal, mode=mode)


class CedarPolicy:
    """The policies of the configuration in force."""

    def __init__(self, config: InForce, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock

    def evaluate(self, session: Session, statement: Statement) -> Verdict:
        config = self._config.now
        query = Query(session.principal, session, statement, config.labels)
        return evaluate(config.policies, query, self._clock())


@dataclass(frozen=True, slots=True)
class GatePorts:
    """What `gate.settle` is given."""

    facts: LiveFacts
    policy: CedarPolicy
    journal: Recorder


def _day(now: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).date()
