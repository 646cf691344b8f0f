"""Sessions end when they must and go on when they may: revocation, disabling, reload, drain."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import yaml

from tests.e2e import world as worlds
from tests.e2e.world import World, eventually
from tests.servers.postgres import Postgres

CHANGES: dict[str, Any] = {
    **worlds.CHANGES,
    "settings": {"drain_timeout_s": 3},
    "users": {
        **worlds.CHANGES["users"],
        "temp": {"groups": ["developers"]},
        "other": {"groups": ["support"]},
    },
}


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Iterator[World]:
    with worlds.started(postgres15, CHANGES, worlds.FILES) as started:
        yield started


def _connect(world: World, who: str, token: str | None = None) -> psycopg.Connection[Any]:
    given = world.gateway.parameters(who)
    return psycopg.connect(**{**given, "password": token or given["password"]}, autocommit=True)


def _target_pid(connection: psycopg.Connection[Any]) -> int:
    ((pid,),) = connection.execute("select pg_backend_pid()").fetchall()
    return int(pid)


def _is_at_target(world: World, pid: int) -> bool:
    return bool(world.shop.query("select 1 from pg_stat_activity where pid = %s", [pid]))


def _gone_within(world: World, pid: int, limit_s: float = 2.0) -> None:
    eventually(lambda: not _is_at_target(world, pid), limit_s, "the session is gone at the target")


def _change(world: World, change: Any) -> None:
    """Edit narrows.yaml and reload."""
    path = world.gateway.directory / "narrows.yaml"
    root = yaml.safe_load(path.read_text())
    change(root)
    path.write_text(yaml.safe_dump(root, sort_keys=False))
    world.gateway.reload()


# ends


def test_a_revoked_token_ends_its_sessions(world: World) -> None:
    made = world.gateway.operate("tokens", "create", "temp")
    with _connect(world, "dev") as bystander, _connect(world, "temp", made["secret"]) as idle:
        pid = _target_pid(idle)
        world.gateway.operate("tokens", "revoke", made["id"])
        _gone_within(world, pid)
        with pytest.raises(psycopg.OperationalError) as ended:
            idle.execute("select 1")
        assert ended.value.sqlstate == "57P01" or "revoked" in str(ended.value)
        assert "revoked" in str(ended.value)
        assert bystander.execute("select 1").fetchone() == (1,)
    closed = [e.record for e in worlds.entries(world.gateway, "session_closed")]
    assert any("revoked" in r.reason for r in closed)


def test_a_token_that_runs_out_ends_its_sessions(world: World) -> None:
    made = world.gateway.operate("tokens", "create", "temp", "--ttl", "3s")
    with _connect(world, "temp", made["secret"]) as idle:
        pid = _target_pid(idle)
        left_s = made["expires_at"] - time.time()
        _gone_within(world, pid, max(left_s, 0) + 2)
        assert time.time() >= made["expires_at"]
        with pytest.raises(psycopg.OperationalError, match="expired"):
            idle.execute("select 1")


def test_a_revoked_token_ends_what_is_running(world: World) -> None:
    """A statement in the middle is cancelled at the target, and its transaction rolled back."""
    made = world.gateway.operate("tokens", "create", "temp")
    said: list[str] = []
    with _connect(world, "temp", made["secret"]) as busy:
        pid = _target_pid(busy)
        busy.execute("begin")
        busy.execute("update products set title = 'spoiled' where id = 1")

        def run() -> None:
            try:
                busy.execute("select pg_sleep(60)")
            except psycopg.Error as error:
                said.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        eventually(lambda: world.activity("state = 'active' and query like '%pg_sleep(60)%'"))
        world.gateway.operate("tokens", "revoke", made["id"])
        _gone_within(world, pid)
        thread.join(5)
        assert "revoked" in said[0]
    assert world.shop.query("select title from products where id = 1") == [("Mug, white",)]


def test_a_disabled_principal_loses_its_sessions(world: World) -> None:
    with (
        _connect(world, "temp") as first,
        _connect(world, "temp") as second,
        _connect(world, "dev") as bystander,
    ):
        pids = [_target_pid(first), _target_pid(second)]
        _change(world, lambda root: root["users"]["temp"].update(disabled=True))
        try:
            for pid in pids:
                _gone_within(world, pid)
            with pytest.raises(psycopg.OperationalError, match="disabled"):
                first.execute("select 1")
            with pytest.raises(psycopg.OperationalError, match="NW032"):
                _connect(world, "temp")
            assert bystander.execute("select 1").fetchone() == (1,)
        finally:
            _change(world, lambda root: root["users"]["temp"].pop("disabled"))


def test_a_principal_that_is_removed_loses_its_sessions(world: World) -> None:
    with _connect(world, "other") as connection:
        pid = _target_pid(connection)
        _change(world, lambda root: root["users"].pop("other"))
        _gone_within(world, pid)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    _change(world, lambda root: root["users"].update(other={"groups": ["support"]}))


def test_a_session_that_the_operator_ends(world: World) -> None:
    with _connect(world, "temp") as connection:
        pid = _target_pid(connection)
        (session,) = [s for s in world.gateway.operate("sessions", "list") if "temp" in s["principal"]]
        world.gateway.operate("sessions", "end", session["id"])
        _gone_within(world, pid)
        with pytest.raises(psycopg.OperationalError, match="ended"):
            connection.execute("select 1")


def test_a_client_that_vanishes_is_gone_at_the_target(world: World) -> None:
    with _connect(world, "temp") as connection:
        pid = _target_pid(connection)
        connection.execute("begin")
        connection.execute("update products set title = 'spoiled' where id = 2")
        connection.pgconn.finish()
    _gone_within(world, pid)
    assert world.shop.query("select title from products where id = 2") == [("Mug, blue",)]


def test_a_client_that_vanishes_while_its_statement_runs(world: World) -> None:
    connection = _connect(world, "temp")
    pid = _target_pid(connection)
    connection.pgconn.send_query(b"select pg_sleep(61)")
    eventually(lambda: world.activity("state = 'active' and query like '%pg_sleep(61)%'"))
    connection.pgconn.finish()
    _gone_within(world, pid, 5)


# goes on


def test_a_reload_changes_policy_for_open_sessions(world: World) -> None:
    """In the middle of a transaction, too; nothing is dropped, and the next statement is under the new policy."""
    gateway = world.gateway
    path = gateway.directory / "policies" / "support.cedar"
    before = path.read_text()
    with _connect(world, "alice") as connection:
        pid = _target_pid(connection)
        query = "select ssn from customers where id = 1"
        connection.execute("begin")
        assert connection.execute(query).fetchone() == ("*******1120",)
        prepared = connection.execute(query, prepare=True)
        assert prepared.fetchone() == ("*******1120",)
        path.write_text(before.replace('Action::"reveal_partial"', 'Action::"reveal_token"'))
        try:
            gateway.reload()
            for _ in range(2):
                row = connection.execute(query, prepare=True).fetchone()
                assert row is not None
                assert len(row[0]) == 16
            path.write_text(
                '@id("none") forbid (principal in Group::"support", action == Action::"select", resource);'
            )
            gateway.reload()
            with pytest.raises(psycopg.Error, match='"none"'):
                connection.execute(query, prepare=True)
            connection.execute("rollback")
        finally:
            path.write_text(before)
            gateway.reload()
        assert connection.execute(query).fetchone() == ("*******1120",)
        assert _target_pid(connection) == pid


def test_a_reload_changes_labels_for_open_sessions(world: World) -> None:
    gateway = world.gateway
    path = gateway.directory / "labels.yaml"
    before = path.read_text()
    root = yaml.safe_load(before)
    root["columns"]["shop"]["public.products"] = {"title": "secret"}
    with _connect(world, "alice") as connection:
        query = "select title from products where id = 1"
        assert connection.execute(query, prepare=True).fetchone() == ("Mug, white",)
        path.write_text(yaml.safe_dump(root))
        try:
            gateway.reload()
            assert connection.execute(query, prepare=True).fetchone() == ("***",)
            assert connection.execute(query).fetchone() == ("***",)
        finally:
            path.write_text(before)
            gateway.reload()
        assert connection.execute(query, prepare=True).fetchone() == ("Mug, white",)


def test_a_reload_by_signal(world: World) -> None:
    loaded = len(worlds.entries(world.gateway, "config_loaded"))
    with _connect(world, "dev") as connection:
        world.gateway.running.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(worlds.entries(world.gateway, "config_loaded")) == loaded + 1)
        assert connection.execute("select 1").fetchone() == (1,)


def test_reloads_under_load_drop_nobody(world: World) -> None:
    stop = threading.Event()
    faults: list[str] = []

    def work() -> None:
        try:
            with _connect(world, "dev") as connection:
                number = 0
                while not stop.is_set():
                    number += 1
                    assert connection.execute("select %s::int", [number]).fetchone() == (number,)
        except Exception as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        world.gateway.reload()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert faults == []


def test_a_schema_change_is_known_to_all_sessions(world: World) -> None:
    """One session adds a table; another one reads it at once."""
    with _connect(world, "dev") as one, _connect(world, "alice") as two:
        assert two.execute("select 1").fetchone() == (1,)
        one.execute("create table fresh as select id from products")
        try:
            eventually(lambda: _readable(two))
        finally:
            one.execute("drop table fresh")


def _readable(connection: psycopg.Connection[Any]) -> bool:
    try:
        return connection.execute("select id from fresh where id = 1").fetchone() == (1,)
    except psycopg.Error:
        return False


# the end; these stop the gateway, so they stand last


def test_drain_lets_a_transaction_finish(world: World) -> None:
    gateway = world.gateway
    with _connect(world, "dev") as idle, _connect(world, "dev") as busy:
        idle_pid = _target_pid(idle)
        busy.execute("begin")
        busy.execute("update products set title = 'drained' where id = 3")
        gateway.running.process.send_signal(signal.SIGTERM)
        _gone_within(world, idle_pid)
        with pytest.raises(psycopg.OperationalError) as ended:
            idle.execute("select 1")
        assert "shutting down" in str(ended.value) or "closed" in str(ended.value)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**gateway.parameters("dev"))
        time.sleep(0.5)
        assert busy.execute("select title from products where id = 3").fetchone() == ("drained",)
        busy.execute("commit")
        gateway.running.process.wait(5)
    assert gateway.running.process.returncode == 0
    assert world.shop.query("select title from products where id = 3") == [("drained",)]
    gateway.narrows("journal", "verify", str(gateway.directory))
    gateway.start_again()


def test_drain_ends_at_its_limit(world: World) -> None:
    gateway = world.gateway
    stuck = _connect(world, "dev")
    pid = _target_pid(stuck)
    stuck.execute("begin")
    stuck.execute("update products set title = 'stuck' where id = 3")
    started = time.monotonic()
    gateway.running.process.send_signal(signal.SIGTERM)
    gateway.running.process.wait(15)
    assert 2.5 < time.monotonic() - started < 9
    _gone_within(world, pid)
    stuck.close()
    assert world.shop.query("select title from products where id = 3") == [("drained",)]
    gateway.start_again()


def test_a_second_signal_does_not_wait(world: World) -> None:
    gateway = world.gateway
    stuck = _connect(world, "dev")
    stuck.execute("begin")
    stuck.execute("select 1")
    started = time.monotonic()
    gateway.running.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    gateway.running.process.send_signal(signal.SIGTERM)
    gateway.running.process.wait(5)
    assert time.monotonic() - started < 4
    stuck.close()
    gateway.start_again()
    assert gateway.psql("dev", "select 1").stdout == "1\n"
