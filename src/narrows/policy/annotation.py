"""What a policy says about itself besides authorization: `@id @message @alert @owner @review`.

Law: an annotation that is not known is refused, for a misspelt `@reveiw` would make a rule stricter or
laxer than its author meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from narrows.policy.errors import suggestion

SEVERITIES = ("low", "medium", "high", "critical")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_REVIEW = re.compile(r"([^:\s]+)(?::([1-9][0-9]?))?\Z")
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class ReviewNeed:
    """Who must approve, and how many of them."""

    group: str
    votes: int = 1

    def __str__(self) -> str:
        return f'{self.votes} of "{self.group}"' if self.votes > 1 else f'"{self.group}"'


@dataclass(frozen=True, slots=True)
class Misuse:
    """One annotation that says nothing we understand."""

    name: str
    message: str
    remedy: str


def parse_review(text: str) -> ReviewNeed | None:
    """`data-stewards` or `managers:2`; None for anything else."""
    match = _REVIEW.match(text)
    return ReviewNeed(match[1], int(match[2] or 1)) if match else None


def misuses(annotations: Mapping[str, str], groups: frozenset[str]) -> Iterator[Misuse]:
    """Everything wrong with one policy's annotations."""
    if "id" not in annotations:
        yield Misuse("id", "the policy has no @id", 'name it, such as @id("payroll-is-finance-only")')
    for name, value in annotations.items():
        check = KNOWN.get(name)
        if check is None:
            yield Misuse(name, f"@{name} is not an annotation that narrows knows", suggestion(name, KNOWN))
            continue
        fault = check(value, groups)
        if fault:
            yield Misuse(name, *fault)


def _check_id(value: str, _groups: frozenset[str]) -> tuple[str, str] | None:
    if _ID.match(value):
        return None
    return f'"{value}" is not a usable @id', "use letters, digits, `.`, `_` and `-`, at most 100"


def _check_message(value: str, _groups: frozenset[str]) -> tuple[str, str] | None:
    if value and len(value) <= _MESSAGE_LIMIT and value.isprintable():
        return None
    return "@message cannot be shown", f"write one printable line of at most {_MESSAGE_LIMIT} characters"


def _check_alert(value: str, _groups: frozenset[str]) -> tuple[str, str] | None:
    if value in SEVERITIES:
        return None
    return f'"{value}" is not a severity', "use one of " + ", ".join(SEVERITIES)


def _check_owner(value: str, _groups: frozenset[str]) -> tuple[str, str] | None:
    return (
        None if value else ("@owner names nobody", 'name a person or a team, such as @owner("data-platform")')
    )


def _check_review(value: str, groups: frozenset[str]) -> tuple[str, str] | None:
    need = parse_review(value)
    if need is None:
        return (
            f'"{value}" does not say who reviews',
            'write @review("data-stewards") or @review("managers:2")',
        )
    if need.group not in groups:
        remedy = suggestion(need.group, groups) or "declare the group in narrows.yaml"
        return f'the reviewing group "{need.group}" is not declared', remedy
    return None


KNOWN: Mapping[str, Callable[[str, frozenset[str]], tuple[str, str] | None]] = {
    "id": _check_id,
    "message": _check_message,
    "alert": _check_alert,
    "owner": _check_owner,
    "review": _check_review,
}
