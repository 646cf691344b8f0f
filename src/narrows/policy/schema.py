"""What policy may speak about, as a Cedar schema generated from the model's own tables.

Laws: an action is known here because it is known to `model.action`; a fact that is not in these tables
cannot be named by a policy and is not sent; a fact with a default is always there, and its default is the
answer that opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import cedarpy

from narrows.model.action import GROUPS, Action
from narrows.model.resource import ResourceKind
from narrows.model.session import Mode
from narrows.model.statement import Fact, Protocol


class FactType(StrEnum):
    BOOL = "Bool"
    COUNT = "Long"
    STRING = "String"
    WORDS = "Set<String>"
    ADDRESS = "ipaddr"
    MOMENT = "datetime"


@dataclass(frozen=True, slots=True)
class FactRule:
    """One attribute of a context; without a default it is optional and policies must ask `has` first."""

    name: str
    type: FactType
    default: Fact | None = None
    values: tuple[str, ...] = ()
    """The only words it can hold, where they are a closed list."""
    help: str = ""


UNKNOWN = -1
"""A count that is not known; policy sees the greatest number, so that no upper bound holds."""
FILTER_KINDS = (
    "constant",
    "null",
    "join",
    "match",
    "range",
    "pattern",
    "order",
    "group",
    "view",
    "size",
    "key",
    "fallible",
    "other",
)
"""`docs/policies.md` says what each is; the last is what no other word names."""

CLIENT: tuple[FactRule, ...] = (
    FactRule("address", FactType.ADDRESS, help="where the caller connects from"),
    FactRule("tls", FactType.BOOL, False, help="whether the caller's connection is encrypted"),
    FactRule("application", FactType.STRING, "", help="the name that the client program gave itself"),
)
SESSION: tuple[FactRule, ...] = (
    FactRule("connection", FactType.STRING, "", help="the connection's name; empty outside a session"),
    FactRule("database", FactType.STRING, "", help="the database; empty outside a session"),
    FactRule("protocol", FactType.STRING, "", tuple(Protocol), help="the protocol spoken"),
    FactRule("mode", FactType.STRING, Mode.ENFORCE, tuple(Mode), help="whether verdicts are enforced"),
    FactRule("method", FactType.STRING, "", help="how the caller signed in"),
    FactRule("has_task", FactType.BOOL, False, help="whether the session runs for a task"),
)
OPERATION: tuple[FactRule, ...] = (
    FactRule("statement", FactType.STRING, "", help="the statement's kind, such as `select`"),
    FactRule("labels", FactType.WORDS, frozenset(), help="the labels of the part that is touched"),
)
"""At the top of every context."""
SQL: tuple[FactRule, ...] = (
    FactRule("kinds", FactType.WORDS, frozenset(), help="the kinds of all statements of the string"),
    FactRule("is_multi", FactType.BOOL, True, help="whether the string holds several statements"),
    FactRule("is_bounded", FactType.BOOL, False, help="whether a WHERE bounds what it reads or changes"),
    FactRule("has_limit", FactType.BOOL, False, help="whether it has a constant LIMIT"),
    FactRule("limit", FactType.COUNT, UNKNOWN, help="that LIMIT; the greatest number where there is none"),
    FactRule(
        "rows_estimate", FactType.COUNT, UNKNOWN, help="rows of what it touches, as the target estimates"
    ),
    FactRule(
        "constant_filters", FactType.WORDS, frozenset(), help="the columns that it compares with constants"
    ),
    FactRule("touches", FactType.WORDS, frozenset(), help="the labels of everything within its reach"),
    FactRule("is_derived", FactType.BOOL, True, help="whether labelled columns are used in expressions"),
    FactRule("is_unknown", FactType.BOOL, True, help="whether it names what cannot be seen through"),
    FactRule("has_triggers", FactType.BOOL, True, help="whether a table that it changes has triggers"),
    FactRule("settings", FactType.WORDS, frozenset(), help="the settings that it changes"),
)
"""What the analysis of SQL found; in every context but those of `connect` and of the gateway's own actions."""

