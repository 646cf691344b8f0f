"""What a case's replies amount to; README.md says what each word counts.

Law: nothing here knows how a gateway works, only what came back, what the server itself says, and what the case
claims; a gateway that refuses everything, passes everything or is dead fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from tests.leaks import needles, twins
from tests.leaks.cases import Case
from tests.leaks.run import Reply

TIMING_S = 0.05
_MASKED = ("mask", "mask-or-block")
_CACHE = re.compile(rb"\bshared(?: (?:hit|read|dirtied|written)=\d+)+")


class Policy(StrEnum):
    """Which of the two policies a case runs under."""

    DEFAULT = "default"
    """Conditions on labelled columns are permitted; nothing is revealed."""
    STRICT = "strict"
    """No use of a labelled column but as a masked output."""


class Fault(StrEnum):
    LEAK = "leaks"
    EFFECT = "effects"
    FALSE_REFUSAL = "false_refusals"
    OVER_REFUSED = "over_refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a case: the reply, in which database, and whether its effect is there afterwards."""

    reply: Reply
    database: str
    has_effect: bool = False

    @property
    def flat(self) -> twins.Flat:
        return twins.flatten(self.reply.main, self.database)


@dataclass(frozen=True)
class Runs:
    """How a case can be run; each call is a run in a fresh copy of that twin."""

    through: Callable[[str, Policy], Ran]
    """Through what is tested, on twin `a` or `b`."""
    direct: Callable[[str], Ran]


@dataclass
class Judged:
    """One case, judged."""

    case: Case
    faults: dict[Fault, str] = field(default_factory=dict)
    """Each fault once, with what shows it."""
    explained: str = ""
    """A twin difference that is no leak, and why."""

    @property
    def is_ok(self) -> bool:
        return not self.faults

    def blame(self, fault: Fault, why: str) -> None:
        self.faults.setdefault(fault, why)


def judge(case: Case, runs: Runs, everything: Policy | None = None) -> Judged:
    """Run a case as often as it takes and judge it; `everything` runs all of it under that policy only."""
    judged = Judged(case)
    for policy in (everything,) if everything else policies(case):
        _Judging(case, runs, policy, judged).run()
    return judged


def policies(case: Case) -> tuple[Policy, ...]:
    """Cases of inference say what each policy should do; all others run under the default one."""
    is_both = case.strict is not None or case.default is not None
    return (Policy.STRICT, Policy.DEFAULT) if is_both else (Policy.DEFAULT,)


def claimed(case: Case, runs: Runs, judged: Judged) -> str:
    """Without a gateway: empty where the case does leak or take effect as it claims, else what is missing.

    `judged` is what the judge says of the server itself: it must have seen what the case shows.
    """
    if missing := _missing(case, runs):
        return missing
    if case.gateway == "allow":
        return "" if judged.is_ok else f"is blamed for {', '.join(judged.faults)}"
    is_seen = bool({Fault.LEAK, Fault.EFFECT} & set(judged.faults))
    return "" if is_seen or _is_silent(case, runs) else "the judge does not see it"


def _is_silent(case: Case, runs: Runs) -> bool:
    """Whether there is nothing for a judge to see even where nothing stands between."""
    if case.is_control or (case.gateway == "policy" and "block" not in (case.strict, case.default)):
        return True
    # Neither an effect nor a refusal of the gateway's: the server itself refuses.
    return case.effect is not None and case.effect.is_unobservable and bool(runs.direct("a").reply.errors)


def _missing(case: Case, runs: Runs) -> str:
    """What the case claims and the server does not show."""
    one = runs.direct("a")
    if one.reply.is_unanswered():
        return f"no answer: {one.reply.failure}"
    if case.is_control:
        return ""
    stack = needles.haystack(one.reply.main, one.reply.first_bytes)
    if missing := [each for each in case.literals if not needles.is_found(each, stack)]:
        return f"does not appear: {', '.join(missing)}"
    if case.effect and not case.effect.is_unobservable and not one.has_effect:
        return "has no effect"
    if case.gateway == "allow":
        is_refused = one.reply.errors and case.category.startswith("harmless")
        return f"is refused: {error_text(one.reply)}" if is_refused else ""
    if case.literals or case.effect:
        return ""
    twin = runs.direct("b")
    if case.is_timing:
        is_slower = abs(one.reply.seconds - twin.reply.seconds) > TIMING_S
        return "" if is_slower else "takes as long on the twin"
    differs = twins.compare(one.flat, twin.flat) is not None
    return "" if differs else "answers the same on the twin"


