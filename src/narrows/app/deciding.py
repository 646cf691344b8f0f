"""The gate's facts and policy ports, over the configuration in force."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace

from narrows.api.ports import SOCKET_METHOD
from narrows.app.recorder import Recorder
from narrows.config.loaded import Config
from narrows.gate.filter_limit import FilterLimit, values_asked
from narrows.gate.ports import Excess
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


class ConnectionLimit:
    """What the configuration in force lets one principal ask on one connection, over all its sessions."""

    def __init__(self, config: InForce, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        """Never goes back: not the time of day."""
        self._filters = FilterLimit()

    def take(self, session: Session, statement: Statement) -> Excess | None:
        known = self._config.now.connections.get(session.connection)
        asked = values_asked(statement)
        if known is None or asked == 0:
            return None
        most = known.filters_per_minute
        return self._filters.take(session.principal.id, session.connection, asked, most, self._clock())


@dataclass(frozen=True, slots=True)
class GatePorts:
    """What `gate.settle` is given."""

    facts: LiveFacts
    policy: CedarPolicy
    limit: ConnectionLimit
    journal: Recorder


def _day(now: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).date()
