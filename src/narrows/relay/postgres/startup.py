"""The settings of a start-up packet: which may be made, and what holds after them.

Law: a start-up setting is accepted exactly where the same constant SET would be; what it sets becomes the
session's start, to which RESET returns. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from narrows.inspect.sql import analyse_inline
from narrows.inspect.sql.analysis import SessionState, View
from narrows.inspect.sql.facts import FactTracker, SessionFacts
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.statement import Statement

NOT_SETTINGS = frozenset({"user", "database", "options", "replication"})
LISTS = frozenset({"search_path", "datestyle"})
"""Settings whose start-up value is a list, while SET takes each word by itself."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?\Z")
_WORD = re.compile(r"(?:\\.|\S)+", re.DOTALL)
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(,|\Z)')


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client's start-up packet asks to set, in its order; later ones win at the target, too."""

    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """What holds once the session starts."""

    values: Mapping[str, str]
    """To be sent in the target's start-up packet."""
    facts: SessionFacts
    """For `Context.facts`."""
    statement: Statement | None
    """To be settled before the target is opened, as the same SETs would be; None where nothing is set."""


def read_settings(parameters: Mapping[str, str]) -> Wanted | Refusal:
    """The settings among the start-up parameters, those of `options` first, as the target applies them."""
    values: dict[str, str] = {}
    for name, value in _options(parameters.get("options", "")):
        if not name:
            return _refused(f"the start-up option {value!r} is not passed; use -c name=value")
        values[name] = value
    values.update({name: value for name, value in parameters.items() if name not in NOT_SETTINGS})
    for name in values:
        if not _NAME.match(name):
            return _refused(f"{name!r} is not the name of a setting")
    return Wanted(values)


def decide(wanted: Wanted, view: View) -> Start | Refusal:
    """Whether the settings may be made, and the facts they lead to."""
    if not wanted.values:
        return Start({}, SessionFacts(), None)
    text = "; ".join(_set(name, value) for name, value in wanted.values.items())
    analysis = analyse_inline(text, view, SessionState())
    if analysis is None:
        return Refusal(Reason.TOO_COMPLEX, "the start-up packet makes too many settings")
    if analysis.refusal is not None:
        return analysis.refusal
    tracker = FactTracker()
    for part in analysis.parts:
        tracker.apply(part.effects)
    return Start(dict(wanted.values), tracker.facts, analysis.statement())


def _options(options: str) -> Iterator[tuple[str, str]]:
    """(name, value) of each `-c name=value` or `--name=value`; an empty name with what is neither.

    Words end at white space; a backslash keeps what follows it (pg_split_opts).
    """
    words = iter([re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options)])
    for word in words:
        if word == "-c":
            setting = next(words, "")
        elif word.startswith(("-c", "--")):
            setting = word[2:]
        else:
            setting = ""
        name, equals, value = setting.partition("=")
        yield (name.replace("-", "_"), value) if equals else ("", word)


def _set(name: str, value: str) -> str:
    items = _items(value) if name.lower() in LISTS else [value]
    words = ", ".join("'" + item.replace("'", "''") + "'" for item in items)
    return f"SET {name} TO {words}"


def _items(value: str) -> list[str]:
    """The words of a list setting: folded to lower case unless quoted, as SplitIdentifierString does."""
    items: list[str] = []
    at = 0
    while found := _ITEM.match(value, at):
        quoted, plain, end = found.groups()
        items.append(quoted.replace('""', '"') if quoted is not None else plain.lower())
        at = found.end()
        if end != ",":
            break
    return items if items and at == len(value) else [value]


def _refused(message: str) -> Refusal:
    return Refusal(Reason.SETTING_REFUSED, message)
