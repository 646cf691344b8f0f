"""psql works unchanged: 15's and 18's, over PostgreSQL 15 and 18, print the same through the gateway as without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres

META = r"""
\d
\dt+
\d+ customers
\d+ orders
\d+ events
\d open_tickets
\df
\df+ full_label
\l
\dn+
\du
\dv+
\dm+
\di+
\ds+
\dT+
\dp
\dx
\db
\dd
\dconfig work_mem
\ddp
\drds
\dC int4
\do ||
\sf full_label
\sv open_tickets
\dRp
\des
\dy
\dF
\dP+
\dO
\da max
\dc utf8*
\z customers
\sf+ touch_order
""".strip().splitlines()

SCRIPTS = {
    "several statements": "select 1 as a; select 'two' as b, null::int as c;\nselect 3 \\; select 4;",
    "copy to": r"""
\copy products to stdout
\copy (select id, name, ssn, tags, profile from customers order by id) to stdout with (format csv, header)
copy (select id, dob, balance from customers order by id) to stdout;
copy products (sku, price) to stdout with (format csv, delimiter ';', force_quote *);
\copy products to stdout with (format binary)
""",
    "copy from": r"""
\copy products (id, sku, title, price) from stdin
901	A-1	first	1.50
902	A-2	with\ttab	2.50
\.
copy products (id, sku, title, price) from stdin with (format csv);
903,A-3,"quoted, comma",3.5
\.
select * from products where id > 900 order by id;
copy products (id, sku, title, price) from stdin;
904	A-1	duplicate	1
\.
copy products (id, sku, title, price) from stdin;
905	A-5	broken	cheap
\.
select count(*) from products;
""",
    "cursors": r"""
begin;
declare c scroll cursor for select id, name, email from customers order by id;
fetch 2 from c;
move 1 in c;
fetch all from c;
fetch prior from c;
close c;
declare h cursor with hold for select id from orders order by id;
commit;
fetch 2 from h;
close h;
fetch 1 from h;
""",
    "fetch count": r"""
\set FETCH_COUNT 2
select id, name, ssn from customers order by id;
select * from orders order by id;
""",
    "transactions": r"""
begin;
insert into products (id, sku, title, price) values (700, 'T-1', 't', 1);
savepoint one;
insert into products (id, sku, title, price) values (700, 'T-2', 't', 1);
select 1;
rollback to one;
insert into products (id, sku, title, price) values (701, 'T-3', 't', 1);
release one;
commit;
begin; delete from products where id = 700; rollback;
select id from products where id >= 700 and id < 800 order by id;
begin isolation level serializable read only deferrable;
insert into products (id, sku, title, price) values (702, 'T-4', 't', 1);
commit;
start transaction; commit and chain; rollback and no chain;
\set AUTOCOMMIT off
insert into products (id, sku, title, price) values (703, 'T-5', 't', 1);
rollback;
select count(*) from products where id = 703;
""",
    "errors at the target": r"""
select nope from customers;
select id,
       nope(name) from customers;
select 1/0;
select * from nowhere;
insert into products (sku, title, price) values ('MUG-1', 'again', 1);
insert into products (sku, title, price) values ('NEG', 'negative', -1);
insert into orders (customer_id) values (4711);
select 'x'::int;
select '2026-13-45'::date;
\set VERBOSITY verbose
select 1/0;
\errverbose
\set VERBOSITY sqlstate
select 1/0;
\set ON_ERROR_ROLLBACK on
begin;
select 1/0;
select 1;
commit;
""",
    "stop on error": r"""
\set ON_ERROR_STOP on
select 1;
select 1/0;
select 2;
""",
    "describe and variables": r"""
select id, name, balance, tags, profile, created_at from customers \gdesc
select count(*) as n from customers \gset
\echo :n
select id, name from customers where id = 1 \gx
select 'select ' || n from generate_series(1, 3) n \gexec
select c.country, o.status, count(*) from customers c join orders o on o.customer_id = c.id group by 1, 2 order by 1, 2 \crosstabview
\echo :ROW_COUNT :SQLSTATE :ERROR
""",
    "prepared": r"""
