"""What a PostgreSQL type can hold in place of its value.

Laws: a type that is not listed holds only NULL; a domain arrives as its base type (PostgreSQL's
RowDescription says so), in a COPY as itself and so holds NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class Family(Enum):
    TEXT = "text"
    JSON = "json"
    JSONB = "jsonb"
    XML = "xml"
    OTHER = "other"


_BY_OID: Mapping[int, Family] = {
    25: Family.TEXT,  # text
    1043: Family.TEXT,  # varchar
    1042: Family.TEXT,  # bpchar
    19: Family.TEXT,  # name
    705: Family.TEXT,  # unknown
    2275: Family.TEXT,  # cstring
    114: Family.JSON,
    3802: Family.JSONB,
    142: Family.XML,
}
"""pg_type.dat; these OIDs never change."""

TEXT_BY_NAME = frozenset({"citext"})
"""Types of extensions that are text on the wire in both formats; their OIDs differ per database."""


def family(type_oid: int, named_text: frozenset[int] = frozenset()) -> Family:
    """The family of a type; `named_text` are the OIDs that this database gives to `TEXT_BY_NAME`."""
    return Family.TEXT if type_oid in named_text else _BY_OID.get(type_oid, Family.OTHER)


def named_text(columns: Iterable[tuple[int, str]]) -> frozenset[int]:
    """OIDs of `TEXT_BY_NAME` among (type oid, type name) pairs of a snapshot."""
    return frozenset(oid for oid, name in columns if name.rpartition(".")[2] in TEXT_BY_NAME)
