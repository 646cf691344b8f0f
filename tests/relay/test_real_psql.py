"""The machine between psql and a real PostgreSQL 15: a refusal has the semantics of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.relay.conftest import INTACT, psql, rows
from tests.relay.pump import Pump
from tests.servers.postgres import Database

pytestmark = pytest.mark.server


async def test_a_refusal_in_a_block_commits_nothing(pump: Pump, table: Database) -> None:
    said = await psql(pump, "begin; update t set b = 'x'; select 'refuse_me'; commit;".replace("; ", ";\n"))
    assert "the gate says no" in said
    assert said.splitlines()[-1] == "ROLLBACK"
    assert rows(table) == INTACT


async def test_a_multi_statement_string_is_refused_whole(pump: Pump, table: Database) -> None:
    said = await psql(pump, r"update t set b = 'x' \; select 'refuse_me';")
    assert "NW002" in said
    assert rows(table) == INTACT


async def test_a_refusal_outside_a_block_leaves_the_session_as_it_was(pump: Pump) -> None:
    said = await psql(pump, "select 'refuse_me';\nselect 5;\n")
    assert said.splitlines()[-1] == "5"


async def test_a_savepoint_undoes_a_refusal(pump: Pump, table: Database) -> None:
    script = """begin;
insert into t values (4, 'four');
savepoint s;
insert into t values (5, 'five');
select 'refuse_me';
rollback to s;
insert into t values (6, 'six');
commit;
"""
    said = await psql(pump, script)
    assert said.splitlines()[-1] == "COMMIT"
    assert rows(table) == [*INTACT, (4, "four"), (6, "six")]


async def test_copy_both_ways(pump: Pump, table: Database, tmp_path: Path) -> None:
    script = "copy t from stdin;\n4\tfour\n5\tfive\n\\.\ncopy (select a, b from t where a > 3) to stdout;\n"
    assert (await psql(pump, script)).splitlines()[-2:] == ["4\tfour", "5\tfive"]
    path = tmp_path / "rows"
    path.write_text("".join(f"{number}\tvalue {number}\n" for number in range(100, 50_100)))
    said = await psql(pump, f"\\copy t from '{path}'\n\\copy t to '{path}'\nselect count(*) from t;\n")
    assert said.splitlines() == ["COPY 50000", "COPY 50005", "50005"]
    assert len(path.read_text().splitlines()) == 50_005


async def test_a_copy_that_fails_leaves_the_session_usable(pump: Pump, table: Database) -> None:
    said = await psql(pump, "copy t from stdin;\n1\tagain\n\\.\nselect 'after';\n")
    assert "duplicate key" in said
    assert said.splitlines()[-1] == "after"


async def test_a_cursor_in_a_block(pump: Pump) -> None:
    script = """begin;
declare c cursor for select a from t order by a;
fetch 2 from c;
move 0 in c;
fetch all from c;
close c;
commit;
"""
    said = await psql(pump, script)
    assert [line for line in said.splitlines() if line.isdigit()] == ["1", "2", "3"]


async def test_meta_commands_and_error_positions(pump: Pump) -> None:
    said = await psql(pump, "\\pset t off\n\\d t\n\\dt\nselect nope from t;\n")
    assert "Indexes:" in said
    assert "public|t|table" in said
    assert "LINE 1: select nope from t;" in said


async def test_prepared_statements_of_sql(pump: Pump) -> None:
    script = "prepare p(int) as select b from t where a = $1;\nexecute p(2);\ndeallocate p;\nexecute p(2);\n"
    said = await psql(pump, script)
    assert said.splitlines()[1] == "two"
    assert "two" not in said.splitlines()[2:]
