"""A refusal has the semantics of an error at the target: what PostgreSQL would roll back is rolled back.

The same pipelines run straight against PostgreSQL with statements that fail in the place of those that are
refused; the answers and the data must agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message
from tests.e2e import world as worlds
from tests.e2e.raw import SYNC, Raw, errors, extended, query, values
from tests.e2e.world import World
from tests.servers.postgres import Postgres

REFUSED = "drop database nowhere"
FAILING = "insert into ledger values (1/0)"
"""Fails where the refused one is refused, at Bind, and has no rows either."""

SCHEMA = "create table ledger (id int primary key, note text); grant all on ledger to shop_app;"


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    with worlds.started(postgres15, worlds.CHANGES, worlds.FILES) as started:
        for database in (started.shop, started.twin):
            database.run(SCHEMA)
        _ = postgres15.login("plain_app")
        postgres15.admin.run("grant shop_app to plain_app")
        yield started


@pytest.fixture(autouse=True)
def _fresh(world: World) -> None:
    for database in (world.shop, world.twin):
        database.run("truncate ledger; insert into ledger values (1, 'intact'), (2, 'intact')")


def _ledger(world: World) -> list[tuple[Any, ...]]:
    return world.shop.query("select id, note from ledger order by id")


INTACT = [(1, "intact"), (2, "intact")]

# psql


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
@pytest.mark.parametrize(
    "refused", [REFUSED, "select from where", "select 'refused' +"], ids=["policy", "syntax", "end"]
)
def test_a_script_commits_nothing(world: World, version: int, refused: str) -> None:
    text = f"begin;\nupdate ledger set note = 'spoiled' where id = 1;\n{refused};\ncommit;\nselect 'after';\n"
    done = world.psql("dev", text, version)
    assert done.stdout.splitlines()[:2] == ["BEGIN", "UPDATE 1"]
    assert "ROLLBACK" in done.stdout
    assert "COMMIT" not in done.stdout
    assert "after" in done.stdout
    assert done.returncode == 0
    assert _ledger(world) == INTACT


def test_a_script_that_stops_at_errors_commits_nothing(world: World) -> None:
    text = f"begin;\nupdate ledger set note = 'spoiled' where id = 1;\n{REFUSED};\ncommit;\nselect 'after';\n"
    done = world.psql("dev", text, options=("-X", "-v", "ON_ERROR_STOP=1"))
    assert (done.stdout, done.returncode) == ("BEGIN\nUPDATE 1\n", 3)
    assert _ledger(world) == INTACT


@pytest.mark.parametrize("options", [("-X", "-1"), ("-X", "-1", "-v", "ON_ERROR_STOP=1")], ids=["on", "stop"])
def test_a_single_transaction_commits_nothing(world: World, options: tuple[str, ...]) -> None:
    done = world.psql("dev", f"update ledger set note = 'spoiled';\n{REFUSED};\n", options=options)
    assert "no-drop-database" in done.stderr
    assert _ledger(world) == INTACT


@pytest.mark.parametrize(
    "text",
    [
        f"update ledger set note = 'spoiled'; {REFUSED}",
        f"{REFUSED}; update ledger set note = 'spoiled'",
        f"begin; update ledger set note = 'spoiled'; {REFUSED}; commit",
        f"begin; update ledger set note = 'spoiled'; commit; {REFUSED}",
        f"update ledger set note = 'spoiled'; commit; {REFUSED}",
    ],
)
def test_one_string_is_refused_whole(world: World, text: str) -> None:
    done = world.gateway.psql("dev", text, "select 'after'")
    assert "no-drop-database" in done.stderr
    assert _ledger(world) == INTACT


def test_one_string_in_an_open_transaction_spoils_it(world: World) -> None:
    done = world.gateway.psql(
        "dev",
        "begin",
        "update ledger set note = 'spoiled'",
        f"select 1; {REFUSED}",
        "commit",
        "select 'after'",
    )
    assert done.stdout.split() == ["BEGIN", "UPDATE", "2", "ROLLBACK", "after"]
    assert _ledger(world) == INTACT


def test_rollback_to_a_savepoint_mends_it(world: World) -> None:
    text = f"""begin;
