"""A pipeline of everyday work by psql: what it prints and what it leaves is the same, and no masked value is stored."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.everyday.world import World

STAGES = sorted(Path(__file__).with_name("pipeline").glob("*.sql"))


@pytest.mark.parametrize("stage", STAGES, ids=lambda path: path.stem)
def test_stages(world: World, stage: Path) -> None:
    """In their order: a stage works on what those before it left."""
    done = world.same(lambda door: door.psql(stage.read_text(), "-a", version=world.version), _nameless)
    assert "ERROR" not in done.stderr
    assert "***" not in done.stdout


def _nameless(text: str) -> str:
    """Without the number of the server's process."""
    return re.sub(r"(server process with PID) \d+", r"\1", text)


def test_the_same_is_left(world: World) -> None:
    """The superuser's dump of both, labelled columns too: masks stay on the way to the caller."""
    world.assert_same_is_left()


LABELLED = """\
create temp table people as select id, name, email, ssn, vip from customers where id < 4;
select * from people order by id;
select p.name, p.email, o.amount from people p join orders o on o.customer_id = p.id where o.id in (1, 2, 40) order by p.id;
select count(*), count(p.ssn), bool_or(vip) from people p;
create index on people (ssn);
select name from people where ssn = '318-62-9047';
alter table people rename column email to contact;
select id, contact from people order by id;
create temp table codes as select id, left(ssn, 3) as area, name from people;
select id, area, name from codes order by id;
insert into codes select id, phone, name from customers where id = 4;
select area, name from codes where id = 4;
drop table codes;
"""
MASKED = """\
id|name|email|ssn|vip
1|Alice Liddell|***|***|t
2|Bob Stone|***|***|f
3|Chen Wei|***|***|f
name|email|amount
Alice Liddell|***|130.00
Bob Stone|***|3.25
Chen Wei|***|6.50
count|count|bool_or
3|3|t
name
Bob Stone
id|contact
1|***
2|***
3|***
id|area|name
1|***|Alice Liddell
2|***|Bob Stone
3|***|Chen Wei
area|name
***|Customer 4
"""


def test_temporary_tables_of_labelled_columns_are_used_like_any_other(world: World) -> None:
    """Their labelled columns are masked, the others are as they are, and the rows join and count as they are."""
    options = ("-q", "-A", "-P", "footer=off")
    through, direct = (door.psql(LABELLED, *options, version=world.version) for door in world.doors)
    assert (through.stderr, direct.stderr) == ("", "")
    assert through.stdout == MASKED
    assert len(direct.stdout.splitlines()) == len(MASKED.splitlines())
