"""Snapshots of real schemas, on 15 and 18."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from narrows.model.snapshot import Column, ForeignKey, RelationKind, Snapshot
from narrows.runtime.facts import catalog
from narrows.runtime.facts.query import Queries, QueryFailed
from narrows.runtime.facts.snapshot import Known, Place, read_snapshot
from narrows.wire.postgres import backend
from tests.runtime.facts.conftest import Announced, queries_of, target_of
from tests.servers import stub
from tests.servers.postgres import Database, Postgres

HOME = Place("shop", "shop")
LIMIT_S = 20.0


async def read(queries: Queries, known: Known | None = None) -> Known:
    return await read_snapshot(queries, HOME, lambda: 1.5, LIMIT_S, known)


async def snapshot_of(database: Database) -> Snapshot:
    async with queries_of(database) as queries:
        return (await read(queries)).snapshot


async def test_tables_and_columns(shop: Database) -> None:
    snapshot = await snapshot_of(shop)
    customers = snapshot.by_name["public", "customers"]
    assert customers.kind is RelationKind.TABLE
    assert customers.owner == "shop_owner"
    assert customers.rows_estimate == 5
    assert [column.name for column in customers.columns[:5]] == ["id", "name", "email", "phone", "ssn"]
    assert customers.column("phone") == Column("phone", 4, 1043, "character varying")
    assert snapshot.relations[customers.oid] is customers
    state = snapshot.by_name["public", "tickets"].column("state")
    assert state
    assert (state.type_name, state.default) == ("public.ticket_state", "'open'::public.ticket_state")
    amount = snapshot.by_name["public", "order_items"].column("amount")
    assert amount
    assert (amount.is_generated, amount.default) == (True, "((quantity)::numeric * price)")


async def test_a_dropped_column_keeps_the_numbers_of_the_others(shop: Database) -> None:
    """Masks find columns by their number."""
    shop.query("alter table customers drop column phone")
    customers = (await snapshot_of(shop)).by_name["public", "customers"]
    assert customers.column("phone") is None
    ssn = customers.column("ssn")
    assert ssn
    assert ssn.attnum == 5


async def test_inheritance_views_triggers_rules_and_keys(shop: Database) -> None:
    shop.query("create rule keep as on delete to payroll do instead nothing")
    snapshot = await snapshot_of(shop)

    def oid(name: str) -> int:
        return snapshot.by_name["public", name].oid

    assert snapshot.by_name["public", "events"].kind is RelationKind.PARTITIONED
    assert snapshot.by_name["public", "events_2026_q1"].parents == (oid("events"),)
    assert snapshot.by_name["public", "archived_customers"].parents == (oid("customers"),)
    definition = snapshot.by_name["public", "open_tickets"].definition
    assert definition
    assert "public.customers" in definition, "names are whole, whatever the search_path"
    assert not definition.endswith(";")
    assert snapshot.by_name["public", "monthly_sales"].kind is RelationKind.MATERIALIZED
    assert snapshot.by_name["public", "orders_id_seq"].kind is RelationKind.SEQUENCE
    assert snapshot.by_name["public", "orders"].has_triggers
    assert not snapshot.by_name["public", "tickets"].has_triggers, "a foreign key's own do not count"
    assert snapshot.by_name["public", "payroll"].has_rules
    assert not snapshot.by_name["public", "open_tickets"].has_rules, "a view's own does not count"
    assert ForeignKey(oid("orders"), 2, oid("customers"), 1) in snapshot.foreign_keys


async def test_functions_with_their_extension(shop: Database) -> None:
    shop.run("create schema ext; create extension pg_trgm schema ext")
    shop.run("create function su() returns int language sql security definer as 'select 1'")
    snapshot = await snapshot_of(shop)
    [label] = snapshot.functions["public", "full_label"]
    assert (label.kind, label.language, label.volatility, label.extension) == ("f", "sql", "s", None)
    [close] = snapshot.functions["public", "close_ticket"]
    assert close.kind == "p"
    [definer] = snapshot.functions["public", "su"]
    assert definer.is_definer
    [similarity] = snapshot.functions["ext", "similarity"]
    assert similarity.extension == "pg_trgm"
    assert len(snapshot.functions["pg_catalog", "abs"]) > 3, "every overload of the server's own"
    assert {"public", "ext", "pg_catalog", "information_schema"} <= snapshot.schemas


async def test_unique_keys_and_only_those(shop: Database) -> None:
    shop.run(
        "create table keyed (a int, b int, c int, d int primary key, e int);"
        "create unique index on keyed (b, a) include (c); create index on keyed (c);"
        "create unique index on keyed (c) where c > 0; create unique index on keyed ((a + b))"
    )
    found = (await snapshot_of(shop)).by_name[("public", "keyed")]
    assert sorted(found.keys) == [(2, 1), (4,)]


async def test_operators_that_run_somebodys_code(shop: Database) -> None:
    shop.run(
        "create extension hstore; create schema ops; create function ops.f(int, int) returns int language sql as 'select 1';"
        "create operator ops.%% (function = ops.f, leftarg = int, rightarg = int)"
    )
    found = await snapshot_of(shop)
    assert found.operators == {("ops", "%%")}
    shop.run("create operator public.%%% (function = ops.f, leftarg = int, rightarg = int)")
    again = await snapshot_of(shop)
    assert again.operators == {("ops", "%%"), ("public", "%%%")}
    assert again.id != found.id


async def test_functions_that_return_sets(shop: Database) -> None:
    functions = (await snapshot_of(shop)).functions
    assert all(each.returns_set for each in functions[("pg_catalog", "generate_series")])
    assert not any(each.returns_set for each in functions[("pg_catalog", "lower")])


async def test_the_catalogs_are_known_too(shop: Database) -> None:
    """psql's \\d reads them."""
    snapshot = await snapshot_of(shop)
    assert snapshot.by_name["pg_catalog", "pg_class"].kind is RelationKind.TABLE
    stats = snapshot.by_name["pg_catalog", "pg_stats"]
    assert stats.definition
    assert stats.column("most_common_vals")


