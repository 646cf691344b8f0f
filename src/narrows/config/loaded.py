"""A configuration that validated: frozen, complete, and with the hash of everything it was read from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from narrows.config.faults import Fault
from narrows.config.models import OPERATOR, Connection, Credential, Group, Member
from narrows.model.label import Labels
from narrows.model.principal import Principal, PrincipalKind
from narrows.model.session import Mode
from narrows.model.target import Target
from narrows.policy.policyset import PolicySet
from narrows.settings import Settings


@dataclass(frozen=True, slots=True)
class Config:
    """One version of a configuration directory; a reload makes another, and this one stays what it was."""

    directory: Path
    settings: Settings
    groups: Mapping[str, Group]
    users: Mapping[str, Member]
    services: Mapping[str, Member]
    connections: Mapping[str, Connection]
    labels: Labels
    policies: PolicySet
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Connection -> the PEM text of its pinned CA file; absent means the system's."""
    cases: Mapping[str, str] = field(default_factory=dict)
    """File name -> text of every policies/*.test.yaml."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """config, labels, policy: what a verdict says it was reached with."""
    warnings: tuple[Fault, ...] = ()

    @property
    def journal_directory(self) -> Path:
        return self.settings.state_directory / "journal"

    @property
    def keys_directory(self) -> Path:
        """The journal's keys; `narrows init` made them."""
        return self.settings.state_directory / "keys"

    def principal(self, name: str) -> Principal | None:
        """The declared user or service of that name with its groups, disabled or not; None where unknown."""
        for kind, members in ((PrincipalKind.USER, self.users), (PrincipalKind.SERVICE, self.services)):
            if name in members:
                return Principal(kind, name, frozenset(members[name].groups))
        return operator() if name == OPERATOR else None

    def member(self, principal: Principal) -> Member | None:
        """What narrows.yaml says of a principal; None where it is no longer declared."""
        members = self.users if principal.kind is PrincipalKind.USER else self.services
        return members.get(principal.name)

    def credential(self, connection: str, principal: Principal) -> Credential:
        """The credential that this principal's sessions use on a connection; KeyError where unknown."""
        return self.connections[connection].credential_for(principal.groups)

    def target(self, connection: str, database: str, credential: Credential) -> Target:
        """Where a session's upstream connection goes; KeyError where the connection is unknown."""
        known = self.connections[connection]
        return Target(
            connection=connection,
            host=known.host,
            port=known.port,
            database=database,
            user=credential.user,
            tls=known.tls.mode,
            ca_pem=self.authorities.get(connection),
        )

    def mode(self, connection: str, day: datetime.date) -> Mode:
        """The mode that holds for a connection on a day (UTC); `observe` ends by itself."""
        return self.connections[connection].mode_on(day)


def operator() -> Principal:
    """The built-in operator of the control socket; `config/operator.cedar` says what it may do."""
    return Principal(PrincipalKind.USER, OPERATOR)
