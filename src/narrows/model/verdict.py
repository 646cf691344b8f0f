"""The answer to a Statement, and the one value that lets a relay act on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from narrows.model.label import Rung
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource


class Effect(StrEnum):
    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class MaskObligation:
    """The reply must show each labelled column at this rung and no higher."""

    rungs: Mapping[Resource, Rung]

    @property
    def lowest(self) -> Rung:
        """The strictest rung of all; RAW where nothing labelled can be reached."""
        return min(self.rungs.values(), default=Rung.RAW)


@dataclass(frozen=True, slots=True)
class RecordObligation:
    """The session's content must be recorded."""


Obligation = MaskObligation | RecordObligation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy says, why, and by which policies."""

    effect: Effect
    reason: Reason | None = None
    """None where allowed."""
    message: str = ""
    policies: tuple[str, ...] = ()
    """Ids of the policies that decided, sorted."""
    obligations: tuple[Obligation, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()
    """(policy id, severity) of every `@alert` policy that was satisfied."""
    request: Mapping[str, object] = field(default_factory=dict)
    """The whole Cedar request (principal, operations, entities, context), for the journal."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """policy, labels, snapshot: what this verdict was reached with."""
    is_observed: bool = False
    """True where the connection observes only: the effect was recorded, not enforced."""


_MINT = object()


@dataclass(frozen=True, slots=True)
class Settled:
    """A verdict that is in the journal; without one a relay forwards nothing.

    Only `gate.settle` mints one (a test holds every other module to that), after the record was written.
    """

    record: str
    """Id of the journal record that stands for this statement."""
    verdict: Verdict | None
    refusal: Refusal | None
    """None means: forward, under the verdict's obligations."""
    _proof: object = None

    def __post_init__(self) -> None:
        if self._proof is not _MINT:
            raise TypeError("only gate.settle mints a Settled")

    @property
    def is_allowed(self) -> bool:
        return self.refusal is None

    @property
    def masks(self) -> MaskObligation:
        """The mask obligation; an empty one where nothing labelled can be reached."""
        for obligation in self.verdict.obligations if self.verdict else ():
            if isinstance(obligation, MaskObligation):
                return obligation
        return MaskObligation({})


def mint(record: str, verdict: Verdict | None, refusal: Refusal | None) -> Settled:
    """For `gate.settle` and for tests of relays; nowhere else."""
    return Settled(record, verdict, refusal, _MINT)