async def test_who_we_are_and_where_names_are_looked_up(shop: Database) -> None:
    app = shop.app
    shop.query(
        f'alter role {app.user} in database "{shop.name}" set search_path = "Odd, ""Name", public, Mixed'
    )
    snapshot = await snapshot_of(shop)
    assert snapshot.role == app.user
    assert snapshot.default_search_path == ('Odd, "Name', "public", "mixed")
    assert snapshot.server_version // 10000 == shop.server.version
    assert (snapshot.connection, snapshot.database, snapshot.is_home) == ("shop", "shop", True)
    assert snapshot.taken_at == 1.5


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"$user", public', ("$user", "public")),
        ("", ()),
        ('""', ()),
        ("A,b", ("a", "b")),
        ('"a""b"', ('a"b',)),
    ],
)
def test_search_paths_are_split_as_postgresql_does(text: str, names: tuple[str, ...]) -> None:
    assert catalog.split_search_path(text) == names


async def test_odd_names_survive(shop: Database) -> None:
    shop.run('create schema "Über, \'s"; create table "Über, \'s"."a""b" ("Ω;--" int, "\\" text)')
    relation = (await snapshot_of(shop)).by_name["Über, 's", 'a"b']
    assert [column.name for column in relation.columns] == ["Ω;--", "\\"]


async def test_temporary_objects_are_nobodys_business(shop: Database) -> None:
    """They belong to one session, and applications make them all day."""
    async with queries_of(shop) as queries:
        known = await read(queries)
        with shop.connect() as other:
            other.execute("create temp table t (a int); create temp view v as select * from t")
            assert await read(queries, known) is known


async def test_the_same_schema_has_the_same_id(shop: Database) -> None:
    """On another connection, after rows were written, and after statistics moved a little."""
    first = await snapshot_of(shop)
    shop.run("insert into tickets (subject) values ('new'); analyze tickets; comment on table tickets is 'x'")
    assert (await snapshot_of(shop)).id == first.id
    shop.run("insert into tickets (subject) select 'x' from generate_series(1, 5000); analyze tickets")
    later = await snapshot_of(shop)
    assert later.id != first.id, "a policy that looks at the number of rows sees its order of magnitude"
    assert later.by_name["public", "tickets"].rows_estimate > 5000


CHANGES = [
    "create table fresh_table (a int)",
    "alter table customers add column more text",
    "alter table customers rename column ssn to nss",
    "alter table customers alter column note type varchar(100)",
    "alter table payroll alter column salary set default 0",
    "alter table payroll owner to postgres",
    "create or replace view open_tickets as select 1 as id, ''::text as subject, ''::text as customer, card as email from customers",
    "create view fresh_view as select 1 as a",
    "create trigger t before update on payroll for each row execute function touch_order()",
    "create rule r as on insert to payroll do instead nothing",
    "create function fresh() returns int language sql as 'select 1'",
    "alter function full_label(customers) security definer",
    "alter function full_label(customers) volatile",
    "alter table tickets add foreign key (id) references employees (id)",
    "alter table tickets drop constraint tickets_customer_id_fkey",
    "create table archived_2 () inherits (archived_customers)",
    "alter table archived_customers no inherit customers",
    "alter table events detach partition events_2026_q2",
    "create schema fresh",
    "alter type ticket_state rename to state_of_ticket",
    "create index fresh_index on payroll (salary)",
    "create sequence fresh_sequence",
    "alter table payroll rename to wages",
    "drop table wages",
]


