"""Whether a session holds: by its clock, revocations and the directory, in memory."""

from __future__ import annotations

import time

import pytest

from narrows.identity.directory import LiveDirectory
from narrows.identity.liveness import Liveness
from narrows.model.principal import Principal, SignedIn
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from tests.identity.conftest import ALICE, START, Clock, declared, session_of

SESSION = session_of(SignedIn(ALICE, "token", "t1", START + 60))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory() -> LiveDirectory:
    return LiveDirectory(declared())


@pytest.fixture
def liveness(directory: LiveDirectory, clock: Clock) -> Liveness:
    return Liveness(directory, clock)


def test_a_session_holds_until_its_token_expires(liveness: Liveness, clock: Clock) -> None:
    clock.now = START + 59.9
    assert liveness.is_live(SESSION) is None
    clock.now = START + 60
    refusal = liveness.is_live(SESSION)
    assert refusal is not None
    assert (refusal.reason, refusal.sqlstate) == (Reason.SESSION_ENDED, "57P01")
    assert "expired" in refusal.message


def test_a_revoked_token_ends_it(liveness: Liveness) -> None:
    liveness.revoke({"other": START + 60})
    assert liveness.is_live(SESSION) is None
    liveness.revoke({"t1": START + 60})
    refusal = liveness.is_live(SESSION)
    assert refusal is not None
    assert "revoked" in refusal.message


@pytest.mark.parametrize("gone", [{"disabled": frozenset({"alice"})}, {"without": frozenset({"alice"})}])
def test_a_disabled_or_undeclared_principal_ends_it(
    liveness: Liveness, directory: LiveDirectory, gone: dict[str, frozenset[str]]
) -> None:
    directory.replace(declared(**gone))
    refusal = liveness.is_live(SESSION)
    assert refusal is not None
    assert refusal.reason is Reason.PRINCIPAL_DISABLED
    assert liveness.principal(SESSION) == refusal


def test_groups_are_those_that_hold_now(liveness: Liveness) -> None:
    """Not those of the sign-in."""
    stale = session_of(
        SignedIn(Principal(ALICE.kind, "alice", frozenset({"gone"})), "token", "t1", START + 60)
    )
    assert liveness.principal(stale) == ALICE


def test_a_session_that_ended_has_no_principal(liveness: Liveness, clock: Clock) -> None:
    clock.now = START + 60
    assert isinstance(liveness.principal(SESSION), Refusal)


def test_revocations_that_no_longer_matter_are_forgotten(liveness: Liveness, clock: Clock) -> None:
    liveness.revoke({f"t{number}": START + 10 for number in range(100)})
    clock.now = START + 11
    liveness.revoke({"late": START + 60})
    assert len(liveness) == 1
    assert liveness.is_revoked("late")


def test_it_takes_microseconds(liveness: Liveness) -> None:
    """Generous, for a busy machine: the point is that no store is asked."""
    liveness.revoke({f"r{number}": START + 60 for number in range(10_000)})
    best = min(_timed(liveness) for _ in range(20))
    assert best < 100e-6


def _timed(liveness: Liveness) -> float:
    start = time.perf_counter()
    for _ in range(100):
        liveness.is_live(SESSION)
    return (time.perf_counter() - start) / 100
