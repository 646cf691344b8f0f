"""Two sessions at once, as dbt's threads and migrations beside an application are: nobody waits for himself."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.everyday.world import World


def _connect(world: World) -> psycopg.Connection[Any]:
    return psycopg.connect(**world.through.parameters, autocommit=True, connect_timeout=20)


def test_one_defines_while_another_has_a_view_locked(world: World) -> None:
    """The schema is read after the definition, and the lock's holder goes on meanwhile."""
    with _connect(world) as one, _connect(world) as other:
        one.execute("create view held as select id, amount from orders")
        one.execute("begin")
        one.execute("alter view held rename to released")
        other.execute("create table beside (id int)")
        assert other.execute("select count(*) from beside").fetchall() == [(0,)]
        assert one.execute("select id, amount from released order by id limit 1").fetchall()[0][0] == 1
        one.execute("commit")
        assert other.execute("select count(*) from released").fetchall() == [(120,)]


def test_tables_are_swapped_under_readers(world: World) -> None:
    """The reader sees the old rows before the commit and the new ones after it, with nothing masked."""
    with _connect(world) as one, _connect(world) as other:
        one.execute("create table stock as select id, amount from orders where id <= 3")
        one.execute("create table stock_new as select id, amount * 2 as amount from orders where id <= 3")
        read = "select id, amount from stock order by id"
        before = other.execute(read).fetchall()
        one.execute("begin")
        one.execute("alter table stock rename to stock_old")
        one.execute("alter table stock_new rename to stock")
        assert one.execute(read).fetchall() == [(id_, amount * 2) for id_, amount in before]
        one.execute("commit")
        assert other.execute(read).fetchall() == [(id_, amount * 2) for id_, amount in before]