async def test_every_change_that_matters_is_seen(shop: Database) -> None:
    """By the cheap comparison, and in the id; what was kept and what was read fit together."""
    shop.query("alter table tickets alter customer_id drop not null; truncate tickets")
    async with queries_of(shop) as queries:
        known = await read(queries)
        for change in CHANGES:
            shop.query(change)
            after = await read(queries, known)
            assert after.snapshot.id != known.snapshot.id, change
            assert after.snapshot == (await read(queries)).snapshot, change
            known = after


async def test_an_extension_that_adopts_a_function_is_seen(shop: Database) -> None:
    """Membership is what makes an extension's function trusted."""
    shop.run("create extension citext; create function f() returns int language sql as 'select 1'")
    async with queries_of(shop) as queries:
        known = await read(queries)
        shop.query("alter extension citext add function f()")
        after = await read(queries, known)
        assert after.snapshot.functions["public", "f"][0].extension == "citext"


async def test_only_what_changed_is_read_again(shop: Database, announced: Announced) -> None:
    async with queries_of(shop, announced=announced) as queries:
        known = await read(queries)
        shop.query("alter table payroll add column more int")
        after = await read(queries, known)
    assert after.sections["functions"] is known.sections["functions"]
    assert after.sections["system"] is known.sections["system"]
    assert "pg_get_viewdef" in announced.texts[-1]
    assert "from pg_catalog.pg_proc p" not in announced.texts[-1]


async def test_every_statement_of_ours_is_announced_as_the_target_logs_it(
    shop: Database, announced: Announced
) -> None:
    """The journal and PostgreSQL's own log must tell the same story."""
    async with queries_of(shop, announced=announced) as queries:
        known = await read(queries)
        shop.query("create table fresh (a int)")
        await read(queries, known)
    logged = shop.server.statements(database=shop.name, application="narrows facts")
    assert [entry.text for entry in logged] == announced.texts
    assert announced.purposes == ["read the schema", "compare the schema", "read the schema"]


async def test_what_cannot_be_announced_is_not_sent(shop: Database, announced: Announced) -> None:
    announced.failure = RuntimeError("the journal is full")
    async with queries_of(shop, announced=announced) as queries:
        with pytest.raises(RuntimeError, match="journal"):
            await read(queries)
        assert shop.server.statements(database=shop.name, application="narrows facts") == []
        announced.failure = None
        await read(queries)


async def test_a_locked_catalog_does_not_hold_us_for_ever(shop: Database) -> None:
    async with queries_of(shop) as queries:
        with shop.connect() as other:
            other.execute("begin; lock table pg_catalog.pg_proc in access exclusive mode")
            started = time.monotonic()
            with pytest.raises((QueryFailed, TimeoutError)):
                await read_snapshot(queries, HOME, time.time, 0.5)
            assert time.monotonic() - started < 5
        assert not queries.is_usable


LOCKED = """
create table base (a int default 7, b int generated always as (a * 2) stored);
create view over as select a from base;
create view aside as select 1 as one;
create function first() returns int language sql stable begin atomic select min(a) from base; end;
"""


@pytest.mark.parametrize("lock", ["alter table base rename to other", "alter view over rename to other"])
async def test_what_others_have_locked_is_not_waited_for(shop: Database, lock: str) -> None:
    """Its holder may be waiting for this very reading."""
    shop.run(LOCKED)
    with shop.connect() as other:
        other.execute(("begin; " + lock).encode())
        async with queries_of(shop) as queries:
            first = await read(queries)
            assert first.snapshot.by_name["public", "over"].definition is None
            assert first.snapshot.by_name["public", "aside"].definition == " SELECT 1 AS one"
            other.execute("rollback")
            second = await read(queries, first)
    assert second.snapshot.by_name["public", "over"].definition
    assert second.snapshot.id != first.snapshot.id


async def test_a_locked_tables_generated_columns_come_from_all_that_it_has(shop: Database) -> None:
    shop.run(LOCKED)
    with shop.connect() as other:
        other.execute("begin; lock table base")
        base = (await snapshot_of(shop)).by_name["public", "base"]
    assert [column.default for column in base.columns] == [None, '"a", "b"']


async def test_a_function_over_a_locked_table_is_opaque_meanwhile(shop: Database) -> None:
    shop.run(LOCKED)
    async with queries_of(shop) as queries:
        with shop.connect() as other:
            other.execute("begin; lock table base")
            first = await read(queries)
        second = await read(queries, first)
    bodies = [known.snapshot.functions["public", "first"][0].body for known in (first, second)]
    assert bodies[0] is None
    assert bodies[1]


