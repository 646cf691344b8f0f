"""What differs between the two ways, and whether `expected.yaml` says why that is right.

Laws: a difference that is not listed fails the run, and so does a listed one that no longer occurs. A listing names
tests and what the failure says, so that a test that now fails for another reason is not covered by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.drivers.outcome import ABSENT, Kind, Outcome
from tests.drivers.run import Ran

EXPECTED = Path(__file__).with_name("expected.yaml")


@dataclass(frozen=True, slots=True)
class Difference:
    """A test that came out otherwise through narrows."""

    test: str
    direct: Outcome
    through: Outcome

    @property
    def said(self) -> str:
        """What the failing side said."""
        return self.through.message if self.through.kind is not Kind.PASSED else self.direct.message


@dataclass(frozen=True, slots=True)
class Pattern:
    """Tests of one suite, by name; `*` stands for anything."""

    suite: str
    text: str
    says: str
    """Stands in what the failure says."""
    servers: frozenset[int]
    """Empty for every one."""
    is_certain: bool
    """Whether it must occur; where time decides, it need not."""

    def covers(self, suite: str, version: int, difference: Difference) -> bool:
        return (
            self.applies(suite, version)
            and re.fullmatch(re.escape(self.text).replace(r"\*", ".*"), difference.test) is not None
            and self.says in difference.said
        )

    def applies(self, suite: str, version: int) -> bool:
        return suite == self.suite and (not self.servers or version in self.servers)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some differences are as they must be, or which defect they show."""

    name: str
    title: str
    text: str
    is_right: bool
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A run beside what was expected of it."""

    ran: Ran
    explained: Mapping[str, Sequence[Difference]]
    """Reason -> differences."""
    unexplained: Sequence[Difference]
    gone: Sequence[Pattern]

    @property
    def is_as_expected(self) -> bool:
        return not self.unexplained and not self.gone


def load(path: Path = EXPECTED) -> tuple[Reason, ...]:
    """The reasons, in the order of the file; the first whose pattern covers a difference explains it."""
    return tuple(_reason(name, given) for name, given in yaml.safe_load(path.read_text()).items())


def _reason(name: str, given: Mapping[str, Any]) -> Reason:
    patterns = tuple(
        Pattern(
            suite,
            text,
            given.get("says", ""),
            frozenset(given.get("servers", ())),
            not given.get("depends_on_time", False),
        )
        for suite, texts in given["tests"].items()
        for text in texts
    )
    return Reason(name, given["title"], given["text"].strip(), given["right"], patterns)


def differences(ran: Ran) -> list[Difference]:
    """In the order of their names."""
    both = ((name, ran.direct.get(name, ABSENT), ran.through.get(name, ABSENT)) for name in _names(ran))
    return [Difference(*each) for each in both if each[1].kind is not each[2].kind]


def _names(ran: Ran) -> list[str]:
    return sorted({*ran.direct, *ran.through})


def judge(ran: Ran, reasons: Sequence[Reason], suite: str, version: int, is_whole: bool = True) -> Judged:
    """`is_whole`: whether everything was run, so that what does not occur is gone."""
    explained: dict[str, list[Difference]] = {}
    unexplained: list[Difference] = []
    used: set[Pattern] = set()
    listed = [(reason, pattern) for reason in reasons for pattern in reason.patterns]
    for difference in differences(ran):
        found = next((each for each in listed if each[1].covers(suite, version, difference)), None)
        if found is None:
            unexplained.append(difference)
        else:
            explained.setdefault(found[0].name, []).append(difference)
            used.add(found[1])
    gone = [
        pattern
        for reason in reasons
        for pattern in reason.patterns
        if is_whole and pattern.is_certain and pattern.applies(suite, version) and pattern not in used
    ]
    return Judged(ran, explained, unexplained, gone)


def suspect(ran: Ran, reasons: Sequence[Reason], suite: str, version: int) -> list[str]:
    """The tests whose difference is not explained."""
    return [each.test for each in judge(ran, reasons, suite, version).unexplained]