prepare p(int) as select id, name, email from customers where id = $1;
execute p(1);
execute p(2);
prepare p as select 1;
deallocate p;
execute p(1);
prepare q as insert into products (id, sku, title, price) values ($1, $2, 'q', 1) returning id, sku;
execute q(600, 'Q-600');
deallocate all;
discard all;
""",
    "settings": r"""
set search_path to public;
show search_path;
set datestyle to 'German, DMY';
select dob from customers where id = 1;
reset datestyle;
set timezone to 'Asia/Tokyo';
select created_at from customers where id = 1;
begin; set local intervalstyle to iso_8601; select interval '1 day 2 hours'; commit;
select interval '1 day 2 hours';
set statement_timeout to '5s';
show statement_timeout;
select current_setting('work_mem'), set_config('application_name', 'mine', false);
set work_mem to 'much';
reset all;
""",
    "definitions": r"""
create table plants (id int primary key, name text not null, meta jsonb default '{}');
alter table plants add column height numeric(6, 2);
create index plants_name on plants (name);
comment on table plants is 'green';
insert into plants values (1, 'fern', '{"a": 1}', 1.5), (2, 'moss', null, 0.1) returning *;
\d+ plants
create view tall as select name from plants where height > 1;
select * from tall;
create table plants (id int);
create table if not exists plants (id int);
update plants set height = height * 2 where id = 1 returning id, height;
truncate plants;
drop table plants;
drop table plants cascade;
drop table if exists plants;
create temp table scratch as select id, sku from products;
select count(*) from scratch;
drop table scratch;
create function twice(n int) returns int language sql immutable as $$ select n * 2 $$;
select twice(21);
drop function twice(int);
""",
    "code and notices": r"""
do $$ begin raise notice 'hello %', 1; raise warning 'careful'; end $$;
do $$ begin raise exception 'no' using errcode = 'P0042', detail = 'why', hint = 'how'; end $$;
call close_ticket(3);
select state from tickets where id = 3;
select full_label(c) from customers c where id = 1;
set client_min_messages to error;
do $$ begin raise notice 'unheard'; end $$;
""",
    "queries of every shape": r"""
with t as (select customer_id, sum(total) s from orders group by 1) select c.name, t.s from t join customers c on c.id = t.customer_id order by 1;
select name, rank() over (order by balance desc) from customers order by 2;
select * from customer_totals order by id;
select * from open_tickets order by id;
select * from monthly_sales;
select id, secret, last_used from api_keys order by id;
select * from events order by id;
select * from only customers order by id;
select tableoid::regclass, id from customers order by 2;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select * from n;
select jsonb_pretty(profile), profile -> 'address' ->> 'city' from customers where id = 1;
select unnest(tags) from customers order by 1;
select id from customers where email like '%example.com' order by id;
insert into tickets (customer_id, subject) values (1, 'new') returning id > 0, state, opened_at;
insert into products (id, sku, title, price) values (1, 'MUG-1', 'Mug', 1) on conflict (id) do update set title = excluded.title returning id, title;
merge into products p using (values (1, 9.99)) v(id, price) on p.id = v.id when matched then update set price = v.price;
update orders o set status = 'done' from customers c where c.id = o.customer_id and c.country = 'DE' returning o.id, c.name;
delete from order_items where order_id = 4 returning *;
explain (costs off) select * from customers where id = 1;
values (1, 'a'), (2, 'b');
table products;
select * from generate_series(1, 3) with ordinality;
select $q$dollar 'quoted'$q$, E'esc\taped', U&'\0041', B'101', X'ff', 'Grüße 漢字';
;
-- only a comment
select /* inside */ 1 -- behind
;
""",
}

WATCH = r"""
create temp sequence w;
select 10 / (3 - nextval('w')) as left \watch 0.05
select 'after';
"""

NEW_IN_18 = {
    "bind": r"""
