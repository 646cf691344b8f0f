"""Ids that policies may name: only what is declared, for Cedar itself takes any.

`Group::"fraud-team"` misspelt validates in Cedar and then never matches, so a `forbid` for it forbids
nothing. Here every id is looked up, every resource id must be written as narrows writes it, and the words
compared with labels and with closed lists must be in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from cedarpy import pst

from narrows.model.resource import ResourceKind, quote
from narrows.policy import schema
from narrows.policy.errors import suggestion

_NAME = r'("(?:[^"]|"")+"|[a-zA-Z_][a-zA-Z0-9_$-]*)'
_BELOW = {
    ResourceKind.SCHEMA: 1,
    ResourceKind.TABLE: 2,
    ResourceKind.FUNCTION: 2,
    ResourceKind.COLUMN: 3,
}
_SHAPES = {
    ResourceKind.CONNECTION: "shop",
    ResourceKind.DATABASE: "shop/database",
    ResourceKind.ROLE: "shop/role",
    ResourceKind.SCHEMA: "shop/public",
    ResourceKind.TABLE: "shop/public.orders",
    ResourceKind.FUNCTION: "shop/public.full_price",
    ResourceKind.COLUMN: "shop/public.orders.total",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that the configuration declares and policies may name."""

    users: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    databases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Connection -> its databases, the home database first."""
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Undeclared:
    """One word that nothing declares; `needle` is how it stands in the text."""

    needle: str
    message: str
    remedy: str


def undeclared(policy: pst.Template, declared: Declared) -> Iterator[Undeclared]:
    """Every id and closed word in a policy that names nothing."""
    for uid in sorted(pst.entity_uids(policy), key=str):
        yield from _check_uid(str(uid.type), uid.id, declared)
    for path, words in _compared(policy):
        known = _closed_list(path, declared)
        for word in words:
            if known is not None and word not in known:
                subject = ".".join(path)
                message = f'"{word}" is never in {subject}'
                yield Undeclared(f'"{word}"', message, suggestion(word, known))


def names(declared: Declared) -> Mapping[str, frozenset[str]]:
    """Entity type -> ids, for the types that are simply listed."""
    return {
        "User": declared.users,
        "Service": declared.services,
        "Group": declared.groups,
        "Gateway": frozenset({"narrows"}),
    }


def _check_uid(kind: str, name: str, declared: Declared) -> Iterator[Undeclared]:
    known = names(declared).get(kind)
    needle = _literal(name)
    if known is not None:
        if name not in known:
            remedy = (
                suggestion(name, known) or f"declare it in narrows.yaml or mend the {kind.lower()}'s name"
            )
            yield Undeclared(needle, f"{kind}::{needle} is not declared", remedy)
    elif kind in _SHAPES:
        yield from (
            Undeclared(needle, f"{kind}::{needle} {message}", remedy)
            for message, remedy in _resource_faults(ResourceKind(kind), name, declared)
        )


def _literal(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _resource_faults(kind: ResourceKind, name: str, declared: Declared) -> Iterator[tuple[str, str]]:
    path = split_id(kind, name)
    if path is None:
        yield "is not the id of a " + kind.lower(), f'write it like {kind}::"{_SHAPES[kind]}"'
        return
    connection, database = path
    if connection not in declared.connections:
        yield (
            f'names no declared connection ("{connection}")',
            suggestion(connection, declared.connections) or "declare the connection in narrows.yaml",
        )
        return
    databases = declared.databases.get(connection, ())
    if database is not None and databases and database not in databases:
        yield f'names no listed database of "{connection}"', suggestion(database, databases)
    if database is not None and kind in _BELOW and databases[:1] == (database,):
        remedy = f'leave it out: the home database of "{connection}" is not written'
        yield f'names the home database "{database}"', remedy


def split_id(kind: ResourceKind, name: str) -> tuple[str, str | None] | None:
    """(connection, database as written or None) of a resource id, or None where it is not one.

    Only the one spelling that `Resource.id` writes is an id: another would never match.
    """
    if kind in _BELOW:
        pattern = rf"{_NAME}(?:/{_NAME})?/" + r"\.".join([_NAME] * _BELOW[kind])
    elif kind is ResourceKind.CONNECTION:
        pattern = _NAME
    else:
        pattern = rf"{_NAME}/{_NAME}"
    match = re.fullmatch(pattern, name)
    parts = match.groups() if match else ()
    if not parts or any(part is not None and quote(_unquote(part)) != part for part in parts):
        return None
    database = parts[1] if len(parts) > 1 and kind is not ResourceKind.ROLE else None
    return _unquote(parts[0]), None if database is None else _unquote(database)


def _unquote(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _closed_list(path: tuple[str, ...], declared: Declared) -> frozenset[str] | tuple[str, ...] | None:
    if path[-1] == "labels":
        return declared.labels
    return _CLOSED.get(path)


def _closed_words() -> dict[tuple[str, ...], tuple[str, ...]]:
    top = {rule.name: rule.values for rules in schema.BY_ACTION.values() for rule in rules if rule.values}
    inner = {("session", rule.name): rule.values for rule in schema.SESSION if rule.values}
    return {("context", name): values for name, values in top.items()} | {
        ("context", *path): values for path, values in inner.items()
    }


_CLOSED = _closed_words()


def _compared(policy: pst.Template) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(attribute path, string literals that it is compared with) for every comparison in a policy."""
    for node in walk(policy):
        if isinstance(node, pst.BinaryOp):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                path, words = attribute_path(one), _words(other)
                if path and words:
                    yield path, words


def attribute_path(node: object) -> tuple[str, ...]:
    """`context.session.mode` as ("context", "session", "mode"); empty for any other expression."""
    if isinstance(node, pst.Var):
        return (node.name,)
    if isinstance(node, pst.GetAttr):
        base = attribute_path(node.base)
        return (*base, node.attr) if base else ()
    return ()


def _words(node: object) -> tuple[str, ...]:
    if isinstance(node, pst.StringLit):
        return (node.value,)
    if isinstance(node, pst.Set):
        return tuple(element.value for element in node.elements if isinstance(element, pst.StringLit))
    return ()


def walk(root: object) -> Iterator[object]:
    """Every node under a policy, without recursion."""
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(_children(node))


def _children(node: Any) -> Iterable[Any]:
    for accepts, children in _CHILDREN:
        if accepts(node):
            return children(node)
    return ()


_CHILDREN: tuple[tuple[Callable[[Any], bool], Callable[[Any], Iterable[Any]]], ...] = (
    (lambda node: isinstance(node, Mapping), lambda node: node.values()),
    (lambda node: isinstance(node, tuple), lambda node: node),
    (
        lambda node: is_dataclass(node) and not isinstance(node, type),
        lambda node: (getattr(node, part.name) for part in fields(node)),
    ),
)
