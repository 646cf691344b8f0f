"""Token rows: found by id, listed by principal, ended once."""

from __future__ import annotations

from dataclasses import replace

from narrows.store import Store, tokens
from narrows.store.tokens import TokenRow

ALICE = ("User", "alice")
ROW = TokenRow("t1", "User", "alice", b"\x00\xff" * 16, 100.0, "User/root", 200.0, "laptop")


def _keep(opened: Store, *rows: TokenRow) -> None:
    with opened.write() as connection:
        for row in rows:
            tokens.insert(connection, row)


def test_a_token_comes_back_as_it_was_kept(opened: Store) -> None:
    _keep(opened, ROW)
    with opened.read() as connection:
        assert tokens.find(connection, "t1") == ROW
        assert tokens.find(connection, "t2") is None


def test_the_list_is_newest_first_and_by_principal(opened: Store) -> None:
    bob = replace(ROW, id="t3", name="bob", created_at=150.0)
    robot = replace(ROW, id="t4", kind="Service")
    _keep(opened, ROW, replace(ROW, id="t2", created_at=120.0), bob, robot)
    with opened.read() as connection:
        assert [row.id for row in tokens.list_tokens(connection)] == ["t3", "t2", "t1", "t4"]
        assert [row.id for row in tokens.list_tokens(connection, principal=ALICE)] == ["t2", "t1"]
        assert len(tokens.list_tokens(connection, limit=2)) == 2


def test_the_list_can_leave_out_what_has_ended(opened: Store) -> None:
    _keep(
        opened, ROW, replace(ROW, id="expired", expires_at=140.0), replace(ROW, id="revoked", revoked_at=1.0)
    )
    with opened.read() as connection:
        assert [row.id for row in tokens.list_tokens(connection, live_at=150.0)] == ["t1"]
        assert tokens.live_of(connection, ALICE, 150.0) == {"t1": 200.0}


def test_the_first_revocation_stands(opened: Store) -> None:
    _keep(opened, ROW)
    with opened.write() as connection:
        tokens.revoke(connection, "t1", 110.0, "User/alice")
        tokens.revoke(connection, "t1", 120.0, "User/mallory")
        found = tokens.find(connection, "t1")
    assert found is not None
    assert (found.revoked_at, found.revoked_by) == (110.0, "User/alice")


def test_revoking_all_of_one_principal_leaves_the_others(opened: Store) -> None:
    _keep(
        opened,
        ROW,
        replace(ROW, id="t2"),
        replace(ROW, id="t3", name="bob"),
        replace(ROW, id="t4", kind="Service"),
    )
    with opened.write() as connection:
        tokens.revoke_of(connection, ALICE, 110.0, "User/root")
        assert sorted(tokens.revoked(connection, 150.0)) == ["t1", "t2"]


def test_only_revocations_that_matter_are_loaded(opened: Store) -> None:
    _keep(opened, ROW, replace(ROW, id="t2", expires_at=140.0))
    with opened.write() as connection:
        tokens.revoke_of(connection, ALICE, 110.0, "User/root")
        assert tokens.revoked(connection, 150.0) == {"t1": 200.0}


def test_use_is_noted(opened: Store) -> None:
    _keep(opened, ROW)
    with opened.write() as connection:
        tokens.touch(connection, "t1", 130.5)
        found = tokens.find(connection, "t1")
    assert found is not None
    assert found.last_used_at == 130.5


def test_what_expired_long_ago_is_forgotten(opened: Store) -> None:
    _keep(opened, ROW, replace(ROW, id="t2", expires_at=140.0))
    with opened.write() as connection:
        assert tokens.purge(connection, 150.0) == 1
        assert tokens.find(connection, "t2") is None
        assert tokens.find(connection, "t1") == ROW


def test_a_row_does_not_show_its_digest() -> None:
    assert "digest" not in repr(ROW)