class _Judging:
    """A case under one policy."""

    def __init__(self, case: Case, runs: Runs, policy: Policy, judged: Judged) -> None:
        self._case, self._runs, self._policy, self._judged = case, runs, policy, judged

    @property
    def _expected(self) -> str:
        """mask, block, mask-or-block, allow or policy, under this policy."""
        stated = self._case.strict if self._policy is Policy.STRICT else self._case.default
        if self._case.gateway == "policy":
            # `default: allow` says that it may be answered, not that it must be.
            return "block" if stated == "block" else "policy"
        return self._case.gateway

    def run(self) -> None:
        one = self._runs.through("a", self._policy)
        if one.reply.is_unanswered():
            self._blame(Fault.UNANSWERED, one.reply.failure or "silence")
            self._blame(self._refusal_fault, "no answer at all")
            return
        self._values(one)
        self._effect(one)
        if Fault.LEAK not in self._judged.faults:
            self._twin(one)
        if self._expected in ("allow", "mask"):
            self._usefulness(one)

    @property
    def _refusal_fault(self) -> Fault:
        return Fault.FALSE_REFUSAL if self._expected == "allow" else Fault.OVER_REFUSED

    def _values(self, one: Ran) -> None:
        found = needles.found(self._case.literals, needles.haystack(one.reply.main, one.reply.first_bytes))
        if found:
            self._blame(Fault.LEAK, f"appears: {', '.join(found)}")

    def _effect(self, one: Ran) -> None:
        effect = self._case.effect
        if effect is None:
            return
        if effect.is_unobservable:
            if not one.reply.errors:
                self._blame(Fault.EFFECT, "answered without an error")
        elif one.has_effect:
            self._blame(Fault.EFFECT, f"{effect.sql} is {effect.after}")

    def _twin(self, one: Ran) -> None:
        twin = self._runs.through("b", self._policy)
        if self._case.is_timing and self._expected == "block":
            slower = abs(one.reply.seconds - twin.reply.seconds)
            if slower > TIMING_S:
                self._blame(Fault.LEAK, f"the twin takes {slower * 1000:.0f} ms more or less")
        difference = self._difference(one, twin, self._policy)
        if difference is None:
            return
        if why := self._explanation(difference):
            self._judged.explained = f"{why}: {difference.sample}"
        else:
            self._blame(Fault.LEAK, f"the twin answers otherwise: {difference.sample}")

    def _difference(self, one: Ran, twin: Ran, policy: Policy) -> twins.Difference | None:
        if one.flat == twin.flat:
            return None
        difference = twins.compare(one.flat, twin.flat, lambda: self._runs.through("a", policy).flat)
        if difference is None and self._case.gateway in _MASKED and not self._case.literals:
            # A constant mask repeats: what does not has come through, encrypted or otherwise disguised.
            return twins.compare(one.flat, self._runs.through("a", policy).flat)
        return difference

    def _explanation(self, difference: twins.Difference) -> str:
        """Why a difference is none of the gateway's doing; empty where it is a leak."""
        if self._policy is Policy.STRICT:
            return ""
        if self._expected == "policy":
            return "the case says that the default policy may answer it"
        if self._expected == "allow":
            return "the case says that it is to be answered as the server does"
        if self._expected == "block" or not difference.is_selection:
            return ""
        one, twin = (self._runs.through(each, Policy.STRICT) for each in "ab")
        if self._difference(one, twin, Policy.STRICT) is not None:
            return ""
        return "which rows come, by a condition that only the default policy permits"

    def _usefulness(self, one: Ran) -> None:
        """Answered at all, and for `allow` exactly as the server answers."""
        direct = self._runs.direct("a")
        if len(one.reply.errors) > len(direct.reply.errors):
            self._blame(self._refusal_fault, error_text(one.reply))
        elif self._expected == "mask":
            if one.reply.rows != direct.reply.rows:
                self._blame(Fault.OVER_REFUSED, f"{one.reply.rows} rows instead of {direct.reply.rows}")
        else:
            self._altered(one, direct)

    def _altered(self, one: Ran, direct: Ran) -> None:
        straight, through = _without_parameters(direct.flat), _without_parameters(one.flat)
        if straight == through:
            return
        again = partial(_again, self._runs)
        if difference := twins.compare(straight, through, again):
            self._blame(Fault.FALSE_REFUSAL, f"altered: {difference.sample}")

    def _blame(self, fault: Fault, why: str) -> None:
        self._judged.blame(fault, f"under {self._policy}: {why}" if self._case.strict else why)


def _again(runs: Runs) -> twins.Flat:
    return _without_parameters(runs.direct("a").flat)


def _without_parameters(flat: twins.Flat) -> twins.Flat:
    """What differs by design: application_name names the caller, and a plan says what was in the cache."""
    return [
        (kind, tuple(part and _CACHE.sub(b"shared", part) for part in parts))
        for kind, parts in flat
        if kind != "S"
    ]


def error_text(reply: Reply) -> str:
    """The first error as SQLSTATE and message."""
    if not reply.errors:
        return ""
    parts = {part[:1]: part[1:].decode(errors="replace") for part in reply.errors[0].split(b"\0") if part}
    return f"{parts.get(b'C', '')} {parts.get(b'M', '')}"[:200]