async def test_what_was_known_of_a_locked_view_is_kept_while_it_is_the_same(shop: Database) -> None:
    shop.run(LOCKED)
    async with queries_of(shop) as queries:
        before = await read(queries)
        with shop.connect() as other:
            other.execute("begin; lock table base")
            shop.run("create table another (id int)")
            known = await read(queries, before)
            assert ("public", "another") in known.snapshot.by_name
            assert known.snapshot.by_name["public", "over"] == before.snapshot.by_name["public", "over"]
        again = await read(queries, known)
    assert again.snapshot.by_name["public", "base"] == before.snapshot.by_name["public", "base"]


async def test_what_a_locked_view_was_is_not_kept_after_a_change(shop: Database) -> None:
    """A view's query is another once what it names has another name."""
    shop.run(LOCKED)
    async with queries_of(shop) as queries:
        before = await read(queries)
        shop.run("alter table base rename column a to c")
        with shop.connect() as other:
            other.execute("begin; lock table base")
            known = await read(queries, before)
        assert known.snapshot.by_name["public", "over"].definition is None
        again = await read(queries, known)
    assert "c AS a" in (again.snapshot.by_name["public", "over"].definition or "")


async def test_a_schema_that_changes_all_the_time_is_read_whole(shop15: Database) -> None:
    """Each reading is one transaction's view, or a clean failure."""
    stop = threading.Event()

    def change() -> None:
        with shop15.connect() as other:
            while not stop.is_set():
                other.execute("create table pair_a (x int); create view pair_b as select x from pair_a")
                other.execute("drop table pair_a cascade")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        known = None
        for _ in range(25):
            async with queries_of(shop15) as queries:
                try:
                    known = await read(queries, known)
                except QueryFailed:
                    continue
                names = {
                    ("public", "pair_a") in known.snapshot.by_name,
                    ("public", "pair_b") in known.snapshot.by_name,
                }
                assert len(names) == 1, "one without the other"
    finally:
        stop.set()
        thread.join()
    assert known


@pytest.mark.parametrize("row", [("x",) * 15, ("1",), (None,) * 15])
async def test_catalogs_that_make_no_sense_are_a_clean_failure(row: tuple[str | None, ...]) -> None:
    async with stub.started() as server:
        usual = server.answer
        server.answer = lambda text: b"".join(
            stub.result([row]) if "pg_get_viewdef" in part else usual(part) for part in text.split(";\n")
        )
        queries = await stub_queries(server)
        with pytest.raises(QueryFailed):
            await read(queries)
        assert not queries.is_usable


async def test_a_message_that_nobody_asked_for_is_a_clean_failure() -> None:
    async with stub.started() as server:
        server.answer = lambda _: backend.build(backend.CopyInResponse(0, ()))
        with pytest.raises(QueryFailed):
            await read(await stub_queries(server))


async def test_an_old_server_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stub._PARAMETERS, "server_version", "12.3")
    async with stub.started() as server:
        with pytest.raises(QueryFailed, match="older"):
            await read(await stub_queries(server))
        assert server.texts == []


async def stub_queries(server: stub.Stub) -> Queries:
    from narrows.model.secret import Secret
    from narrows.model.target import Target, TlsMode
    from narrows.runtime.facts.query import open_queries

    target = Target("shop", "127.0.0.1", server.port, "shop", "app", TlsMode.DISABLE)
    return await open_queries(target, Secret("x"), Announced())


@pytest.mark.slow
async def test_ten_thousand_tables(postgres15: Postgres) -> None:
    """Read whole, and known again when nothing has changed; what it takes is printed."""
    database = postgres15.create_database("large")
    columns = ", ".join(f"c{number} text default 1" for number in range(20))
    with database.connect() as connection:
        connection.execute("set log_statement = 'none'")
        for start in range(0, 10_000, 500):
            connection.execute(
                f"do $$ begin for i in {start}..{start + 499} loop"
                f" execute 'create table t' || i || ' ({columns})'; end loop; end $$"
            )
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    async with queries_of(database) as queries:
        started = time.perf_counter()
        known = await read_snapshot(queries, HOME, time.time, 60)
        whole_s = time.perf_counter() - started
        started = time.perf_counter()
        assert await read_snapshot(queries, HOME, time.time, 60, known) is known
        same_s = time.perf_counter() - started
    ticking.cancel()
    postgres15.drop_database("large")
    print(
        f"10,000 tables: read {whole_s:.2f} s, compared {same_s:.2f} s, longest pause {worst * 1000:.0f} ms"
    )
    assert len(known.snapshot.relations) > 10_000


def test_targets_of_tests_are_verified(shared_shop15: Database) -> None:
    assert target_of(shared_shop15, shared_shop15.app).ca_pem
