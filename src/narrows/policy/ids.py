"""Resource ids read back: the inverse of `Resource.id`.

Law: only the one spelling that `Resource.id` writes is an id; another would validate and never match.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from narrows.model.resource import GATEWAY, Resource, ResourceKind

_NAME = r'("(?:[^"]|"")+"|[a-zA-Z_][a-zA-Z0-9_$-]*)'
_IN_DATABASE = {
    ResourceKind.SCHEMA: 1,
    ResourceKind.TABLE: 2,
    ResourceKind.FUNCTION: 2,
    ResourceKind.COLUMN: 3,
}

EXAMPLES: Mapping[ResourceKind, str] = {
    ResourceKind.GATEWAY: "narrows",
    ResourceKind.CONNECTION: "shop",
    ResourceKind.DATABASE: "shop/database",
    ResourceKind.ROLE: "shop/role",
    ResourceKind.SCHEMA: "shop/public",
    ResourceKind.TABLE: "shop/public.orders",
    ResourceKind.FUNCTION: "shop/public.full_price",
    ResourceKind.COLUMN: "shop/public.orders.total",
}


def parse(kind: ResourceKind, name: str, homes: Mapping[str, str]) -> Resource | None:
    """The resource with that id, or None; `homes` is each connection's own database, where it is known."""
    if kind is ResourceKind.GATEWAY:
        return GATEWAY if name == GATEWAY.id else None
    match = re.fullmatch(_pattern(kind), name)
    if match is None:
        return None
    resource = _resource(kind, [None if part is None else _unquote(part) for part in match.groups()], homes)
    return resource if resource.id == name else None


def parse_reference(text: str, homes: Mapping[str, str]) -> Resource | None:
    """The resource written as in a policy: `Table::"shop/public.orders"`."""
    match = re.fullmatch(r'(\w+)::"((?:[^"\\]|\\.)*)"', text)
    if match is None or match[1] not in set(ResourceKind):
        return None
    return parse(ResourceKind(match[1]), re.sub(r"\\(.)", r"\1", match[2]), homes)


def names_database(resource: Resource) -> bool:
    """Whether the id states a database that could be left out."""
    return resource.kind in _IN_DATABASE and not resource.is_home


def _pattern(kind: ResourceKind) -> str:
    if kind in _IN_DATABASE:
        return rf"{_NAME}(?:/{_NAME})?/" + r"\.".join([_NAME] * _IN_DATABASE[kind])
    return _NAME if kind is ResourceKind.CONNECTION else rf"{_NAME}/{_NAME}"


def _resource(kind: ResourceKind, parts: list[str | None], homes: Mapping[str, str]) -> Resource:
    connection, *rest = parts
    names = tuple(part for part in rest if part is not None)
    if kind in _IN_DATABASE and rest[0] is None:
        return Resource(kind, (str(connection), homes.get(str(connection), ""), *names))
    is_home = kind not in _IN_DATABASE and (
        kind is not ResourceKind.DATABASE or names[0] == homes.get(str(connection), names[0])
    )
    return Resource(kind, (str(connection), *names), is_home)


def _unquote(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