update ledger set note = 'kept' where id = 1;
savepoint s;
update ledger set note = 'spoiled' where id = 2;
{REFUSED};
select 'skipped';
rollback to s;
update ledger set note = 'kept too' where id = 2;
release s;
commit;
"""
    done = world.psql("dev", text)
    assert done.stderr.count("code: NW002") == 1
    assert "current transaction is aborted" in done.stderr
    assert "skipped" not in done.stdout
    assert _ledger(world) == [(1, "kept"), (2, "kept too")]


def test_on_error_rollback_of_psql(world: World) -> None:
    """psql sets a savepoint of its own before each statement, and rolls back to it."""
    text = f"\\set ON_ERROR_ROLLBACK on\nbegin;\nupdate ledger set note = 'kept' where id = 1;\n{REFUSED};\ncommit;\n"
    done = world.psql("dev", text)
    assert "COMMIT" in done.stdout
    assert _ledger(world) == [(1, "kept"), (2, "intact")]


def test_a_refusal_alone_leaves_the_session_alone(world: World) -> None:
    done = world.psql(
        "dev",
        f"set work_mem = '9MB';\n{REFUSED};\nshow work_mem;\nprepare p as select 5;\n{REFUSED};\nexecute p;\n",
    )
    assert "9MB" in done.stdout
    assert "5" in done.stdout.split()
    assert done.stderr.count("ERROR") == 2


def test_a_refused_copy(world: World) -> None:
    text = "begin;\ninsert into ledger values (3, 'three');\ncopy ledger from program 'true';\nselect 1;\ncommit;\n"
    with (
        psycopg.connect(**world.gateway.parameters("alice")) as connection,
        pytest.raises(psycopg.Error) as refused,
    ):
        connection.execute("copy payroll from stdin")
    assert refused.value.sqlstate == "NW002"
    done = world.psql("alice", text)
    assert "COMMIT" not in done.stdout
    assert _ledger(world) == INTACT


# drivers


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_psycopg_commits_nothing(world: World, binary: bool) -> None:
    with psycopg.connect(**world.gateway.parameters("dev")) as connection:
        cursor = connection.cursor(binary=binary)
        cursor.execute("update ledger set note = %s where id = %s", ["spoiled", 1])
        with pytest.raises(psycopg.Error, match="no-drop-database"):
            cursor.execute(REFUSED)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
        connection.commit()
        assert cursor.execute("select note from ledger where id = 1").fetchone() == ("intact",)
        with connection.transaction():
            cursor.execute("update ledger set note = 'kept' where id = 1")
            with pytest.raises(psycopg.Error), connection.transaction():
                cursor.execute("update ledger set note = 'spoiled' where id = 2")
                cursor.execute(REFUSED)
    assert _ledger(world) == [(1, "kept"), (2, "intact")]


def test_a_psycopg_pipeline_commits_nothing(world: World) -> None:
    with psycopg.connect(**world.gateway.parameters("dev"), autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="no-drop-database"), connection.pipeline():
            connection.execute("insert into ledger values (10, 'spoiled')")
            connection.execute(REFUSED)
            connection.execute("insert into ledger values (11, 'spoiled')")
        assert connection.execute("select 1").fetchone() == (1,)
    assert _ledger(world) == INTACT


# pipelines of raw messages, held against PostgreSQL


@pytest.fixture
async def gateway(world: World) -> AsyncIterator[Raw]:
    raw = await Raw.secure(world.gateway.port, world.gateway.ca_path)
    assert (await raw.sign_in("dev", "shop", world.gateway.token("dev")))[-1].kind == b"Z"
    yield raw
    raw.close()


@pytest.fixture
async def direct(world: World) -> AsyncIterator[Raw]:
    raw = await Raw.secure(world.server.port, world.server.ca_path)
    login = world.server.login("plain_app")
    assert (await raw.sign_in(login.user, world.twin.name, login.password))[-1].kind == b"Z"
    yield raw
    raw.close()


def _insert(number: int) -> str:
    return f"insert into ledger values ({1000 + number}, 'n{number}') returning id"


def _with_refusals(number: int, failing: str) -> str:
    if number % 7 == 3:
        return failing
    return "select nothing" if number % 11 == 5 else _insert(number)


Series = Callable[[str], Sequence[frontend.FrontendMessage]]


def _sync_each(failing: str) -> list[frontend.FrontendMessage]:
    return [m for n in range(1000) for m in (*extended(_with_refusals(n, failing)), SYNC)]


def _one_sync(failing: str) -> list[frontend.FrontendMessage]:
    return [*(m for n in range(1000) for m in extended(_insert(n) if n != 700 else failing)), SYNC]


def _one_sync_refused_first(failing: str) -> list[frontend.FrontendMessage]:
    return [*extended(failing), *(m for n in range(1, 1000) for m in extended(_insert(n))), SYNC]


def _sync_every_ten(failing: str) -> list[frontend.FrontendMessage]:
    return [
        m
        for n in range(1000)
        for m in (
            *extended(_with_refusals(n, failing) if n % 30 < 10 else _insert(n)),
            *([SYNC] if n % 10 == 9 else []),
        )
    ]


def _in_a_block(failing: str) -> list[frontend.FrontendMessage]:
    texts = [
        "begin",
        *(_insert(n) for n in range(500)),
        failing,
        *(_insert(n) for n in range(500, 998)),
        "commit",
    ]
    return [m for text in texts for m in (*extended(text), SYNC)]


def _savepoints(failing: str) -> list[frontend.FrontendMessage]:
    texts = ["begin"]
    for n in range(160):
        texts += ["savepoint s", _insert(n), failing if n % 3 == 0 else "select 1", "select 2"]
        texts += ["rollback to s" if n % 3 == 0 else "release s", "select 3"]
    return [m for text in [*texts, "commit"] for m in (*extended(text), SYNC)]


def _simple(failing: str) -> list[frontend.FrontendMessage]:
    return [query(_with_refusals(n, failing)) for n in range(1000)]


def _mixed(failing: str) -> list[frontend.FrontendMessage]:
    """Simple and extended by turns, some simple ones behind a series that was not ended by a Sync."""
    found: list[frontend.FrontendMessage] = []
    for n in range(0, 1000, 4):
        found += [*extended(_insert(n)), query(_insert(n + 1) if n % 3 else failing)]
        found += [*extended(_insert(n + 2) if n % 5 else failing), SYNC, query(_insert(n + 3))]
    return found


def _described(failing: str) -> list[frontend.FrontendMessage]:
    """Named statements and portals, Describe of both, Close, rows in two goes."""
    found: list[frontend.FrontendMessage] = []
    for n in range(250):
        text = failing if n % 9 == 4 else "select g from generate_series(1, 3) g"
        found += [
            frontend.Parse(f"s{n}", text),
            frontend.Describe("S", f"s{n}"),
            frontend.Bind(f"p{n}", f"s{n}", (), (), (1,)),
            frontend.Describe("P", f"p{n}"),
            frontend.Execute(f"p{n}", 2),
            frontend.Execute(f"p{n}", 0),
            frontend.Close("P", f"p{n}"),
            frontend.Close("S", f"s{n}"),
            SYNC,
        ]
    return found


def _told(messages: Sequence[Message]) -> list[tuple[str, Any]]:
    """The answers in order; of an error only that it is one, for its code differs by design."""
    told: list[tuple[str, Any]] = []
    for message in messages:
        kind = message.kind.decode()
        if kind == "T":  # two databases give their tables different numbers
            fields = backend.parse_row_description(message.payload).fields
            told.append((kind, [replace(each, table_oid=0) for each in fields]))
        else:
            told.append((kind, None if kind in "EN" else message.payload))
    return told


@pytest.mark.parametrize(
    "series",
    [
        _sync_each,
        _one_sync,
        _one_sync_refused_first,
        _sync_every_ten,
        _in_a_block,
        _savepoints,
        _simple,
        _mixed,
        _described,
    ],
    ids=lambda series: series.__name__.strip("_"),
)
async def test_a_thousand_in_a_pipeline(world: World, gateway: Raw, direct: Raw, series: Series) -> None:
    mine, theirs = series(REFUSED), series(FAILING)
    readies = sum(isinstance(m, frontend.Sync | frontend.Query) for m in mine)
    # A Query behind a series that failed is passed over, and so is its ReadyForQuery: end with a Sync.
    gateway.send(*mine, SYNC)
    direct.send(*theirs, SYNC)
    found: list[Message] = []
    expected: list[Message] = []
    for raw, into in ((direct, expected), (gateway, found)):
        into += await raw.until(b"Z", _count(theirs) + 1 if series is _mixed else readies + 1)
    assert _told(found) == _told(expected)
    rows = "select id, note from ledger order by id"
    assert world.shop.query(rows) == world.twin.query(rows)
    refused = [each for each in errors(found) if each["C"] == "NW002"]
    assert refused
    assert all("no-drop-database" in each["M"] for each in refused)
    assert values(await gateway.ask(query("select 'after'"))) == [(b"after",)]


def _count(messages: Sequence[frontend.FrontendMessage]) -> int:
    """The ReadyForQuery that PostgreSQL owes: none for a Query that it passes over in a failed series."""
    readies, is_skipping = 0, False
    for index, message in enumerate(messages):
        if isinstance(message, frontend.Parse) and message.text == FAILING:
            is_skipping = True
        if isinstance(message, frontend.Sync):
            readies, is_skipping = readies + 1, False
        elif isinstance(message, frontend.Query) and not is_skipping:
            readies += 1
        assert index >= 0
    return readies


async def test_a_refused_query_behind_executes_without_a_sync(world: World, gateway: Raw) -> None:
    """A local answer would leave the insert open, and the next Query would commit it."""
    found = await gateway.ask(*extended(_insert(1)), query(REFUSED))
    assert [each["C"] for each in errors(found)] == ["NW002"]
    await gateway.ask(query("select 1"))
    assert _ledger(world) == INTACT


async def test_a_bind_alone_of_a_function_that_writes(world: World, gateway: Raw) -> None:
    """The verdict is at Bind, before anything of the statement can run."""
    found = await gateway.ask(
        frontend.Parse("", "select nextval('customers_id_seq')"), frontend.Bind("", "", (), (), ()), SYNC
    )
    assert errors(found) == []
    await gateway.ask(*extended("select 1"), SYNC)
    told = [e.record for e in worlds.entries(world.gateway, "statement", principal="User/dev")]
    assert any("nextval" in r.text for r in told)


async def test_every_statement_of_a_pipeline_is_in_the_journal(world: World, gateway: Raw) -> None:
    before = len(worlds.entries(world.gateway, "statement"))
    texts = [_insert(n) if n % 4 else REFUSED for n in range(100)]
    await gateway.ask(query("select 'begin'"))
    gateway.send(*(m for text in texts for m in (*extended(text), SYNC)))
    await gateway.until(b"Z", 100)
    told = worlds.entries(world.gateway, "statement")[before:]
    assert [e.record.text for e in told][-100:] == texts
    assert [e.record.effect for e in told][-100:] == ["allow" if n % 4 else "deny" for n in range(100)]


def test_nothing_refused_reached_the_target(world: World) -> None:
    logged = [entry.text for entry in world.server.statements(database=world.shop.name)]
    assert logged
    assert not any("drop database" in text.lower() for text in logged)