select id, name from customers where id = $1 \bind 2 \g
select $1::int + $2::int as sum \bind 40 2 \g
select 1/$1::int \bind 0 \g
select id from customers where id = $1 \parse by_id
\bind_named by_id 3 \g
\close_prepared by_id
\bind_named by_id 3 \g
""",
    "pipeline": r"""
\startpipeline
select $1::int as a \bind 1 \sendpipeline
select name from customers where id = $1 \bind 2 \sendpipeline
\syncpipeline
insert into products (id, sku, title, price) values (650, $1, 'p', 1) returning id \bind P-1 \sendpipeline
\endpipeline
select count(*) from products where id = 650;
""",
    "watch": r"select 'tick' as t \watch c=3 i=0.05",
}


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def world(request: pytest.FixtureRequest, postgres15: Postgres, postgres18: Postgres) -> Iterator[World]:
    server = postgres15 if request.param == 15 else postgres18
    with worlds.started(server, worlds.CHANGES, worlds.FILES) as started:
        yield started


def _same(world: World, text: str, version: int) -> None:
    """Standard output, standard error and exit code are those of the same psql without the gateway."""
    direct = world.direct_psql(text, version)
    through = world.psql("dev", text, version)
    assert _plain(through.stderr) == _plain(direct.stderr)
    assert through.stdout == direct.stdout
    assert through.returncode == direct.returncode


_OURS = re.compile(r"^DETAIL:  code: NW\d{3};.*\nHINT:  .*\n", flags=re.MULTILINE)


def _plain(text: str) -> str:
    """Without the two lines that the gateway adds where it found the error itself."""
    return _OURS.sub("", text)


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
def test_meta_commands(world: World, version: int) -> None:
    """Every command of the list for itself, so that a difference says where it is."""
    text = "".join(f"\\echo == {n}\n\\warn == {n}\n{line}\n" for n, line in enumerate(META))
    direct = world.direct_psql(text, version)
    through = world.psql("dev", text, version)
    assert _differences(through.stdout, direct.stdout) == {}
    assert _differences(through.stderr, direct.stderr) == {}
    assert through.returncode == direct.returncode


def _differences(mine: str, theirs: str) -> dict[str, tuple[str, str]]:
    """Command -> what it printed through the gateway and without it, where these differ."""
    ours, expected = (re.split(r"^== \d+\n", text, flags=re.MULTILINE)[1:] for text in (mine, theirs))
    assert len(expected) == len(META)
    pairs = zip(META, ours, expected, strict=True)
    return {line: (found, wanted) for line, found, wanted in pairs if found != wanted}


BOTH = {"cursors", "errors at the target", "copy from"}
"""Scripts for which both psqls are run against both servers; the others with the psql of the server's version."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(world: World, name: str) -> None:
    for version in (15, 18) if name in BOTH else (world.server.version,):
        world.twin.run(_RESTORE)
        world.shop.run(_RESTORE)
        _same(world, SCRIPTS[name], version)


_RESTORE = """
delete from products where id > 3;
delete from tickets where id > 3;
update products set title = 'Mug, white', price = 8.50 where id = 1;
"""


@pytest.mark.parametrize("name", NEW_IN_18)
def test_what_psql_18_added(world: World, name: str) -> None:
    world.twin.run(_RESTORE)
    world.shop.run(_RESTORE)
    text = NEW_IN_18[name]
    direct, through = world.direct_psql(text, 18), world.psql("dev", text, 18)
    assert (_timeless(through.stdout), _plain(through.stderr)) == (_timeless(direct.stdout), direct.stderr)
    assert direct.stdout


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
def test_watch(world: World, version: int) -> None:
    """Three rounds: two answers and the division by zero that ends it."""
    direct, through = world.direct_psql(WATCH, version), world.psql("dev", WATCH, version)
    assert (_timeless(through.stdout), _plain(through.stderr)) == (_timeless(direct.stdout), direct.stderr)
    assert "division by zero" in through.stderr
    assert "after" in through.stdout


