"""What became of each test, read from the XML that pytest writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree


class Kind(StrEnum):
    """As pytest counts; an error while a test is set up or ended is a failure."""

    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"
    ABSENT = "absent"
    """The other way had a test of this name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test, one way."""

    kind: Kind
    message: str = ""


ABSENT = Outcome(Kind.ABSENT)
Outcomes = Mapping[str, Outcome]
_KINDS = {"failure": Kind.FAILED, "error": Kind.FAILED, "skipped": Kind.SKIPPED}
_WORST = (Kind.FAILED, Kind.SKIPPED, Kind.PASSED)
_VERSION = re.compile(r"_\d+_\d+$")
"""SQLAlchemy names the server's version in its tests; the two ways of a run have the same one."""


def read(path: Path) -> dict[str, Outcome]:
    """Test -> outcome; of several with one name (sub-tests, a test and its end) the worst."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name, outcome = _name(case), _outcome(case)
        before = found.get(name)
        if before is None or _WORST.index(outcome.kind) < _WORST.index(before.kind):
            found[name] = outcome
    return found


def count(outcomes: Outcomes) -> Counter[Kind]:
    return Counter(outcome.kind for outcome in outcomes.values())


def _name(case: ElementTree.Element) -> str:
    """As pytest names it on its command line."""
    file = case.get("file", "")
    module = file.removesuffix(".py").replace("/", ".")
    classes = case.get("classname", "").removeprefix(module).strip(".").split(".")
    return "::".join(
        part for part in (file, *(_VERSION.sub("", name) for name in classes), case.get("name")) if part
    )


def _outcome(case: ElementTree.Element) -> Outcome:
    kind, messages = Kind.PASSED, []
    for child in case:
        if child.tag in _KINDS:
            kind = min(kind, _KINDS[child.tag], key=_WORST.index)
            messages += [child.get("message", ""), child.text or ""]
    return Outcome(kind, "\n".join(messages))
