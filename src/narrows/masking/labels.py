"""`labels.yaml`: which labels there are, what each rung shows of them, which columns bear them.

    labels:
      ssn:
        description: social security number
        none: constant              # no rung: a fixed text
        token: {hash: {length: 16}} # reveal_token
        partial: {keep_last: 4}     # reveal_partial
    columns:
      shop:
        public.customers: {ssn: ssn, email: [email, pii]}
      shop/archive:                 # another database of the connection
        public.customers_2019: {ssn: ssn}
    trusted_functions:
      shop: [public.full_price]

Laws: every fault is named with its path and line, or nothing is used; a key that stands twice is a fault; an
operator that would show more than its rung allows is a fault.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from narrows.masking import document as documents
from narrows.masking.builtin import BUILT_IN
from narrows.masking.document import Document, LabelFault, Path, kind_of
from narrows.masking.rules import parse_rule
from narrows.model.label import ColumnKey, DatabaseLabels, Label, Labels, Rung

_SECTIONS = ("labels", "columns", "trusted_functions")
_RUNGS = {"none": Rung.NONE, "token": Rung.TOKEN, "partial": Rung.PARTIAL}
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$-]*)')
_DATABASE = tuple[str, str]


class LabelError(Exception):
    """`labels.yaml` cannot be used; nothing of it is. Mend every fault listed."""

    def __init__(self, faults: Iterable[LabelFault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def parse_labels(text: str, databases: Mapping[str, str]) -> Labels:
    """The labels of a file; `databases` is each connection's home database; raises `LabelError` with all faults."""
    document = documents.read(text)
    sections = dict(document.mapping(document.value, (), "sections"))
    for name in sections:
        if name not in _SECTIONS:
            document.fault((name,), "is not a section of labels.yaml", _near(name, _SECTIONS))
    labels = {**BUILT_IN, **dict(_labels(document, sections.get("labels")))}
    columns = _by_database(document, "columns", sections.get("columns"), databases)
    functions = _by_database(document, "trusted_functions", sections.get("trusted_functions"), databases)
    parsed = {
        database: DatabaseLabels(
            dict(_columns(document, *columns.get(database, ((), None)), labels)),
            frozenset(_functions(document, *functions.get(database, ((), None)))),
        )
        for database in {**columns, **functions}
    }
    if document.faults:
        raise LabelError(document.faults)
    return Labels(labels, parsed, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def _labels(document: Document, section: Any) -> Iterator[tuple[str, Label]]:
    for name, body in document.mapping(section, ("labels",), "labels"):
        path: Path = ("labels", name)
        if not _LABEL.match(name):
            document.fault(path, "is not a label's name", "use lower-case letters, digits, `_` and `-`")
        yield name, _label(document, path, name, body)


def _label(document: Document, path: Path, name: str, body: Any) -> Label:
    """A label; a rung that is left out has the built-in label's mask, or the default."""
    base = BUILT_IN.get(name, Label(name))
    given = {"none": base.none, "token": base.token, "partial": base.partial}
    description = base.description
    for word, value in document.mapping(body, path, "description, none, token and partial"):
        if word == "description":
            description = str(value)
        elif word not in _RUNGS:
            document.fault((*path, word), "is not a rung", _near(word, ("description", *_RUNGS)))
        else:
            given[word] = parse_rule(document, (*path, word), value, _RUNGS[word]) or given[word]
    return Label(name, given["none"], given["token"], given["partial"], description)


def _by_database(
    document: Document, section: str, value: Any, homes: Mapping[str, str]
) -> dict[_DATABASE, tuple[Path, Any]]:
    """(connection, database) -> where its part of a section stands, and the part."""
    found: dict[_DATABASE, tuple[Path, Any]] = {}
    for name, part in document.mapping(value, (section,), "connections"):
        path: Path = (section, name)
        connection, slash, other = name.partition("/")
        if connection not in homes:
            document.fault(path, f'no connection is called "{connection}"', _near(connection, homes))
            continue
        database = (connection, other if slash else homes[connection])
        if slash and (not other or other == homes[connection]):
            document.fault(path, "names the connection's own database", f'write "{connection}" alone')
        found[database] = (path, part)
    return found


def _columns(
    document: Document, path: Path, part: Any, labels: Mapping[str, Label]
) -> Iterator[tuple[ColumnKey, frozenset[str]]]:
    seen: set[ColumnKey] = set()
    for table, columns in document.mapping(part, path, "tables"):
        names = split_name(table)
        if len(names) != 2:
            document.fault((*path, table), "is not a table's name", "write it as schema.table")
            continue
        for column, given in document.mapping(columns, (*path, table), "columns"):
            place = (*path, table, column)
            key = (names[0], names[1], column)
            if key in seen:
                document.fault(place, "stands twice, written in two ways", "keep one of the two")
            seen.add(key)
            yield key, frozenset(_given(document, place, given, labels))


def _given(document: Document, path: Path, given: Any, labels: Mapping[str, Label]) -> Iterator[str]:
    """The labels of one column: a word or a list of words."""
    words = given if isinstance(given, list) else [given]
    if not words:
        document.fault(path, "has no label", "name one, or remove the column")
    for word in words:
        if not isinstance(word, str):
            document.fault(path, f"a label is a word, not {kind_of(word)}", "name one, or remove the column")
        elif word not in labels:
            document.fault(path, f'no label is called "{word}"', _near(word, labels))
        else:
            yield word


def _functions(document: Document, path: Path, part: Any) -> Iterator[tuple[str, str]]:
    if part is not None and not isinstance(part, list):
        document.fault(
            path, f"should be a list of functions, not {kind_of(part)}", "write [public.full_price]"
        )
        return
    for place, name in enumerate(part or ()):
        names = split_name(name) if isinstance(name, str) else ()
        if len(names) == 2:
            yield names[0], names[1]
        else:
            document.fault(
                (*path, place), "is not a function's name", "write it as schema.function, without arguments"
            )


def split_name(text: str) -> tuple[str, ...]:
    """The names between the dots, double quotes undone; empty where it is not a name."""
    found: list[str] = []
    at = 0
    while match := _NAME.match(text, at):
        found.append(match[1].replace('""', '"') if match[1] else match[2])
        at = match.end()
        if at == len(text):
            return tuple(found)
        if text[at] != ".":
            break
        at += 1
    return ()


def _near(word: str, known: Iterable[str]) -> str:
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known are {', '.join(words[:20])}"
