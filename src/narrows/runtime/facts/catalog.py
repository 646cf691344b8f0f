"""The catalogs' rows as model values, in sections that are read and compared separately.

`sql/` holds one statement per kind of row. A section is read again only when its number in `sql/digest.sql`
changed, so that a migration of many statements stays cheap. The snapshot's id is a digest of the rows themselves:
the same schema (OIDs included, which masking relies on) has the same id on every day and gateway.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from narrows.model.snapshot import Column, ForeignKey, Function, Relation, RelationKind
from narrows.runtime.facts.query import read_row
from narrows.wire.errors import ProtocolError

FIRST_USER_OID = 16384
"""PostgreSQL's FirstNormalObjectId: below it is what initdb made."""
_LAST_OID = 2**32 - 1

Row = tuple[str | None, ...]


@cache
def sql(name: str) -> str:
    """A statement of `sql/` without its comments."""
    text = resources.files(__package__).joinpath("sql", f"{name}.sql").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.strip().startswith("--"))


@dataclass
class Section:
    """What one section's statements brought: plain values, and the digest of their rows."""

    relations: dict[int, Relation] = field(default_factory=dict)
    functions: dict[tuple[str, str], tuple[Function, ...]] = field(default_factory=dict)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    operators: list[tuple[str, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    head: Row = ()
    digest: bytes = b""
    versions: dict[int, str] = field(default_factory=dict)
    """View -> what changes with its definition."""
    is_whole: bool = True
    """False where something was exclusively locked, and what it is by definition is not known."""


class Reading:
    """Takes the rows of one section's statements, statement by statement.

    What is exclusively locked comes from the section as it was read before, if it is still the same.
    """

    def __init__(self, statements: tuple[str, ...], before: Section | None = None) -> None:
        self.section = Section()
        self._before = before or Section()
        self._statements = statements
        self._types: dict[int, str] = {}
        self._hash = hashlib.sha256()

    def take(self, statement: int, payload: bytes) -> None:
        """One DataRow of the statement of that number."""
        name = self._statements[statement]
        try:
            row = read_row(payload)
            self._hash.update(payload[: -_undigested(row)] if name == "relations" else payload)
            _TAKERS[name](self, row)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ProtocolError(
                "upstream", f"the catalogs hold what we cannot read ({name}: {error})"
            ) from error

    def finish(self) -> Section:
        self.section.digest = self._hash.digest()
        return self.section

    def _take_type(self, row: Row) -> None:
        oid, name = _texts(row)
        self._types[int(oid)] = sys.intern(name)

    def _take_relation(self, row: Row) -> None:
        oid, schema, name, kind, owner, parents, definition, triggers, rules, columns, keys, *rest = row
        _, is_blocked, version, rows = rest
        relation = Relation(
            oid=int(_text(oid)),
            schema=sys.intern(_text(schema)),
            name=_text(name),
            kind=RelationKind(_text(kind)),
            columns=tuple([self._column(*values) for values in json.loads(columns)]) if columns else (),
            rows_estimate=int(_text(rows)),
            parents=tuple(json.loads(parents)) if parents else (),
            owner=sys.intern(owner or ""),
            definition=definition.rstrip().rstrip(";") if definition is not None else None,
            triggers=tuple(json.loads(triggers)) if triggers else (),
            rules=tuple(json.loads(rules)) if rules else (),
            keys=tuple([tuple(key) for key in json.loads(keys)]) if keys else (),
        )
        if version is not None:
            self.section.versions[relation.oid] = version
        if is_blocked == "t":
            relation = self._blocked(relation)
        self.section.relations[relation.oid] = relation

    def _blocked(self, relation: Relation) -> Relation:
        """A relation that is exclusively locked: a view as it was, where it is still the same; else what is sure."""
        version = self.section.versions.get(relation.oid)
        old = self._before.relations.get(relation.oid)
        if version is not None and old is not None and version == self._before.versions.get(relation.oid):
            found = replace(relation, definition=old.definition)
            self.section.is_whole = self.section.is_whole and old.definition is not None
        else:
            self.section.is_whole = False
            every = ", ".join(f'"{each.name}"' for each in relation.columns)
            columns = [
                replace(each, default=every) if each.is_generated else each for each in relation.columns
            ]
            found = replace(relation, columns=tuple(columns))
        self._hash.update(repr((found.definition, found.columns)).encode())
        return found

    def _column(
        self, name: str, attnum: int, type_oid: int, is_generated: bool, default: str | None
    ) -> Column:
        return Column(sys.intern(name), attnum, type_oid, self._types[type_oid], is_generated, default)

    def _take_function(self, row: Row) -> None:
        oid, schema, name, kind, language, volatility, definer, returns_set = _texts(row[:-4])
        extension, body, parameters, is_blocked = row[-4:]
        function = Function(
            oid=int(oid),
            schema=sys.intern(schema),
            name=name,
            kind=kind,
            language=sys.intern(language),
            volatility=volatility,
            is_definer=definer == "t",
            returns_set=returns_set == "t",
            extension=extension,
            body=body,
            parameters=tuple(json.loads(parameters)) if parameters else (),
        )
        self.section.is_whole = self.section.is_whole and is_blocked != "t"
        key = (function.schema, name)
        self.section.functions[key] = (*self.section.functions.get(key, ()), function)

    def _take_foreign_key(self, row: Row) -> None:
        self.section.foreign_keys.append(ForeignKey(*(int(text) for text in _texts(row))))

    def _take_operator(self, row: Row) -> None:
        schema, symbol = _texts(row)
        self.section.operators.append((schema, symbol))

    def _take_name(self, row: Row) -> None:
        self.section.names.append(_text(row[0]))

    def _take_head(self, row: Row) -> None:
        self.section.head = row


def _undigested(row: Row) -> int:
    """The bytes of a relation's last two values, and of the length between them."""
    return len((row[-2] or "").encode()) + 4 + len(row[-1] or "")


_TAKERS: Mapping[str, Callable[[Reading, Row], None]] = {
    "head": Reading._take_head,
    "schemas": Reading._take_name,
    "types": Reading._take_type,
    "relations": Reading._take_relation,
    "functions": Reading._take_function,
    "operators": Reading._take_operator,
    "foreign_keys": Reading._take_foreign_key,
}

SECTIONS: Mapping[str, tuple[tuple[str, ...], Mapping[str, int]]] = {
    "head": (("head",), {}),
    "schemas": (("schemas",), {}),
    "system": (("types", "relations"), {"low": 0, "high": FIRST_USER_OID - 1}),
    "user": (("types", "relations"), {"low": FIRST_USER_OID, "high": _LAST_OID}),
    "functions": (("functions", "operators"), {}),
    "foreign_keys": (("foreign_keys",), {}),
}
"""Section -> (its statements, what stands in their braces), in the order of digest.sql's columns."""


def texts_of(section: str) -> list[str]:
    """The statements of one section, ready to send."""
    statements, ranges = SECTIONS[section]
    texts = [sql(name) for name in statements]
    for name, number in ranges.items():
        texts = [text.replace(f"{{{name}}}", str(number)) for text in texts]
    return texts


def split_search_path(text: str) -> tuple[str, ...]:
    """A search_path setting as names: quoted ones as they are, others folded to lower case."""
    names: list[str] = []
    rest = text.strip()
    while rest:
        if rest.startswith('"'):
            name, rest = _quoted(rest)
        else:
            name, _, after = rest.partition(",")
            name, rest = name.strip().lower(), "," + after if _ else ""
        names.append(name)
        rest = rest.strip().removeprefix(",").strip()
    return tuple(name for name in names if name)


def _quoted(text: str) -> tuple[str, str]:
    end = 1
    while True:
        end = text.index('"', end) + 1
        if text[end : end + 1] != '"':
            return text[1 : end - 1].replace('""', '"'), text[end:]
        end += 1


def _text(value: str | None) -> str:
    if value is None:
        raise ValueError("NULL where none may be")
    return value


def _texts(row: Row) -> Any:
    return tuple([_text(value) for value in row])
