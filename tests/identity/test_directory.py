"""The directory: built whole with every group that holds, or not at all with every fault."""

from __future__ import annotations

import pytest

from narrows.identity.directory import Directory, DirectoryError, Group, LiveDirectory, Member, build
from narrows.model.principal import Principal, PrincipalKind


def test_a_principal_is_in_every_group_above_its_own() -> None:
    found = build(
        users=[Member("alice", ("fraud", "oncall"))],
        services=[],
        groups=[
            Group("fraud", ("risk",)),
            Group("risk", ("staff",)),
            Group("staff"),
            Group("oncall", ("staff",)),
        ],
    )
    assert found.find("User/alice") == Principal(
        PrincipalKind.USER, "alice", frozenset({"fraud", "oncall", "risk", "staff"})
    )
    assert found.groups == {"fraud", "risk", "staff", "oncall"}


def test_a_disabled_principal_is_declared_but_not_found() -> None:
    found = build([Member("alice", is_disabled=True)], [Member("ci")], [])
    assert found.find("User/alice") is None
    assert found.named("alice") == Principal(PrincipalKind.USER, "alice")
    assert found.named("ci") == Principal(PrincipalKind.SERVICE, "ci")
    assert found.named("nobody") is None
    assert found.find("User/ci") is None


@pytest.mark.parametrize(
    ("groups", "members"),
    [
        ([Group("a", ("a",))], "'a'"),
        ([Group("a", ("b",)), Group("b", ("c",)), Group("c", ("a",))], "'a' 'b' 'c'"),
        ([Group("x", ("a",)), Group("a", ("b",)), Group("b", ("a",))], "'a' 'b'"),
    ],
)
def test_a_cycle_is_refused_and_only_its_members_are_named(groups: list[Group], members: str) -> None:
    with pytest.raises(DirectoryError) as caught:
        build([], [], groups)
    assert caught.value.faults == tuple(f"group {name} stands within itself" for name in members.split())


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(DirectoryError) as caught:
        build(
            users=[Member("alice", ("nowhere",)), Member("bob"), Member("bob"), Member(" x")],
            services=[Member("alice", ("gone",))],
            groups=[Group("a", ("lost",)), Group("a"), Group("x\n")],
        )
    said = str(caught.value)
    for fault in (
        "'nowhere'",
        "'gone'",
        "'alice' is declared more",
        "'bob' is",
        "' x'",
        "group 'a' is",
        "'x\\n'",
    ):
        assert fault in said


def test_a_name_is_a_users_or_a_services() -> None:
    with pytest.raises(DirectoryError, match="'ci' is declared more than once"):
        build([Member("ci")], [Member("ci")], [])


def test_a_reload_replaces_the_whole_directory() -> None:
    live = LiveDirectory(Directory())
    before = live.now
    live.replace(build([Member("alice")], [], []))
    assert live.now.find("User/alice") is not None
    assert before.find("User/alice") is None
