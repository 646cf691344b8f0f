"""Text -> parsed statements, each node and field of which is known to the pinned grammar.

Laws: NUL is looked for first, since the parser stops at it silently; a node or field that is not in
`data/grammar.txt` refuses, so a new grammar cannot slip past the visitors; nesting is measured here without
recursion, so that no visitor can run out of stack.

A tree is what `parse_sql_json` prints: a node of any type stands wrapped as `{type: fields}`, a node of a
type that its field fixes stands as bare fields. Offsets are in bytes of UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pglast.parser import ParseError, parse_sql_json

from narrows.inspect.sql import copies, data
from narrows.inspect.sql.limits import Limits
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.work import LETTER, NODE, spend
from narrows.model.reason import Reason

Node = dict[str, Any]
"""The fields of one node, or `{type: fields}` where any type may stand."""

MOST_PRINTED = 400
"""Bytes of tree for a byte of text: what comes out larger has been copied."""

WRAPPED, LIST, SCALAR = "*", "[]", ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement: its node type, its fields and its slice of the text."""

    type: str
    fields: Node
    text: str


def parse(text: str, limits: Limits) -> list[Parsed]:
    """The statements of a text in order; raises Refused."""
    source = _encode(text, limits)
    spend(LETTER * len(text))
    if copies.multiplies(text):
        raise too_complex()
    try:
        printed = parse_sql_json(text)
        if len(printed) > MOST_PRINTED * (len(source) + 1000):
            raise too_complex()
        spend(len(printed) // 20)
        raw = json.loads(printed)["stmts"]
    except ParseError as error:
        raise _unparsable(error) from None
    except RecursionError:
        raise too_complex() from None
    if len(raw) > limits.statements:
        raise Refused(Reason.TOO_COMPLEX, f"more than {limits.statements} statements at once")
    return [_parsed(each, source, text, limits) for each in raw]


def walk(type_: str, fields: Node) -> Iterator[tuple[str, Node]]:
    """Every node of a tree with its type, the given one first; the order is otherwise not defined."""
    stack = [(type_, fields)]
    while stack:
        name, node = stack.pop()
        spend(5)
        yield name, node
        shape = GRAMMAR[name]
        for field, value in node.items():
            kind = shape[field]
            if kind == SCALAR:
                continue
            for child in value if kind == LIST else (value,):
                if kind in (LIST, WRAPPED):
                    stack.extend(child.items())
                else:
                    stack.append((kind, child))


def unwrap(node: Node) -> tuple[str, Node]:
    """Type and fields of a wrapped node."""
    return next(iter(node.items()))


def strings(names: list[Node] | None) -> tuple[str, ...]:
    """A list of String nodes as plain strings; other nodes in it (`*`) are left out."""
    return tuple([each["String"].get("sval", "") for each in names or () if "String" in each])


def too_complex() -> Refused:
    return Refused(Reason.TOO_COMPLEX, "the statement is nested too deeply")


def _encode(text: str, limits: Limits) -> bytes:
    if "\0" in text:
        raise Refused(Reason.NUL_BYTE, "the statement contains a NUL byte", position=text.index("\0") + 1)
    if len(text) > limits.text_bytes:
        raise _too_large(limits)
    try:
        source = text.encode()
    except UnicodeEncodeError as error:
        message = "the statement is not valid UTF-8"
        raise Refused(Reason.UNPARSABLE, message, position=error.start + 1, sqlstate="22021") from None
    if len(source) > limits.text_bytes:
        raise _too_large(limits)
    return source


def _too_large(limits: Limits) -> Refused:
    return Refused(Reason.TOO_LARGE, f"the statement is over {limits.text_bytes} bytes")


def _unparsable(error: ParseError) -> Refused:
    message = str(error.args[0]) if error.args else "syntax error"
    index = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
    if "memory exhausted" in message or "stack depth" in message:
        return too_complex()
    position = index + 1 if index is not None and index >= 0 else None
    return Refused(Reason.UNPARSABLE, message, position=position, sqlstate="42601")


def _parsed(raw: Node, source: bytes, text: str, limits: Limits) -> Parsed:
    if not raw.keys() <= PRINTED:
        raise undecided("the parser gave something that is not known")
    begin = raw.get("stmt_location", 0)
    end = begin + raw["stmt_len"] if "stmt_len" in raw else len(source)
    type_, fields = unwrap(raw["stmt"])
    _check(type_, fields, limits.depth)
    if begin == 0 and end == len(source):
        return Parsed(type_, fields, text)
    return Parsed(type_, fields, source[begin:end].decode())


PRINTED = frozenset({"stmt", "stmt_location", "stmt_len"})
"""What a statement comes out of the parser as."""


def _check(type_: str, fields: Node, depth: int) -> None:
    """Every node and field is known, and nothing is nested deeper than that."""
    level = [(type_, fields)]
    while level:
        if depth == 0:
            raise too_complex()
        depth -= 1
        spend(NODE * len(level))
        below: list[tuple[str, Node]] = []
        for name, node in level:
            shape = GRAMMAR.get(name)
            if shape is None:
                raise undecided(f"the statement uses {name}, which the gateway does not know")
            for field, value in node.items():
                kind = shape.get(field)
                if kind == SCALAR:
                    continue
                if kind is None:
                    raise undecided(f"the statement uses {name}.{field}, which the gateway does not know")
                if kind == LIST:
                    for each in value:
                        below.extend(each.items())
                elif kind == WRAPPED:
                    below.extend(value.items())
                else:
                    below.append((kind, value))
        level = below


def _grammar() -> dict[str, dict[str, str]]:
    listed = {row[0]: [field.split(":") for field in row[1:]] for row in data.rows("grammar.txt")}
    grammar = {
        name: {
            field.rstrip("_"): _kind(type_, listed)
            for field, type_ in fields
            if not field.startswith("cooked")
        }
        for name, fields in listed.items()
    }
    grammar["A_Const"] = {
        "isnull": SCALAR,
        "location": SCALAR,
        "ival": "Integer",
        "fval": "Float",
        "boolval": "Boolean",
        "sval": "String",
        "bsval": "BitString",
    }
    grammar["List"] = {"items": LIST}
    return grammar


def _kind(type_: str, listed: dict[str, list[list[str]]]) -> str:
    name = type_.rstrip("*")
    if name in ("Node", "Expr"):
        return WRAPPED
    if name == "List":
        return LIST
    return name if name in listed else SCALAR


GRAMMAR = _grammar()
"""Node type -> field -> what stands there: SCALAR, WRAPPED, LIST or the one node type that may."""