def _timeless(text: str) -> str:
    return re.sub(r"^.*\d\d:\d\d:\d\d.*$", "(time)", text, flags=re.MULTILINE)


def test_timing(world: World) -> None:
    done = world.psql("dev", "\\timing on\nselect 1;\nselect 1/0;\n")
    assert len(re.findall(r"^Time: \d+\.\d+ ms", done.stdout, flags=re.MULTILINE)) == 2


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
def test_copy_a_file_both_ways(world: World, version: int, tmp_path: Path) -> None:
    given, back = tmp_path / "given", tmp_path / "back"
    rows = "".join(f"{n}\tL-{version}-{n}\ttitle {n}\t{n}.00\n" for n in range(10_000, 30_000))
    given.write_text(rows)
    text = (
        f"\\copy products (id, sku, title, price) from '{given}'\n"
        f"\\copy (select * from products where id >= 10000 order by id) to '{back}'\n"
        "delete from products where id >= 10000;\n"
    )
    done = world.psql("dev", text, version)
    assert done.stderr == ""
    assert done.stdout.split() == ["COPY", "20000", "COPY", "20000", "DELETE", "20000"]
    assert back.read_text() == rows


def test_a_syntax_error_is_shown_where_it_is(world: World) -> None:
    """The gateway's parser is PostgreSQL's own, and so is the place that it shows."""
    text = "select id\n  form customers;\nselec 1;\nselect 'after';\n"
    direct, through = world.direct_psql(text), world.psql("dev", text)
    places = [line for line in direct.stderr.splitlines() if line.startswith("LINE") or line.strip() == "^"]
    assert len(places) == 4
    found = [line for line in through.stderr.splitlines() if line.startswith("LINE") or line.strip() == "^"]
    assert found == places
    assert through.stdout == direct.stdout


def test_a_string_of_several_statements_is_one_transaction(world: World) -> None:
    text = "insert into products (id, sku, title, price) values (555, 'X', 'x', 1); select 1/0"
    done = world.gateway.psql("dev", text)
    assert "division by zero" in done.stderr
    assert world.shop.query("select count(*) from products where id = 555") == [(0,)]


def test_notifications_arrive(world: World) -> None:
    """Without their text where the connection has labels: whoever notified may have put labelled values there."""
    done = world.psql("dev", "listen tick;\nnotify tick, 'payload';\nselect 1;\n")
    assert 'Asynchronous notification "tick" received' in done.stdout
    assert "payload" not in done.stdout


def test_other_encodings_are_refused_clearly(world: World) -> None:
    """Masks are made for UTF-8, so nothing else is spoken."""
    done = world.psql("dev", "set client_encoding to latin1;\nselect name from customers where id = 2;\n")
    assert "client_encoding" in done.stderr
    assert "NW014" in done.stderr
    assert "UTF8" in done.stderr
    assert "Björn Beispiel" in done.stdout


def test_an_unknown_setting_is_refused(world: World) -> None:
    done = world.psql("dev", "set no_such_setting to 1;\nselect 'after';\n")
    assert "no_such_setting" in done.stderr
    assert "after" in done.stdout


def test_a_copy_of_a_query_without_tables(world: World) -> None:
    _same(world, "copy (select 1, 'x') to stdout;\ncopy (values (1), (2)) to stdout with csv;\n", 15)


def test_a_statement_of_many_kilobytes_is_analysed_elsewhere_and_runs(world: World) -> None:
    """Over 16 KiB the analysis runs in a process of its own."""
    values = ", ".join(f"({n}, 'W-{n}', 'wide {'x' * 40}', 1)" for n in range(40_000, 41_000))
    text = f"insert into products (id, sku, title, price) values {values};\ndelete from products where id >= 40000;\n"
    done = world.psql("dev", text)
    assert (done.stdout.split(), done.stderr) == (["INSERT", "0", "1000", "DELETE", "1000"], "")
