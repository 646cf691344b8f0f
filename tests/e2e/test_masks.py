"""Masks at every rung, for every type, in every way a value can leave: text and binary, simple and extended, COPY."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres

TYPES = {
    "a_text": ("text", "secret-text-0001"),
    "a_varchar": ("varchar(40)", "secret-varchar-0002"),
    "a_bpchar": ("char(20)", "secret-bpchar--00003"),
    "a_name": ("name", "secret-name-0004"),
    "a_json": ("json", '{"k": "secret-json-0005"}'),
    "a_jsonb": ("jsonb", '{"k": "secret-jsonb-0006"}'),
    "an_int": ("int", "700700701"),
    "a_bigint": ("bigint", "700700700702"),
    "a_numeric": ("numeric(12, 2)", "700703.25"),
    "a_float": ("float8", "700704.5"),
    "a_date": ("date", "1970-07-05"),
    "a_time": ("timestamptz", "1970-07-06 07:07:07+00"),
    "an_interval": ("interval", "700 days"),
    "a_bool": ("boolean", "true"),
    "a_uuid": ("uuid", "70070070-0700-4700-8700-700700700700"),
    "an_inet": ("inet", "192.0.2.70"),
    "a_bytea": ("bytea", "secret-bytea-0007"),
    "a_texts": ("text[]", '{"secret-array-0008",x}'),
    "an_ints": ("int[]", "{700700709,1}"),
    "an_enum": ("ticket_state", "waiting"),
    "a_range": ("int4range", "[700,710)"),
    "a_composite": ("employees", "(1,secret-composite-0010,e,)"),
    "a_domain": ("secret_domain", "secret-domain-0011"),
}
TEXTS = ("a_text", "a_varchar", "a_bpchar", "a_name")
SECRET = re.compile(
    rb"secret-[a-z]|7007007|70070070|700703|700704|1970-07|700 days|192\.0\.2\.70|waiting|\[700"
)

SCHEMA = (
    "create domain secret_domain as text;\ncreate table kinds (id int primary key, open text, {columns});\n".format(
        columns=", ".join(f"{name} {type_}" for name, (type_, _) in TYPES.items())
    )
    + "grant all on kinds to shop_app;\ninsert into kinds values (1, 'open', {values}), (2, 'nothing', {nulls});".format(
        values=", ".join(f"'{value}'" for _, value in TYPES.values()), nulls=", ".join("null" for _ in TYPES)
    )
)

# The rungs, by user: none, token, partial, raw; all may read the table.
POLICY = """
@id("rungs-read")
permit (principal in Group::"rungs", action in [Action::"session", Action::"read"], resource in Connection::"shop");
@id("rungs-token")
permit (principal in Group::"tokens", action == Action::"reveal_token", resource in Connection::"shop");
@id("rungs-partial")
permit (principal in Group::"partials", action == Action::"reveal_partial", resource in Connection::"shop");
@id("rungs-raw")
permit (principal in Group::"raws", action == Action::"reveal", resource in Connection::"shop");
"""
CHANGES: dict[str, Any] = {
    "groups": {name: {} for name in ("rungs", "tokens", "partials", "raws")},
    "users": {
        "nora": {"groups": ["rungs"]},
        "theo": {"groups": ["rungs", "tokens"]},
        "pia": {"groups": ["rungs", "partials"]},
        "rosa": {"groups": ["rungs", "raws"]},
    },
}
LABELS = """
labels:
  ssn:
    none: constant
    token: {hash: {length: 16}}
    partial: {keep_last: 4}
columns:
  shop:
    public.customers: {ssn: ssn}
    public.kinds:
