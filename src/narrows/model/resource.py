"""What is acted upon: a kind and a path, with one injective way to write it as an id.

The path of a PostgreSQL resource is (connection, database, schema, relation, column), cut where the kind
ends. The id leaves out the database where it is the connection's own, so that policies read
`Table::"shop/public.payroll"`; another database shows: `Table::"shop/other/public.payroll"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_$-]*\Z")


class ResourceKind(StrEnum):
    GATEWAY = "Gateway"
    CONNECTION = "Connection"
    DATABASE = "Database"
    SCHEMA = "Schema"
    TABLE = "Table"
    COLUMN = "Column"
    FUNCTION = "Function"
    ROLE = "Role"


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that policy can name.

    `path` is (connection,), (connection, database), (connection, database, schema),
    (connection, database, schema, relation or function), and one more for a column.
    A role is (connection, role). The gateway's path is ("narrows",).
    `is_home` says that the database is the connection's own.
    """

    kind: ResourceKind
    path: tuple[str, ...]
    is_home: bool = True

    @property
    def id(self) -> str:
        connection, *rest = self.path
        if self.kind in (ResourceKind.GATEWAY, ResourceKind.CONNECTION):
            return quote(connection)
        if self.kind in (ResourceKind.DATABASE, ResourceKind.ROLE):
            return f"{quote(connection)}/{quote(rest[0])}"
        database, *names = rest
        home = "" if self.is_home else f"/{quote(database)}"
        return f"{quote(connection)}{home}/{'.'.join(quote(name) for name in names)}"

    @property
    def parent(self) -> Resource | None:
        """The next thing up: Column -> Table -> Schema -> Database -> Connection -> None."""
        up = _PARENT.get(self.kind)
        return Resource(up, self.path[:-1], self.is_home) if up else None

    def ancestors(self) -> Iterator[Resource]:
        """Parents from the nearest to the Connection."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    def __str__(self) -> str:
        return f'{self.kind}::"{self.id}"'


_PARENT = {
    ResourceKind.COLUMN: ResourceKind.TABLE,
    ResourceKind.TABLE: ResourceKind.SCHEMA,
    ResourceKind.FUNCTION: ResourceKind.SCHEMA,
    ResourceKind.SCHEMA: ResourceKind.DATABASE,
    ResourceKind.DATABASE: ResourceKind.CONNECTION,
    ResourceKind.ROLE: ResourceKind.CONNECTION,
}

GATEWAY = Resource(ResourceKind.GATEWAY, ("narrows",))


def quote(name: str) -> str:
    """The name as it is, or in double quotes (doubled inside) where it could be mistaken for structure."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'
