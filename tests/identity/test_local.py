"""Sign-in with tokens: who it is, or why not, and to a stranger never why."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from narrows.identity import tokens
from narrows.identity.base import Identity, Refused
from narrows.identity.local import Issued, NotIssued, judge
from narrows.model.principal import SignedIn
from narrows.model.reason import Reason
from narrows.store import StoreError
from narrows.store import tokens as rows
from narrows.store.tokens import TokenRow
from tests.identity.conftest import ALICE, BOB, CI, START, Desk, declared, session_of

EIGHT_HOURS = 8 * 3600.0


async def test_a_token_signs_its_owner_in_with_all_groups_until_it_expires(desk: Desk) -> None:
    identity: Identity = desk.identity
    issued = desk.issue()
    answer = await desk.sign_in(issued.token)
    assert answer == SignedIn(ALICE, "token", issued.row.id, START + EIGHT_HOURS)
    assert identity is desk.identity


@pytest.mark.parametrize("user", [None, "", "alice", "User/alice"])
async def test_the_owner_may_be_named_or_not(desk: Desk, user: str | None) -> None:
    assert isinstance(await desk.sign_in(desk.issue().token, user), SignedIn)


@pytest.mark.parametrize("user", ["bob", "nobody-of-that-name", "Alice", "Service/alice"])
async def test_somebody_elses_token_is_the_wrong_user(desk: Desk, user: str) -> None:
    """Whether the other name is declared is not told apart."""
    answer = await desk.sign_in(desk.issue().token, user)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.WRONG_USER
    assert answer.message == f"This token belongs to 'alice', not to {user!r}; connect as user 'alice'."
    assert answer.refusal.sqlstate == "28000"


async def test_a_service_signs_in_as_itself(desk: Desk) -> None:
    answer = await desk.sign_in(desk.issue(CI).token, "ci")
    assert isinstance(answer, SignedIn)
    assert answer.principal == CI


async def test_a_stranger_learns_nothing(desk: Desk) -> None:
    """Unknown, malformed, right id with a wrong secret of a live, expired or revoked token: one answer."""
    desk.limiter._limits = replace(desk.limiter._limits, failures=100)
    issued, expired, revoked, disabled = desk.issue(), desk.issue(lifetime_s=1), desk.issue(), desk.issue(CI)
    desk.identity.revoke(revoked.row.id, "User/root")
    desk.directory.replace(declared(disabled=frozenset({"ci"})))
    desk.clock.now += 2
    other = tokens.mint()[1].reveal()
    forged = [
        other.replace(other.split("_")[1], known.row.id) for known in (issued, expired, revoked, disabled)
    ]
    answers = [await desk.sign_in(token) for token in ("", "hunter2", other, *forged)]
    assert {
        (answer.reason, answer.message, answer.principal) for answer in answers if isinstance(answer, Refused)
    } == {(Reason.SIGN_IN_FAILED, Reason.SIGN_IN_FAILED.remedy, "")}
    assert len(answers) == 7


async def test_an_expired_token_is_told_so(desk: Desk) -> None:
    issued = desk.issue(lifetime_s=60)
    desk.clock.now += 59.9
    assert isinstance(await desk.sign_in(issued.token), SignedIn)
    desk.clock.now += 0.1
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.token_id, answer.principal) == (
        Reason.TOKEN_EXPIRED,
        issued.row.id,
        "User/alice",
    )
    assert answer.refusal.sqlstate == "28P01"


async def test_a_revoked_token_is_told_so(desk: Desk) -> None:
    issued = desk.issue()
    ended = desk.identity.revoke(issued.row.id, "User/bob")
    assert ended is not None
    assert (ended.revoked_at, ended.revoked_by) == (START, "User/bob")
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.SIGN_IN_FAILED
    assert "was revoked" in answer.message


@pytest.mark.parametrize(
    "gone", [declared(disabled=frozenset({"alice"})), declared(without=frozenset({"alice"}))]
)
async def test_a_disabled_or_undeclared_principal_stays_out(desk: Desk, gone: object) -> None:
    issued = desk.issue()
    desk.directory.replace(gone)  # type: ignore[arg-type]
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.PRINCIPAL_DISABLED
    desk.directory.replace(declared())
    assert isinstance(await desk.sign_in(issued.token), SignedIn)


async def test_a_revocation_ends_the_open_session(desk: Desk) -> None:
    issued, other = desk.issue(), desk.issue()
    sessions = []
    for each in (issued, other):
        answer = await desk.sign_in(each.token)
        assert isinstance(answer, SignedIn)
        sessions.append(session_of(answer))
    desk.identity.revoke(issued.row.id, "User/root")
    refusals = [desk.liveness.is_live(session) for session in sessions]
    assert refusals[0] is not None
    assert refusals[0].reason is Reason.SESSION_ENDED
    assert refusals[1] is None


async def test_revocations_are_loaded_at_start(desk: Desk) -> None:
    issued = desk.issue()
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, SignedIn)
    desk.identity.revoke(issued.row.id, "User/root")
    restarted = Desk(desk.store, desk.pool, desk.clock)
    assert restarted.liveness.is_live(session_of(answer)) is None
    restarted.identity.load()
    assert restarted.liveness.is_live(session_of(answer)) is not None


async def test_a_revocation_by_another_gateway_keeps_its_token_out(desk: Desk) -> None:
    """From the store alone, without having been told."""
    issued = desk.issue()
    Desk(desk.store, desk.pool, desk.clock).identity.revoke(issued.row.id, "User/root")
    assert not desk.liveness.is_revoked(issued.row.id)
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.principal) == (Reason.SIGN_IN_FAILED, "User/alice")
    assert "was revoked" in answer.message


async def test_revoking_a_principal_ends_all_of_its_tokens(desk: Desk) -> None:
    mine, also_mine, other = desk.issue(), desk.issue(), desk.issue(BOB)
    assert set(desk.identity.revoke_of(ALICE, "User/root")) == {mine.row.id, also_mine.row.id}
    answers = [await desk.sign_in(each.token) for each in (mine, also_mine, other)]
    assert [type(answer) for answer in answers] == [Refused, Refused, SignedIn]
    assert desk.identity.list_tokens(ALICE) == []
    assert len(desk.identity.list_tokens(ALICE, with_ended=True)) == 2
    assert desk.liveness.is_revoked(mine.row.id)


def test_revoking_what_is_not_there_does_nothing(desk: Desk) -> None:
    assert desk.identity.revoke("nothing", "User/root") is None
    assert len(desk.liveness) == 0


async def test_a_revocation_holds_here_even_where_the_store_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = desk.issue()

    def fail(*args: object) -> None:
        raise StoreError("The store is full", "Free space.")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "revoke", fail)
        with pytest.raises(StoreError):
            desk.identity.revoke(issued.row.id, "User/root")
    assert isinstance(await desk.sign_in(issued.token), Refused)


async def test_a_store_that_cannot_be_read_refuses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = desk.issue()

    def fail(*args: object) -> None:
        raise StoreError("The store is damaged", "Restore it.")

    monkeypatch.setattr(rows, "find", fail)
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.STORE_UNAVAILABLE


def test_what_is_issued_is_listed_and_nothing_of_its_secret_kept(desk: Desk) -> None:
    issued = desk.identity.issue(CI, "User/alice", lifetime_s=60, note="nightly")
    assert isinstance(issued, Issued)
    (row,) = desk.identity.list_tokens(CI)
    assert row == issued.row
    assert (row.created_by, row.note, row.expires_at, row.created_at) == (
        "User/alice",
        "nightly",
        START + 60,
        START,
    )
    secret = issued.token.reveal()
    assert secret not in repr(issued)
    for name in (desk.store.where, f"{desk.store.where}-wal"):
        data = Path(name).read_bytes()
        assert issued.row.id.encode() in data or not name.endswith("-wal")
        assert secret.rpartition("_")[2].encode() not in data


@pytest.mark.parametrize(
    ("lifetime_s", "note", "said"),
    [
        (0.0, "", "at most"),
        (-1.0, "", "at most"),
        (float("nan"), "", "at most"),
        (float("inf"), "", "at most"),
        (31 * 86400.0, "", "at most 2592000 seconds"),
        (60.0, "x" * 201, "note"),
        (60.0, "a\nb", "note"),
    ],
)
def test_what_is_asked_for_too_much_is_not_issued(
    desk: Desk, lifetime_s: float, note: str, said: str
) -> None:
    answer = desk.identity.issue(ALICE, "User/root", lifetime_s=lifetime_s, note=note)
    assert isinstance(answer, NotIssued)
    assert said in answer.message
    assert desk.identity.list_tokens() == []


def test_nobody_undeclared_or_disabled_gets_a_token(desk: Desk) -> None:
    desk.directory.replace(declared(disabled=frozenset({"ci"}), without=frozenset({"alice"})))
    for principal in (ALICE, CI):
        assert isinstance(desk.identity.issue(principal, "User/root"), NotIssued)


async def test_use_is_noted_coarsely(desk: Desk) -> None:
    issued = desk.issue()

    async def used_at(after_s: float) -> float | None:
        desk.clock.now = START + after_s
        assert isinstance(await desk.sign_in(issued.token), SignedIn)
        for _ in range(200):
            (row,) = desk.identity.list_tokens()
            if row.last_used_at == desk.clock.now:
                break
            await asyncio.sleep(0.001)
        return row.last_used_at

    assert await used_at(1) == START + 1
    assert await used_at(2) == START + 1
    assert await used_at(601) == START + 601


def test_old_tokens_are_purged(desk: Desk) -> None:
    desk.issue(lifetime_s=60)
    kept = desk.issue()
    desk.clock.now += 100
    assert desk.identity.purge(kept_s=50) == 0
    assert desk.identity.purge(kept_s=30) == 1
    assert [row.id for row in desk.identity.list_tokens(with_ended=True)] == [kept.row.id]


async def test_a_source_that_fails_too_often_waits(desk: Desk) -> None:
    issued = desk.issue()
    for _ in range(3):
        answer = await desk.sign_in("hunter2")
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.SIGN_IN_FAILED
    answer = await desk.sign_in(issued.token)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.BUSY
    assert answer.message == "Too many failed sign-ins from this address; wait 10 s."
    assert isinstance(await desk.sign_in(issued.token, source="192.0.2.2"), SignedIn)
    desk.clock.now += 10
    assert isinstance(await desk.sign_in(issued.token), SignedIn)


async def test_who_signed_in_lately_does_not_wait_for_a_neighbour(desk: Desk) -> None:
    """Behind one address there may be a whole company, and one of them with a broken script."""
    issued = desk.issue()
    assert isinstance(await desk.sign_in(issued.token), SignedIn)
    for _ in range(5):
        await desk.sign_in("hunter2")
    assert isinstance(await desk.sign_in(issued.token), SignedIn)
    desk.identity.revoke(issued.row.id, "User/root")
    assert isinstance(await desk.sign_in(issued.token), Refused)


async def test_an_ended_token_tried_again_and_again_locks_nobody_out(desk: Desk) -> None:
    expired, revoked = desk.issue(lifetime_s=1), desk.issue()
    desk.identity.revoke(revoked.row.id, "User/root")
    desk.clock.now += 2
    for ended, reason in ((expired, Reason.TOKEN_EXPIRED), (revoked, Reason.SIGN_IN_FAILED)):
        for _ in range(10):
            answer = await desk.sign_in(ended.token)
            assert isinstance(answer, Refused)
            assert answer.reason is reason
    assert isinstance(await desk.sign_in(desk.issue().token), SignedIn)


async def test_many_sign_in_at_once(desk: Desk) -> None:
    issued = [desk.issue() for _ in range(50)]
    answers = await asyncio.gather(*(desk.sign_in(each.token) for each in issued))
    assert [answer.token_id for answer in answers] == [each.row.id for each in issued]


def test_a_digest_that_is_not_there_never_matches() -> None:
    """The digest that stands in for a malformed token must not match a row that has it, or none."""
    row = TokenRow("x", "User", "alice", bytes(32), START, "", START + 60)
    for kept in (row, replace(row, digest=b""), None):
        answer = judge(None, kept, None, declared(), START)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.SIGN_IN_FAILED
    assert isinstance(judge(tokens.Parsed("x", b""), None, None, declared(), START), Refused)


def test_a_refusal_shows_no_more_of_a_claimed_name_than_fits() -> None:
    token_id, token = tokens.mint()
    row = TokenRow(token_id, "User", "alice", tokens.digest(token), START, "", START + 60)
    answer = judge(tokens.parse(token), row, "\x1b[31m\u202e" + "x" * 10_000, declared(), START)
    assert isinstance(answer, Refused)
    assert len(answer.message) < 300
    assert answer.message.isprintable()