""" + "".join(f"      {name}: ssn\n" for name in TYPES)

COLUMNS = ", ".join(TYPES)
QUERY = f"select id, open, {COLUMNS} from kinds order by id"


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def world(request: pytest.FixtureRequest, postgres15: Postgres, postgres18: Postgres) -> Iterator[World]:
    server = postgres15 if request.param == 15 else postgres18
    files = {"policies/rungs.cedar": POLICY, "labels.yaml": LABELS}
    with worlds.started(server, CHANGES, files) as started:
        for database in (started.shop, started.twin):
            database.run(SCHEMA)
        yield started


def _connect(world: World, who: str) -> psycopg.Connection[Any]:
    return psycopg.connect(**world.gateway.parameters(who), autocommit=True)


def _check(who: str, row: dict[str, bytes | None], is_binary: bool) -> None:
    """One masked row, as bytes of the wire."""
    assert row["open"] == b"open"
    for name, (_, value) in TYPES.items():
        found, text = row[name], value.encode()
        if name in TEXTS or name == "a_domain":  # a domain arrives as its base type
            if who == "nora":
                assert found == b"***", name
            elif who == "theo":
                assert re.fullmatch(rb"[0-9a-f]{16}", found or b""), name
            else:
                assert found == b"*" * (len(text) - 4) + text[-4:], name
        elif name in ("a_json", "a_jsonb") and who == "nora":
            version = b"\x01" if is_binary and name == "a_jsonb" else b""
            assert found == version + b'"***"', name
        else:
            assert found is None, name


def _cells(cursor: Any) -> list[dict[str, bytes | None]]:
    """The rows of the last result as they came over the wire."""
    result = cursor.pgresult
    names = [result.fname(n).decode() for n in range(result.nfields)]
    return [{name: result.get_value(row, n) for n, name in enumerate(names)} for row in range(result.ntuples)]


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_the_extended_protocol(world: World, who: str, binary: bool) -> None:
    with _connect(world, who) as connection:
        cursor = connection.cursor(binary=binary)
        for _ in range(2):  # analysed, then remembered
            cursor.execute("select open, " + COLUMNS + " from kinds where id = %s", [1])
            (row,) = _cells(cursor)
            _check(who, row, binary)
        cursor.execute("select open, " + COLUMNS + " from kinds where id = %s", [2])
        (row,) = _cells(cursor)
        assert [value for name, value in row.items() if name != "open"] == [None] * len(TYPES)


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
def test_the_simple_protocol(world: World, who: str) -> None:
    with _connect(world, who) as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(QUERY)
        first, second = _cells(cursor)
        _check(who, first, False)
        assert [second[name] for name in TYPES] == [None] * len(TYPES)


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_prepared_and_executed_again(world: World, who: str, binary: bool) -> None:
    """One Parse, then Bind and Execute without another Describe, in either format by turns."""
    with _connect(world, who) as connection:
        for turn in range(6):
            is_binary = binary ^ bool(turn % 2)
            cursor = connection.cursor(binary=is_binary)
            cursor.execute(f"select open, {COLUMNS} from kinds where id = 1", prepare=True)
            (row,) = _cells(cursor)
            _check(who, row, is_binary)


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_cursors(world: World, who: str, binary: bool) -> None:
    with _connect(world, who) as connection, connection.transaction():
        with connection.cursor(name="c", binary=binary) as cursor:
            cursor.execute(f"select open, {COLUMNS} from kinds where id = 1")
            cursor.fetchone()
            (row,) = _cells(cursor)
            _check(who, row, binary)


def test_raw_is_raw(world: World) -> None:
    with _connect(world, "rosa") as connection, world.twin.connect(world.twin.app) as direct:
        for binary in (False, True):
            mine, theirs = connection.cursor(binary=binary), direct.cursor(binary=binary)
            mine.execute(f"select open, {COLUMNS} from kinds")
            theirs.execute(f"select open, {COLUMNS} from kinds")
            assert _cells(mine) == _cells(theirs)


COPIES = [
    "copy kinds to stdout",
    f"copy kinds (id, open, {COLUMNS}) to stdout",
    f"copy (select id, open, {COLUMNS} from kinds) to stdout",
]


def _copied(connection: psycopg.Connection[Any], text: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(text) as out:
        return b"".join(bytes(block) for block in out)


def _expected_text(who: str, name: str) -> str | None:
    value = TYPES[name][1]
    if name in TEXTS:
        return {"nora": "***", "pia": "*" * (len(value) - 4) + value[-4:]}.get(who, "token")
    return '"***"' if name in ("a_json", "a_jsonb") and who == "nora" else None


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("text", COPIES, ids=["table", "columns", "query"])
def test_copy_as_text(world: World, who: str, text: str) -> None:
    with _connect(world, who) as connection:
        data = _copied(connection, text)
    first, second = data.decode().splitlines()
    assert second.split("\t")[2:] == [r"\N"] * len(TYPES)
    assert first.split("\t")[:2] == ["1", "open"]
    for name, found in zip(TYPES, first.split("\t")[2:], strict=True):
        expected = _expected_text(who, name)
        if expected == "token":
            assert re.fullmatch(r"[0-9a-f]{16}", found), name
        else:
            assert found == (r"\N" if expected is None else expected), name
    assert not SECRET.search(data.replace(b"0001", b"").replace(b"0002", b""))


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("text", COPIES, ids=["table", "columns", "query"])
def test_copy_as_csv(world: World, who: str, text: str) -> None:
    options = " with (format csv, header, null 'nil', delimiter ';', quote '''')"
    with _connect(world, who) as connection:
        data = _copied(connection, text + options)
    header, first, second = csv.reader(io.StringIO(data.decode()), delimiter=";", quotechar="'")
    assert header == ["id", "open", *TYPES]
    assert second[2:] == ["nil"] * len(TYPES)
    for name, found in zip(TYPES, first[2:], strict=True):
        expected = _expected_text(who, name)
        if expected == "token":
            assert re.fullmatch(r"[0-9a-f]{16}", found), name
        else:
            assert found == ("nil" if expected is None else expected), name


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("text", COPIES, ids=["table", "columns", "query"])
def test_copy_as_binary(world: World, who: str, text: str) -> None:
    with _connect(world, who) as connection:
        data = _copied(connection, text + " with (format binary)")
        assert data.startswith(b"PGCOPY\n\xff\r\n\0")
        assert data.endswith(b"\xff\xff")
        with connection.cursor() as cursor, cursor.copy(f"{text} with (format binary)") as out:
            first, second = out.rows()
    assert not SECRET.search(data)
    for name, found in zip(TYPES, first[2:], strict=True):
        expected = _expected_text(who, name)
        if expected == "token":
            assert re.fullmatch(rb"[0-9a-f]{16}", found), name
        elif expected is None:
            assert found is None, name
        else:
            version = b"\x01" if name == "a_jsonb" else b""
            assert found == version + expected.encode(), name
    assert second[2:] == (None,) * len(TYPES)


@pytest.mark.parametrize("who", ["nora", "theo", "pia"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_expressions_are_masked_by_the_strictest_rule(world: World, who: str, binary: bool) -> None:
    """Until lineage is known, whatever is computed of a labelled column is worth as much as the column."""
    with _connect(world, who) as connection:
        for expression in [
            *(f"{name}::text" for name in TYPES if name not in ("a_bytea", "a_text")),
            "to_json(kinds)",
            "kinds::text",
            "array[a_text]",
            "row(a_text, an_int)",
            "coalesce(a_text, 'x')",
            "an_int + 0",
            "a_date + 1",
            "md5(a_text)",
            "length(a_text) > 3",
            "case when an_int = 700700701 then 1 else 0 end",
            "a_jsonb -> 'k'",
            "a_texts[1]",
        ]:
            cursor = connection.cursor(binary=binary)
            try:
                cursor.execute(f"select {expression} as x from kinds where id = 1")
            except psycopg.Error as refused:
                assert not SECRET.search(str(refused).encode()), expression
                continue
            ((found,),) = ([*row.values()] for row in _cells(cursor))
            assert found is None or found.strip(b'\x01"') == b"***", expression


@pytest.mark.parametrize(
    "text", ["select * from kinds", "select open from kinds", "select count(*) from kinds"]
)
def test_what_is_not_labelled_is_as_it_is(world: World, text: str) -> None:
    with _connect(world, "nora") as connection, world.twin.connect(world.twin.app) as direct:
        mine, theirs = connection.cursor(), direct.cursor()
        mine.execute(text)
        theirs.execute(text)
        plain = [name for name in _cells(theirs)[0] if name not in TYPES]
        assert [[row[n] for n in plain] for row in _cells(mine)] == [
            [row[n] for n in plain] for row in _cells(theirs)
        ]


def test_returning_is_masked(world: World) -> None:
    """RETURNING is a way out like any other; here the caller may not write at all, and is told so."""
    with _connect(world, "nora") as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("update kinds set open = open where id = 1 returning a_text")
    assert not SECRET.search(str(refused.value).encode())


def test_errors_do_not_tell_values(world: World) -> None:
    for text in (
        "select a_text::int from kinds where id = 1",
        "select (a_texts[1])::date from kinds where id = 1",
        "select 1 / (an_int - 700700701) from kinds where id = 1",
    ):
        with _connect(world, "nora") as connection, pytest.raises(psycopg.Error) as failed:
            connection.execute(text)
        assert not SECRET.search(str(failed.value).encode().replace(b"700700701", b"")), text


def test_many_rows_are_masked_alike(world: World) -> None:
    """Several chunks of rows, with NULLs between, in one result."""
    fill = (
        "insert into kinds (id, a_text) select g, case when g % 3 = 0 then null else 'secret-many-' || g end"
    )
    world.shop.run(f"{fill} from generate_series(1000, 30999) g")
    try:
        with _connect(world, "pia") as connection:
            rows = connection.execute(
                "select id, a_text from kinds where id >= 1000 order by id limit 900"
            ).fetchall()
            assert [r[1] is None for r in rows] == [n % 3 == 0 for n in range(1000, 1900)]
            data = _copied(connection, "copy kinds (id, a_text) to stdout")
        lines = data.decode().splitlines()
        assert len(lines) == 30_002
        assert b"secret" not in data
    finally:
        world.shop.run("delete from kinds where id >= 1000")
