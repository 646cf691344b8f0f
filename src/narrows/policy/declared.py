"""Ids that policies may name: only what is declared, for Cedar itself takes any.

`Group::"fraud-team"` misspelt validates in Cedar and then never matches, so a `forbid` for it forbids
nothing. Here every id is looked up, every resource id must be written as narrows writes it, and the words
compared with labels and with closed lists must be in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from cedarpy import pst

from narrows.model.resource import Resource, ResourceKind
from narrows.policy import ids, schema
from narrows.policy.errors import suggestion


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
    elif kind in set(ResourceKind):
        yield from (
            Undeclared(needle, f"{kind}::{needle} {message}", remedy)
            for message, remedy in _resource_faults(ResourceKind(kind), name, declared)
        )


def _literal(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _resource_faults(kind: ResourceKind, name: str, declared: Declared) -> Iterator[tuple[str, str]]:
    homes = {connection: databases[0] for connection, databases in declared.databases.items() if databases}
    resource = ids.parse(kind, name, homes)
    if resource is None:
        yield "is not the id of a " + kind.lower(), f'write it like {kind}::"{ids.EXAMPLES[kind]}"'
        return
    connection = resource.path[0]
    if kind is ResourceKind.GATEWAY:
        return
    if connection not in declared.connections:
        remedy = suggestion(connection, declared.connections) or "declare the connection in narrows.yaml"
        yield f'names no declared connection ("{connection}")', remedy
    elif len(resource.path) > 1 and kind is not ResourceKind.ROLE:
        yield from _database_faults(resource, homes.get(connection), declared.databases.get(connection, ()))


def _database_faults(
    resource: Resource, home: str | None, databases: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    connection, database = resource.path[:2]
    if databases and database not in databases:
        yield f'names no listed database of "{connection}"', suggestion(database, databases)
    if database == home and ids.names_database(resource):
        remedy = f'leave it out: the home database of "{connection}" is not written'
        yield f'names the home database "{database}"', remedy


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
