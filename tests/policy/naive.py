"""An evaluator of a small part of Cedar, written from the language's description and sharing nothing with ours.

A `Rule` is both Cedar text (`render`) and a predicate (`matches`); `verdict` follows design section 5 word by word.
"""

from __future__ import annotations

from dataclasses import dataclass

from narrows.model.action import GROUPS, Action
from narrows.model.label import Rung
from narrows.model.principal import Principal
from narrows.model.resource import Resource


@dataclass(frozen=True)
class Rule:
    id: str
    effect: str
    who: str | None
    """`User::sam`, `Group::support`, or None for anybody."""
    does: tuple[str, ...] | None
    """Actions and groups of actions, or None for any."""
    on: Resource | None
    """A resource and what is in it."""
    label: str | None = None
    """Only where the resource bears it."""
    is_negated: bool = False
    review: str | None = None

    def render(self) -> str:
        review = f'@review("{self.review}") ' if self.review else ""
        who = "principal"
        if self.who:
            kind, _, name = self.who.partition("::")
            who += f' {"in" if kind == "Group" else "=="} {kind}::"{name}"'
        does = "action"
        if self.does is not None:
            does += " in [" + ", ".join(f'Action::"{one}"' for one in self.does) + "]"
        on = "resource" if self.on is None else f'resource in {self.on.kind}::"{self.on.id}"'
        clause = ""
        if self.label:
            clause = (
                f' {"unless" if self.is_negated else "when"} {{ resource.labels.contains("{self.label}") }}'
            )
        return f'@id("{self.id}") {review}{self.effect}({who}, {does}, {on}){clause};'

    def matches(self, who: Principal, action: Action, on: Resource, labels: frozenset[str]) -> bool:
        return (
            self._is_who(who)
            and self._does(action)
            and (self.on is None or str(self.on) in map(str, (on, *on.ancestors())))
            and (self.label is None or (self.label in labels) != self.is_negated)
        )

    def _is_who(self, who: Principal) -> bool:
        if self.who is None:
            return True
        kind, _, name = self.who.partition("::")
        return name in who.groups if kind == "Group" else (kind, name) == (who.kind.value, who.name)

    def _does(self, action: Action) -> bool:
        return self.does is None or any(one == action or action in GROUPS.get(one, ()) for one in self.does)


def is_allowed(
    rules: list[Rule],
    who: Principal,
    action: Action,
    on: Resource,
    labels: frozenset[str],
    reviewed: bool = False,
) -> bool:
    """First pass, or the second where `reviewed`."""
    met = [rule for rule in rules if rule.matches(who, action, on, labels)]
    forbids = [rule for rule in met if rule.effect == "forbid" and not (rule.review and reviewed)]
    permits = [rule for rule in met if rule.effect == "permit" and not (rule.review and not reviewed)]
    return bool(permits) and not forbids


def rung(rules: list[Rule], who: Principal, on: Resource, labels: frozenset[str]) -> Rung:
    """The ladder, for each label alone and for all together."""
    return min(_one(rules, who, on, some) for some in (labels, *(frozenset({label}) for label in labels)))


def _one(rules: list[Rule], who: Principal, on: Resource, labels: frozenset[str]) -> Rung:
    for action, given in (
        (Action.REVEAL, Rung.RAW),
        (Action.REVEAL_PARTIAL, Rung.PARTIAL),
        (Action.REVEAL_TOKEN, Rung.TOKEN),
    ):
        if is_allowed(rules, who, action, on, labels):
            return given
    return Rung.NONE
