"""The three stories of the starting directory: as policy files, as their policy tests, and with real psql.

Only finance may SELECT on payroll; DROP DATABASE is refused; a service sees less than a person.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import world as worlds
from tests.e2e.world import World
from tests.servers.postgres import Postgres

CUSTOMER = "select name, email, phone, ssn, card, dob, note from customers where id = 1"
TOKEN = r"[0-9a-f]{16}"

SEEN = {
    "frank": "Ada Example|ada@example.com|+44 20 7946 0001|078-05-1120|4111111111111111|1985-12-10|prefers e-mail",
    "alice": r"Ada Example|ada@example.com|+44 20 7946 0001|*******1120|************1111||***",
    "fiona": "***|***|***|***|***||***",
}


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    """The starting directory as `narrows init` writes it."""
    with worlds.started(postgres15) as started:
        yield started


def _rows(world: World, who: str, text: str) -> list[str]:
    done = world.gateway.psql(who, text)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _refusal(world: World, who: str, text: str) -> str:
    done = world.gateway.psql(who, text)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


# the policy tests


def test_the_policy_tests_pass(world: World) -> None:
    out = world.gateway.narrows("policy", "test", str(world.gateway.directory))
    assert re.search(r"\d+", out)


@pytest.mark.parametrize("policy", ["payroll.cedar", "guardrails.cedar", "pipelines.cedar"])
def test_the_policy_tests_fail_without_the_policy(world: World, tmp_path: Path, policy: str) -> None:
    """Each story hangs on one file: without it, the cases beside it say so."""
    copy = tmp_path / "gateway"
    shutil.copytree(world.gateway.directory, copy, ignore=shutil.ignore_patterns("state"))
    (copy / "policies" / policy).unlink()
    out = world.gateway.narrows("policy", "test", str(copy), is_ok=False)
    assert "expected" in out


# only finance may SELECT on payroll


def test_finance_reads_payroll(world: World) -> None:
    rows = _rows(world, "fiona", "select * from payroll order by employee_id")
    assert rows[0] == "1|2026-01-01|9100.00|GB33BUKB20201555555555"
    assert len(rows) == 3


@pytest.mark.parametrize("who", ["alice", "frank", "reports"])
@pytest.mark.parametrize(
    "text",
    [
        "select * from payroll",
        "select count(*) from payroll",
        "select e.name from employees e join payroll p on p.employee_id = e.id",
        "with p as (select * from payroll) select 1 from p",
        "select (select salary from payroll limit 1)",
        "select 1 where exists (table payroll)",
        "copy payroll to stdout",
        "copy (select salary from payroll) to stdout",
        "explain select * from payroll",
        "begin; declare c cursor for select * from payroll; fetch 1 from c; commit",
        "prepare p as select * from payroll",
        'select * from public."payroll"',
        "insert into payroll values (9, '2026-01-01', 1, 'x')",
        "update payroll set salary = 1 where employee_id = 1",
        "delete from payroll where employee_id = 1",
        "select 1; select * from payroll",
    ],
)
def test_nobody_else_does(world: World, who: str, text: str) -> None:
    said = _refusal(world, who, text)
    assert "payroll-is-finance-only" in said
    assert "Payroll is for the finance team." in said
    assert not re.search(r"9100|GB33", said)


def test_payroll_is_untouched(world: World) -> None:
    assert world.shop.query("table payroll order by 1") == world.twin.query("table payroll order by 1")


# DROP DATABASE is refused


@pytest.mark.parametrize("who", ["alice", "frank", "fiona", "reports"])
@pytest.mark.parametrize(
    "text",
    ["drop database {name}", "DROP/**/DATABASE IF EXISTS {name} WITH (FORCE)", "drop database nowhere"],
)
def test_drop_database_is_refused(world: World, who: str, text: str) -> None:
    said = _refusal(world, who, text.format(name=world.twin.name))
    assert "no-drop-database" in said
    assert "A database is not dropped through the gateway." in said
    assert world.twin.query("select 1") == [(1,)]


def test_an_attempt_to_drop_is_an_alert(world: World) -> None:
    _refusal(world, "frank", "drop database nowhere")
    alerts = worlds.entries(world.gateway, "alert", policy="no-drop-database")
    assert alerts
    assert alerts[-1].record.severity == "high"


# a service sees less than a person


@pytest.mark.parametrize("who", SEEN)
def test_people_see_each_their_rung(world: World, who: str) -> None:
    assert _rows(world, who, CUSTOMER) == [SEEN[who]]


def test_a_service_sees_tokens(world: World) -> None:
    (row,) = _rows(world, "reports", CUSTOMER)
    fields = row.split("|")
    assert all(re.fullmatch(TOKEN, field) for field in fields[:5])
    assert fields[5:] == ["", "***"]


def test_tokens_can_be_joined_and_counted(world: World) -> None:
    """The same value has the same token in every table and every session, and another label another one."""
    world.shop.run("update employees set email = 'ada@example.com' where id = 2")
    try:
        (customer,) = _rows(world, "reports", "select email from customers where id = 1")
        (employee,) = _rows(world, "reports", "select email from employees where id = 2")
        assert customer == employee
        assert re.fullmatch(TOKEN, customer)
    finally:
        world.shop.run("update employees set email = 'hugo@shop.example' where id = 2")


@pytest.mark.parametrize("who", ["alice", "fiona", "reports"])
@pytest.mark.parametrize(
    "text",
    [
        "select ssn as name from customers where id = 1",
        "select x from (select ssn from customers where id = 1) s(x)",
        "select upper(ssn) from customers where id = 1",
        "select ssn || '' from customers where id = 1",
        "select c from customers c where id = 1",
        "select row_to_json(c) from customers c where id = 1",
        "select array_agg(ssn) from customers where id = 1",
        "select max(card) from customers where id = 1",
        "with c as (select * from customers) select ssn, card from c where id = 1",
        "select ssn from customers where id = 1 union all select card from customers where id = 1",
        "select email || ssn from open_tickets t join customers c using (email) where c.id = 1",
        "select 1 / (length(ssn) - 11) from customers where id = 1",
        "select ssn::int from customers where id = 1",
    ],
)
def test_no_way_round_the_mask(world: World, who: str, text: str) -> None:
    """Whatever is answered, the value is not in it: neither in a row nor in an error."""
    done = world.gateway.psql(who, text)
    assert "078-05" not in done.stdout + done.stderr
    assert "41111111" not in done.stdout + done.stderr


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
@pytest.mark.parametrize(
    "line", ["\\d", "\\d customers", "\\dt+", "\\df", "\\l", "\\dn", "\\du", "\\dp", "\\di", "\\dT"]
)
def test_browsing_the_schema_is_not_masked(world: World, version: int, line: str) -> None:
    """psql's own questions to the catalogs are answered to everybody who may connect."""
    through, direct = world.psql("alice", line + "\n", version), world.direct_psql(line + "\n", version)
    assert (through.stdout, through.stderr) == (direct.stdout, direct.stderr)


# all of it is in the journal


def test_the_journal_tells_the_story(world: World) -> None:
    _rows(world, "alice", CUSTOMER)
    _refusal(world, "alice", "select * from payroll")
    told = [e.record for e in worlds.entries(world.gateway, "statement", principal="User/alice")]
    allowed = [r for r in told if r.text == CUSTOMER][-1]
    rungs = allowed.rungs
    assert [rung for column, rung in rungs.items() if "customers.ssn" in column] == ["partial"]
    refused = [r for r in told if r.effect == "deny"][-1]
    assert refused.policies == ("payroll-is-finance-only",)
    assert refused.reason == "FORBIDDEN"
    assert "078-05-1120" not in "".join(
        p.read_text() for p in (world.gateway.directory / "state").rglob("*.jsonl")
    )
    world.gateway.narrows("journal", "verify", str(world.gateway.directory))
