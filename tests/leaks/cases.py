"""A corpus directory: its cases, what it protects, and which of its words stand for the place where it runs.

Law: a case is run as it is written, but for three words that name the place where it was written: the database
`leak_case`, the port 55432 and the directory /var/tmp/leak. Each becomes what it is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).with_name("corpus")
DATABASE, PORT, DIRECTORY = "leak_case", "55432", "/var/tmp/leak"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """How a statement that must not run shows that it did: what `sql` answers then."""

    sql: str
    after: str

    @property
    def is_unobservable(self) -> bool:
        """Nothing can be seen afterwards, so only a refusal shows that it did not run."""
        return self.sql.strip().lower() == "select 1"


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it is written in the corpus."""

    id: str
    category: str
    gateway: str
    """mask, block, mask-or-block, allow or policy: what a gateway should do with it."""
    steps: tuple[Step, ...]
    literals: tuple[str, ...] = ()
    effect: Effect | None = None
    user: str = "app"
    strict: str | None = None
    default: str | None = None
    is_control: bool = False
    """Nothing leaks without a gateway either."""
    is_timing: bool = False
    note: str = ""

    @property
    def users(self) -> set[str]:
        """Everybody who signs in."""
        given = {step.get("user") or (step.get("startup") or {}).get("user") for step in self.steps}
        return {self.user, *(user for user in given if user)}


@dataclass(frozen=True)
class Corpus:
    """Everything in one corpus directory."""

    directory: Path
    cases: tuple[Case, ...]
    columns: Mapping[str, Mapping[str, Any]]
    """schema.table -> column -> label."""
    trusted_functions: tuple[str, ...] = ()

    @property
    def users(self) -> list[str]:
        return sorted({"app"}.union(*(case.users for case in self.cases)))


def load(directory: Path = CORPUS) -> Corpus:
    """Read a corpus: postgres.yaml, narrows.yaml where there is one, schema.sql, twin.sql, labels.yaml."""
    written = [_yaml(path) for path in (directory / "postgres.yaml", *directory.glob("narrows.yaml"))]
    labels = _yaml(directory / "labels.yaml")
    return Corpus(
        directory,
        tuple(_case(row, each.get("default_user", "app")) for each in written for row in each["cases"]),
        labels["labels"],
        tuple(_qualified(name) for name in labels.get("trusted_functions") or ()),
    )


def select(cases: Sequence[Case], only: str | None) -> list[Case]:
    """Those of a category or an id; of a regular expression over ids where neither fits; all for None."""
    if only is None:
        return list(cases)
    exact = [case for case in cases if only in (case.id, case.category)]
    return exact or [case for case in cases if re.search(only, case.id)]


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=_LOADER)


def _qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _case(row: Mapping[str, Any], user: str) -> Case:
    effect = row.get("effect")
    return Case(
        id=row["id"],
        category=row["category"],
        gateway=row["gateway"],
        steps=tuple(row.get("steps") or ({"query": row["sql"]},)),
        literals=tuple(row.get("must_not_appear") or ()),
        effect=Effect(effect["sql"], str(effect["after"])) if effect else None,
        user=row.get("user", user),
        strict=row.get("strict"),
        default=row.get("default"),
        is_control=bool(row.get("control")),
        is_timing=bool(row.get("timing")),
        note=row.get("note", ""),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case runs: the words that its own are replaced by."""

    database: str
    port: int
    directory: Path

    def text(self, text: str) -> str:
        """The case's text with this place's words."""
        text = text.replace(DATABASE, self.database).replace(DIRECTORY, str(self.directory))
        return re.sub(rf"\b{PORT}\b", str(self.port), text)

    def step(self, step: Step) -> dict[str, Any]:
        """A step with this place's words, at any depth."""
        return {name: self._deep(value) for name, value in step.items()}

    def steps(self, case: Case) -> Iterator[dict[str, Any]]:
        return (self.step(step) for step in case.steps)

    def _deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._deep(each) for each in value]
        if isinstance(value, dict):
            return {name: self._deep(each) for name, each in value.items()}
        return value
