"""`kill -9` under load: the journal verifies after the restart, and knows every statement that PostgreSQL ran.

PostgreSQL's own log is the witness: each statement it logged must have its record, with the same session, text
and bound values; our own statements are journalled as `own`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from narrows.journal import keys, records
from narrows.journal.values import open_values
from tests.servers import gateway, processes
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Logged

OPEN_POLICY = '@id("bench")\npermit (principal, action, resource in Connection::"shop");\n'
SCRIPT = r"""
\set id random(1, 1000)
\set delta random(-50, 50)
begin;
update accounts set balance = balance + :delta where id = :id;
select balance from accounts where id = :id;
insert into history (id, delta) values (:id, :delta);
commit;
"""
_PARAMETER = re.compile(r"\$(\d+) = (?:NULL|'((?:[^']|'')*)')")

Key = tuple[int, str, tuple[str | None, ...]]
"""(the process at the target, text, bound values)."""


def _prepare(database: Database) -> None:
    app = database.app.user
    database.run(
        "create table accounts (id int primary key, balance bigint not null default 0);"
        "create table history (id int, delta int, at timestamptz default now());"
        "insert into accounts select g, 0 from generate_series(1, 1000) g;"
        f"grant select, insert, update on accounts, history to {app}"
    )


def _pgbench(gw: Gateway, directory: Path, mode: str, seconds: int) -> subprocess.Popen[str]:
    script = directory / f"{mode}.sql"
    script.write_text(SCRIPT)
    program = gw.database.server.programs.path("pgbench")
    return subprocess.Popen(
        [program, "-n", "-M", mode, "-c", "8", "-j", "2", "-T", str(seconds), "-f", str(script)],
        env={**gw.environ("alice"), **gw.database.server.programs.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _journalled(gw: Gateway) -> tuple[Counter[Key], Counter[str]]:
    """Statements by process at the target, and the texts of our own."""
    secret = keys.load(gw.directory / "state" / "keys").values
    pids: dict[str, int] = {}
    statements: Counter[Key] = Counter()
    own: Counter[str] = Counter()
    for entry in gw.journal():
        match entry.record:
            case records.SessionOpened() as opened:
                pids[opened.session] = opened.target_pid
            case records.OwnRecord() as ours:
                own[ours.text] += 1
            case records.StatementRecord() as said if said.session in pids and said.effect == "allow":
                values = tuple(
                    None if v.parameter.value is None else v.parameter.value.decode()
                    for v in open_values(entry, secret)
                )
                statements[(pids[said.session], said.text, values)] += 1
    return statements, own


def _logged_key(logged: Logged) -> Key:
    found = _PARAMETER.findall(logged.parameters or "")
    return (logged.pid, logged.text, tuple(value.replace("''", "'") for _, value in found))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_every_statement_at_the_target_is_in_the_journal(shop15: Database, tmp_path: Path, mode: str) -> None:
    _prepare(shop15)
    scripts = processes.scratch_directory("crash")
    try:
        with gateway.started(shop15, files={"policies/bench.cedar": OPEN_POLICY}) as gw:
            gw.token("alice")
            load = _pgbench(gw, scripts, mode, 30)
            time.sleep(4)
            gw.kill()
            load.communicate(timeout=60)
            assert load.returncode != 0, "the load was not under way when the gateway was killed"
            gw.start_again()

            verified = gw.narrows("journal", "verify", str(gw.directory))
            assert "intact" in verified
            recoveries = [e for e in gw.journal() if e.kind == "recovery"]
            assert len(recoveries) == 1

            after = gw.psql("alice", "select count(*) from history")
            assert after.returncode == 0, after.stderr

            statements, own = _journalled(gw)
            logged = shop15.server.statements(database=shop15.name)
            ran = Counter(_logged_key(e) for e in logged if e.user == shop15.app.user)
            ours = {e.pid for e in logged if e.application.startswith("narrows")}
            by_callers = Counter({key: n for key, n in ran.items() if key[0] not in ours})
            assert sum(by_callers.values()) > 500, "too little load to prove anything"
            assert not (by_callers - statements), "ran without a record"
            our_texts = Counter(e.text for e in logged if e.pid in ours)
            assert our_texts
            assert not (our_texts - own), "ours, without a record"
    finally:
        shutil.rmtree(scripts, ignore_errors=True)
