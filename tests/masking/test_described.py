"""What the plans rely on, asked of PostgreSQL itself: how a RowDescription names columns and types."""

from __future__ import annotations

from narrows.core import PASS
from narrows.masking import build_plan, parse_labels, types
from narrows.masking.types import Family
from narrows.model.label import Rung
from narrows.model.reach import Reach
from narrows.model.resource import Resource, ResourceKind
from narrows.model.snapshot import Column, Relation, RelationKind, Snapshot
from narrows.model.verdict import MaskObligation
from narrows.wire.postgres.backend import Field
from tests.servers.postgres import Database

SETUP = """
CREATE EXTENSION citext;
CREATE DOMAIN short AS varchar(20);
CREATE TABLE people (id int, ssn text, code citext, nick short, tag name, pad char(12), doc json, docb jsonb,
  page xml, born date);
CREATE TABLE child () INHERITS (people);
CREATE VIEW seen AS SELECT ssn FROM people;
INSERT INTO people VALUES (1, '078-05-1120', 'CODE-1234567', 'nickname-9', 'tag-12345678', 'abc', '{}', '{}',
  '<a/>', '1970-01-01');
"""


def describe(shop: Database, sql: str) -> list[Field]:
    with shop.connect() as connection:
        result = connection.execute(sql).pgresult  # type: ignore[call-overload,unused-ignore]
    assert result is not None
    return [
        Field(
            (result.fname(n) or b"").decode(), result.ftable(n), result.ftablecol(n), result.ftype(n),
            result.fsize(n), result.fmod(n), 0,
        )
        for n in range(result.nfields)
    ]  # fmt: skip


def snapshot(shop: Database) -> Snapshot:
    rows = shop.query(
        "SELECT c.oid::int, c.relname, c.relkind::text, a.attname, a.attnum, a.atttypid::int, t.typname,"
        " ARRAY(SELECT inhparent::int FROM pg_inherits WHERE inhrelid = c.oid)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE c.relname IN ('people', 'child', 'seen') AND a.attnum > 0"
    )
    relations = {}
    for oid, name, kind, _, _, _, _, parents in rows:
        columns = tuple(Column(r[3], r[4], r[5], r[6]) for r in rows if r[0] == oid)
        relations[oid] = Relation(oid, "public", name, RelationKind(kind), columns, parents=tuple(parents))
    return Snapshot("s", "shop", "shop", True, 150000, 0.0, relations)


def test_postgresql_names_columns_and_types_as_the_plans_expect(shop: Database) -> None:
    shop.run(SETUP)
    known = snapshot(shop)
    (people,) = (one for one in known.relations.values() if one.name == "people")
    by_name = {field.name: field for field in describe(shop, "SELECT *, ctid, people AS whole FROM people")}
    assert (by_name["ssn"].table_oid, by_name["ssn"].attnum) == (people.oid, 2)
    assert by_name["whole"].attnum == 0, "a whole row names no column"
    assert by_name["ctid"].attnum < 0
    texts = types.named_text((c.type_oid, c.type_name) for c in people.columns)
    families = {name: types.family(field.type_oid, texts) for name, field in by_name.items()}
    assert {name for name, family in families.items() if family is Family.TEXT} == {
        "ssn", "code", "nick", "tag", "pad",
    }, "a domain is described by its base type"  # fmt: skip
    assert (families["doc"], families["docb"], families["page"]) == (Family.JSON, Family.JSONB, Family.XML)
    (through_view,) = describe(shop, "SELECT ssn FROM seen")
    assert known.relations[through_view.table_oid].kind is RelationKind.VIEW
    (alias,) = describe(shop, "SELECT ssn AS id FROM people")
    (expression,) = describe(shop, "SELECT ssn || '' FROM people")
    assert (alias.attnum, expression.table_oid) == (2, 0)


def test_a_result_of_a_real_server_is_masked_by_its_description(shop: Database) -> None:
    shop.run(SETUP)
    known = snapshot(shop)
    labels = parse_labels(
        "columns: {shop: {public.people: {ssn: ssn, code: ssn, born: dob}}}", {"shop": "shop"}
    )
    ssn = Resource(ResourceKind.COLUMN, ("shop", "shop", "public", "people", "ssn"))
    reach = Reach({ssn: frozenset({"ssn"})}, is_derived=True)

    def masks(sql: str) -> list[str]:
        made = build_plan(
            describe(shop, sql), (), reach, MaskObligation({ssn: Rung.PARTIAL}), known, labels, b"k" * 32
        )
        return ["pass" if mask == PASS else mask.op.value for mask in made.columns or ()]

    assert masks("SELECT id, ssn, code, born, nick, ctid FROM people") == [
        "pass", "keep_last", "constant", "null", "pass", "pass",
    ]  # fmt: skip
    assert masks("SELECT people, ssn || '', 1, ssn AS city FROM people") == [
        "null",
        "cover",
        "null",
        "keep_last",
    ]
    assert masks("SELECT ssn, nick FROM child") == ["constant", "pass"]
    assert masks("SELECT ssn FROM seen") == ["cover"]