BY_ACTION: Mapping[Action, tuple[FactRule, ...]] = {
    Action.FILTER: (
        FactRule("kind", FactType.STRING, "other", FILTER_KINDS, "how the column is used in a condition"),
        FactRule(
            "values",
            FactType.COUNT,
            UNKNOWN,
            help="with how many values the string compares it in this way; the greatest number where that is"
            " not known or no values are listed",
        ),
    ),
    Action.CALL: (
        FactRule("is_seen", FactType.BOOL, False, help="whether all that the function does was seen through"),
    ),
    **dict.fromkeys(
        (Action.CONFIGURE, Action.SHOW, Action.CONFIGURE_SERVER, Action.ASSUME_ROLE),
        (FactRule("setting", FactType.STRING, "", help="the setting, or `all`"),),
    ),
    **dict.fromkeys(
        (Action.LISTEN, Action.NOTIFY), (FactRule("channel", FactType.STRING, "", help="the channel's name"),)
    ),
    **dict.fromkeys(
        (Action.CREATE, Action.ALTER, Action.DROP),
        (FactRule("extension", FactType.STRING, help="the extension, where it is one"),),
    ),
}
"""Facts of one operation, by its action."""
_WITHOUT_SQL = frozenset({Action.CONNECT, *GROUPS["operate"]})

FACTS = tuple(sorted({rule.name for rules in (OPERATION, SQL, *BY_ACTION.values()) for rule in rules}))
"""Every fact of a statement or of one operation."""

NOW = FactRule("now", FactType.MOMENT, help="the moment of the decision; a policy that uses it is not cached")

DATA_KINDS = tuple(kind for kind in ResourceKind if kind is not ResourceKind.GATEWAY)
_LABELLED_KINDS = (ResourceKind.TABLE, ResourceKind.COLUMN)
_GATEWAY_KINDS = (ResourceKind.GATEWAY, ResourceKind.CONNECTION)
KINDS_OF_GROUP: Mapping[str, tuple[ResourceKind, ...]] = {
    "disclose": _LABELLED_KINDS,
    "operate": _GATEWAY_KINDS,
}
"""Which resources the actions of a group apply to, where that is not all of a target's."""

ENTITIES = """\
entity Group;
entity User in [Group];
entity Service in [Group];
entity Gateway { labels: Set<String> };
entity Connection { name: String, labels: Set<String> };
entity Database in [Connection] { name: String, labels: Set<String> };
entity Schema in [Database] { name: String, labels: Set<String> };
entity Table in [Schema] { name: String, labels: Set<String> };
entity Column in [Table] { name: String, labels: Set<String> };
entity Function in [Schema] { name: String, labels: Set<String> };
entity Role in [Connection] { name: String, labels: Set<String> };
"""


def facts_of(action: Action) -> tuple[FactRule, ...]:
    """Every fact at the top of the context of one action, `now` left out."""
    return OPERATION + (() if action in _WITHOUT_SQL else SQL) + BY_ACTION.get(action, ())


@cache
def attributes() -> tuple[str, ...]:
    """Every attribute that a policy can name, of contexts and of resources."""
    own = [rule for rules in BY_ACTION.values() for rule in rules]
    rules = (*CLIENT, *SESSION, *OPERATION, *SQL, *own, NOW)
    return tuple(sorted({"client", "session", "name", *(rule.name for rule in rules)}))


def text(with_time: bool) -> str:
    """The schema as Cedar text; `context.now` is in it only where policies use it."""
    types = [_type("Client", CLIENT), _type("SessionFacts", SESSION)]
    groups = [f'action "{group}";' for group in GROUPS]
    actions = [_action(group, action, with_time) for group, members in GROUPS.items() for action in members]
    return "\n".join([*types, ENTITIES, *groups, *actions, ""])


@cache
def handle(with_time: bool) -> cedarpy.Schema:
    """The parsed schema, made once."""
    return cedarpy.Schema.from_str(text(with_time))


def _type(name: str, rules: tuple[FactRule, ...]) -> str:
    return f"type {name} = {{ {', '.join(_attribute(rule) for rule in rules)} }};"


def _attribute(rule: FactRule) -> str:
    optional = "?" if rule.default is None and rule is not NOW else ""
    return f"{rule.name}{optional}: {rule.type}"


def _action(group: str, action: Action, with_time: bool) -> str:
    kinds = ", ".join(KINDS_OF_GROUP.get(group, DATA_KINDS))
    rules = facts_of(action) + ((NOW,) if with_time else ())
    own = ", ".join(_attribute(rule) for rule in rules)
    context = f"{{ client: Client, session: SessionFacts, {own} }}"
    return (
        f'action "{action}" in [Action::"{group}"] appliesTo '
        f"{{ principal: [User, Service], resource: [{kinds}], context: {context} }};"
    )
