"""The snapshot and labels of the masking tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from narrows.core import PgBackend, Plan, Rows
from narrows.masking import build_plan, parse_labels
from narrows.model.label import Labels, Rung
from narrows.model.reach import Reach
from narrows.model.resource import Resource, ResourceKind
from narrows.model.snapshot import Column, Relation, RelationKind, Snapshot
from narrows.model.verdict import MaskObligation
from narrows.wire.postgres.backend import DataRow, Field, build_data_row

TEXT, VARCHAR, BPCHAR, NAME, INT4, DATE, JSON, JSONB, XML, UUID, TEXTS = (
    25, 1043, 1042, 19, 23, 1082, 114, 3802, 142, 2950, 1009,
)  # fmt: skip
CITEXT = 16390
TYPE_NAMES = {TEXT: "text", INT4: "integer", CITEXT: "citext"}
KEY = b"k" * 32

LABELS_TEXT = """
labels:
  ssn: {none: constant, token: {hash: {length: 12}}, partial: {keep_last: 4}}
  tag: {none: {constant: "<&>"}, token: null, partial: {constant: seen}}
columns:
  shop:
    public.customers: {ssn: ssn, email: email, born: dob, profile: tag, extra: tag, note: tag, code: ssn, both: [ssn, tag]}
    public.events: {who: email}
    public.view_of_all: {shown: ssn}
"""
LABELS = parse_labels(LABELS_TEXT, {"shop": "shop"})
NO_LABELS = Labels()

CUSTOMERS, ORDERS, EVENTS, EVENTS_2024, VIEW, PLAIN_VIEW, FOREIGN = (
    16400,
    16401,
    16402,
    16403,
    16404,
    16405,
    16406,
)
PG_CLASS, NEWER = 1259, 99999


def relation(
    oid: int,
    name: str,
    columns: Mapping[str, int],
    kind: RelationKind = RelationKind.TABLE,
    parents: Sequence[int] = (),
) -> Relation:
    return Relation(
        oid,
        "public",
        name,
        kind,
        tuple(
            Column(column, place + 1, type_, TYPE_NAMES.get(type_, "other"))
            for place, (column, type_) in enumerate(columns.items())
        ),
        parents=tuple(parents),
        keys=((1,),) if kind is RelationKind.TABLE else (),
    )


CUSTOMER_TYPES = {
    "id": INT4, "ssn": TEXT, "email": VARCHAR, "born": DATE, "profile": JSON, "extra": JSONB, "note": XML,
    "code": CITEXT, "both": TEXT, "city": TEXT,
}  # fmt: skip
RELATIONS = (
    relation(CUSTOMERS, "customers", CUSTOMER_TYPES),
    relation(ORDERS, "orders", {"id": INT4, "what": TEXT, "email": TEXT}),
    relation(EVENTS, "events", {"id": INT4, "who": TEXT}, RelationKind.PARTITIONED),
    relation(EVENTS_2024, "events_2024", {"who": TEXT, "id": INT4}, parents=[EVENTS]),
    relation(VIEW, "view_of_all", {"shown": TEXT, "city": TEXT}, RelationKind.VIEW),
    relation(PLAIN_VIEW, "cities", {"city": TEXT}, RelationKind.VIEW),
    relation(FOREIGN, "far", {"city": TEXT}, RelationKind.FOREIGN),
)
SNAPSHOT = Snapshot(
    id="s1",
    connection="shop",
    database="shop",
    is_home=True,
    server_version=150013,
    taken_at=0.0,
    relations={one.oid: one for one in RELATIONS},
    by_name={(one.schema, one.name): one for one in RELATIONS},
)


def column(of: str, name: str) -> Resource:
    return Resource(ResourceKind.COLUMN, ("shop", "shop", "public", of, name))


def field(oid: int, name: str = "", type_oid: int | None = None, attnum: int | None = None) -> Field:
    """The description of a column of a relation, or of an expression where the OID is 0."""
    known = SNAPSHOT.relations[oid].column(name) if oid in SNAPSHOT.relations else None
    return Field(
        name=name or "?column?",
        table_oid=oid,
        attnum=attnum if attnum is not None else (known.attnum if known else 0),
        type_oid=type_oid if type_oid is not None else (known.type_oid if known else TEXT),
        type_size=-1,
        typmod=-1,
        format=0,
    )


def reach(*columns: Resource, is_derived: bool = False, is_unknown: bool = False) -> Reach:
    labels = LABELS.of("shop", "shop").columns
    found = {one: labels.get((one.path[2], one.path[3], one.path[4]), frozenset({"ssn"})) for one in columns}
    return Reach(found, is_derived, is_unknown)


def plan(
    fields: Sequence[Field],
    at: Reach | None = None,
    rungs: Mapping[Resource, Rung] | None = None,
    formats: Sequence[int] = (),
    labels: Labels = LABELS,
    key: bytes = KEY,
) -> Plan:
    return build_plan(fields, formats, at or Reach(), MaskObligation(rungs or {}), SNAPSHOT, labels, key)


def apply(made: Plan, values: Sequence[bytes | None]) -> tuple[bytes | None, ...]:
    """The row as the client would get it."""
    core = PgBackend()
    core.set_plan(made)
    core.receive(build_data_row(DataRow(tuple(values))))
    rows = core.next()
    assert isinstance(rows, Rows)
    return parse_row(rows.data)


def parse_row(data: bytes) -> tuple[bytes | None, ...]:
    count, at, found = int.from_bytes(data[5:7], "big"), 7, []
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        found.append(None if length < 0 else data[at : at + length])
        at += max(length, 0)
    return tuple(found)
