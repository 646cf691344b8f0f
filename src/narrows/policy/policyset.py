"""Policies parsed once, each under its own `@id`, and handed to Cedar in slices that can matter.

Laws: a slice leaves out only policies whose scope cannot match, so the answer is the same as with all;
a policy with `@review` is in its strict place (a permit absent, a forbid present) unless its id is lifted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import cedarpy

from narrows.model.verdict import Verdict
from narrows.policy.annotation import ReviewNeed
from narrows.policy.cache import Lru

INDEX_ABOVE = 50
"""Up to this many policies one slice serves every request."""
_SLICES = 512
_VERDICTS = 2048

NOTHING_LIFTED: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy as loaded; `connections` and `actions` are None where its scope takes any."""

    id: str
    effect: str
    """permit or forbid"""
    file: str
    line: int
    text: str
    compiled: str
    """The policy in Cedar's JSON form."""
    annotations: Mapping[str, str]
    review: ReviewNeed | None
    connections: frozenset[str] | None
    actions: frozenset[str] | None
    names_columns: bool
    """Whether it can tell two columns of one table with the same labels apart."""

    @property
    def message(self) -> str:
        return self.annotations.get("message", "")

    def is_in_force(self, lifted: frozenset[str]) -> bool:
        """Whether it counts when these reviews were answered with yes."""
        return self.review is None or (self.id in lifted) == (self.effect == "permit")

    def can_match(self, connection: str | None, action: str) -> bool:
        """False only where its scope excludes every request on that connection with that action."""
        on_connection = self.connections is None or connection in self.connections
        return on_connection and (self.actions is None or action in self.actions)


class PolicySet:
    """What `load` returns: immutable in meaning, with caches that die with it."""

    def __init__(self, policies: Mapping[str, Policy], version: str, uses_time: bool) -> None:
        self.policies = policies
        self.version = version
        self.uses_time = uses_time
        self.reviewable = frozenset(policy.id for policy in policies.values() if policy.review)
        self.verdicts: Lru[object, Verdict] = Lru(limit=_VERDICTS)
        self._slices: Lru[tuple[frozenset[str], str | None, str], cedarpy.PolicySet] = Lru(limit=_SLICES)

    def __repr__(self) -> str:
        return f"PolicySet({len(self.policies)} policies, version {self.version[:12]})"

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self.policies))

    @property
    def annotations(self) -> Mapping[str, Mapping[str, str]]:
        """Policy id -> its annotations."""
        return {policy.id: policy.annotations for policy in self.policies.values()}

    def slice(self, lifted: frozenset[str], connection: str | None, action: str) -> cedarpy.PolicySet:
        """The policies that a request on this connection with this action can meet, ready for Cedar."""
        is_indexed = len(self.policies) > INDEX_ABOVE
        key = (
            (lifted & self.reviewable, connection, action)
            if is_indexed
            else (lifted & self.reviewable, None, "")
        )
        found = self._slices.get(key)
        if found is None:
            chosen = [
                policy
                for policy in self.policies.values()
                if policy.is_in_force(lifted) and (not is_indexed or policy.can_match(connection, action))
            ]
            found = compile_set(chosen)
            self._slices.put(key, found)
        return found

    def has_permit(self, connection: str | None, action: str) -> bool:
        """Whether a permit without a review could match this action on this connection."""
        return any(
            policy.effect == "permit" and policy.review is None and policy.can_match(connection, action)
            for policy in self.policies.values()
        )

    def tells_columns_apart(self, actions: frozenset[str]) -> bool:
        """Whether any policy that can match one of these actions looks at a column by name."""
        return any(
            policy.names_columns and (policy.actions is None or policy.actions & actions)
            for policy in self.policies.values()
        )


def compile_set(policies: list[Policy]) -> cedarpy.PolicySet:
    """A Cedar policy set in which each policy bears its `@id`: reasons and errors then name it."""
    return _compile({policy.id: policy.compiled for policy in policies})


def compile_one(name: str, compiled: str) -> cedarpy.PolicySet:
    """A set of one policy, or of a part of one."""
    return _compile({name: compiled})


def _compile(bodies: Mapping[str, str]) -> cedarpy.PolicySet:
    inner = ",".join(f"{json.dumps(name)}:{body}" for name, body in bodies.items())
    return cedarpy.PolicySet.from_json_str(
        f'{{"templates":{{}},"templateLinks":[],"staticPolicies":{{{inner}}}}}'
    )
