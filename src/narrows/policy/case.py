"""One case of a policy table, and the world that it may refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from narrows.model.label import Labels, Rung
from narrows.model.principal import Principal
from narrows.model.reason import Reason
from narrows.model.resource import Resource
from narrows.model.session import Client
from narrows.model.statement import Statement

Analyser = Callable[[str, str, str], Statement]
"""(sql, connection, database) -> Statement"""


@dataclass(frozen=True, slots=True)
class World:
    """What a case may refer to."""

    principals: Mapping[str, Principal]
    """`User/alice` -> her, with her groups."""
    homes: Mapping[str, str]
    """Connection -> its own database."""
    labels: Labels | None = None
    analyse: Analyser | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a table: a question and the answer it should have."""

    name: str
    file: str
    line: int
    principal: Principal
    connection: str
    database: str
    statement: Statement
    client: Client
    at: float
    expect: str
    rule: str | None = None
    reason: Reason | None = None
    shows: Mapping[Resource, Rung] = field(default_factory=dict)
    labels: Labels | None = None
