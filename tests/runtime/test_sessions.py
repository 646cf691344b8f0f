"""Sessions are found by the target's process id; targets number their own, so one id can be several sessions'."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from narrows.runtime.driver import SessionDriver
from narrows.runtime.sessions import Limits, Sessions


def _driver(name: str) -> SessionDriver:
    session = SimpleNamespace(id=name, principal=SimpleNamespace(id=f"User/{name}"))
    return cast(SessionDriver, SimpleNamespace(session=session))


def test_one_process_id_of_two_targets_is_two_sessions() -> None:
    sessions = Sessions(Limits())
    one, other = _driver("one"), _driver("other")
    numbers = [sessions.take_number(), sessions.take_number()]
    sessions.add(700, numbers[0], one)
    sessions.add(700, numbers[1], other)
    assert sessions.by_pid(700) == [(numbers[0], one), (numbers[1], other)]
    sessions.remove(700, numbers[0], one)
    assert sessions.by_pid(700) == [(numbers[1], other)]
    sessions.remove(700, numbers[1], other)
    assert sessions.by_pid(700) == []
    assert len(sessions) == 0
