"""The codec against real servers: sign-in each way, both protocol versions, and every byte they send read and
written again.
"""

from __future__ import annotations

import pytest

from narrows.core import PASS_ALL, CopyPlan, Message
from narrows.wire.postgres import backend, scram
from narrows.wire.postgres.frontend import Bind, Close, Describe, Execute, Flush, Parse, Query, Sync
from tests.servers.postgres import Login, Postgres
from tests.wire.live import Live


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_scram_signs_in_with_the_certificate_bound_where_there_is_one(
    postgres: Postgres, is_tls: bool
) -> None:
    with Live(postgres.admin, postgres.superuser, is_tls=is_tls) as live:
        assert live.mechanism == (scram.PLUS if is_tls else scram.PLAIN)
        assert backend.AuthenticationOk() in live.facts


@pytest.mark.parametrize("role", ["md5_app", "plain_app"])
def test_the_older_ways_of_showing_a_password_work(postgres15: Postgres, role: str) -> None:
    with Live(postgres15.admin, postgres15.login(role)) as live:
        assert backend.AuthenticationOk() in live.facts


def test_a_password_outside_ascii_is_prepared_as_the_server_does(postgres15: Postgres) -> None:
    for number, password in enumerate(["pässwörd Ⅸ", "a\u00a0b\u00ad", "\u0627\u0031x", "🙂"]):
        postgres15.admin.run(f"create role odd_{number} login password '{password}'")
        with Live(postgres15.admin, Login(f"odd_{number}", password)) as live:
            assert live.mechanism == scram.PLAIN
        postgres15.admin.run(f"drop role odd_{number}")


def test_a_wrong_password_is_refused_by_the_server(postgres15: Postgres) -> None:
    with pytest.raises(PermissionError, match="password authentication failed"):
        Live(postgres15.admin, Login("postgres", "wrong"))


def test_a_newer_server_gives_longer_cancel_keys(postgres: Postgres) -> None:
    """PostgreSQL 15 negotiates 3.2 down, 18 speaks it."""
    with Live(postgres.admin, postgres.superuser, minor=2) as live:
        (key,) = [fact for fact in live.facts if isinstance(fact, backend.BackendKeyData)]
        negotiated = [fact for fact in live.facts if isinstance(fact, backend.NegotiateProtocolVersion)]
        assert len(key.key) == (4 if postgres.version == 15 else 32)
        assert len(negotiated) == (1 if postgres.version == 15 else 0)


def test_every_message_of_a_busy_session_is_read_and_written_alike(postgres: Postgres) -> None:
    with Live(postgres.admin, postgres.superuser) as live:
        seen = set()

        def check() -> None:
            for item in live.answers(PASS_ALL, CopyPlan(None)):
                if isinstance(item, Message):
                    assert backend.build(backend.parse(item)) == item.encode()
                    seen.add(item.kind)

        live.send(Query("create temp table t (id int, name text); insert into t values (1, 'x'), (2, null)"))
        check()
        live.send(
            Query(
                "listen c; notify c, 'payload'; select * from t; copy t to stdout; set timezone to 'Asia/Tokyo'"
            )
        )
        check()
        live.send(Query("do $$ begin raise notice 'é'; end $$; select 1/0"))
        check()
        live.send(Query(""))
        check()
        live.send(
            Parse("s", "select id, name from t where id > $1", (23,)),
            Describe("S", "s"),
            Bind("p", "s", (1,), (b"\0\0\0\0",), (1, 0)),
            Describe("P", "p"),
            Execute("p", 1),
            Execute("p"),
            Close("S", "s"),
            Parse("", "create temp table u ()"),
            Describe("S", ""),
            Flush(),
            Sync(),
        )
        suspended = []
        for item in live.answers(PASS_ALL):
            if isinstance(item, Message):
                assert backend.build(backend.parse(item)) == item.encode()
                seen.add(item.kind)
                if item.kind == b"s":
                    suspended.append(item)
                    live.codec.set_plan(PASS_ALL)
        assert len(suspended) == 1
        assert seen >= {bytes([kind]) for kind in b"TCZNEIA12stn3ScH"}
