"""What a caller wants: a Statement and the Operations it needs, in one form for every protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from narrows.model.action import Action
from narrows.model.refusal import Refusal
from narrows.model.resource import Resource

Fact = bool | int | str | frozenset[str]
"""A value that may stand in a policy's context."""


class Protocol(StrEnum):
    POSTGRES = "postgres"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Operation:
    """One (action, resource) pair, with facts that hold for it alone.

    `labels` are those of the part of the resource that is touched; for `filter` the fact `kind` says by what kind
    of test (`policy.schema.FILTER_KINDS`), `values` with how many values; -1 where that is not known.
    """

    action: Action
    resource: Resource
    labels: frozenset[str] = frozenset()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    arrays: tuple[int, ...] = ()
    """Numbers of bound parameters, each an array whose elements `values` does not count yet; none in a Statement."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One bound value as it came over the wire; None is SQL NULL."""

    value: bytes | None
    is_binary: bool
    type_oid: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One unit of intent, decided whole.

    `text` is what the journal keeps: the statement as sent, secrets removed.
    `disclosures` are the labelled columns whose values the reply could carry, each with its labels; the
    verdict says for each which rung holds.
    """

    protocol: Protocol
    kind: str
    text: str
    operations: tuple[Operation, ...]
    disclosures: Mapping[Resource, frozenset[str]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    refusal: Refusal | None = None
    """Set where analysis already refuses: policy is not asked, the journal still is."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the analysis relied on: snapshot, labels."""
    compares_anew: bool = True
    """False where the values that it compares something with were counted before, when what it goes on with was
    bound or declared, or will be, when what it prepares is run."""
