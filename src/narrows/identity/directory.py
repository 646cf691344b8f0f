"""The declared users, services and groups, with every group that holds for each.

Laws: a directory is built whole or not at all, naming every fault; it never changes, a reload puts another
in its place; a name is a user's or a service's, never both, so that a user name at sign-in means one thing.
Groups may stand within groups; a principal is in all of those above, and a cycle is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from narrows.model.principal import Principal, PrincipalKind

NAME_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Member:
    """A user or a service as declared."""

    name: str
    groups: tuple[str, ...] = ()
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group as declared; its members are in the groups that it stands within, too."""

    name: str
    within: tuple[str, ...] = ()


class DirectoryError(Exception):
    """The users, services and groups do not fit together; correct each of the faults listed."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is declared; `principals` has the disabled ones too."""

    principals: Mapping[str, Principal] = field(default_factory=dict)
    """By `Principal.id`."""
    disabled: frozenset[str] = frozenset()
    """Ids."""
    groups: frozenset[str] = frozenset()

    def find(self, principal_id: str) -> Principal | None:
        """The principal with the groups that hold now; None where not declared or disabled."""
        return None if principal_id in self.disabled else self.principals.get(principal_id)

    def named(self, name: str) -> Principal | None:
        """The user or service of this name, disabled or not."""
        ids = (f"{kind}/{name}" for kind in PrincipalKind)
        return next((self.principals[found] for found in ids if found in self.principals), None)


class LiveDirectory:
    """The directory that holds now; `replace` is one assignment, so no reader sees half of one."""

    __slots__ = ("now",)

    def __init__(self, directory: Directory) -> None:
        self.now = directory

    def replace(self, directory: Directory) -> None:
        """From here on this one holds, for open sessions too."""
        self.now = directory


def build(users: Iterable[Member], services: Iterable[Member], groups: Iterable[Group]) -> Directory:
    """The directory of these declarations; raises DirectoryError with every fault."""
    members = [(PrincipalKind.USER, user) for user in users]
    members += [(PrincipalKind.SERVICE, service) for service in services]
    declared = list(groups)
    within = {group.name: group.within for group in declared}
    if faults := list(_faults(members, declared, within)):
        raise DirectoryError(faults)
    principals = [Principal(kind, member.name, _closure(member.groups, within)) for kind, member in members]
    return Directory(
        principals={principal.id: principal for principal in principals},
        disabled=frozenset(f"{kind}/{member.name}" for kind, member in members if member.is_disabled),
        groups=frozenset(within),
    )


def _closure(groups: Iterable[str], within: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(groups)
    while waiting:
        group = waiting.pop()
        if group not in found:
            found.add(group)
            waiting.extend(within.get(group, ()))
    return frozenset(found)


def _faults(
    members: list[tuple[PrincipalKind, Member]], groups: list[Group], within: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    yield from _name_faults("user or service", [member.name for _, member in members])
    yield from _name_faults("group", [group.name for group in groups])
    for kind, member in members:
        yield from _missing(f"{kind.lower()} {member.name!r}", member.groups, within)
    for group in groups:
        yield from _missing(f"group {group.name!r}", group.within, within)
        if group.name in _closure(group.within, within):
            yield f"group {group.name!r} stands within itself"


def _name_faults(what: str, names: list[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} {name!r} is declared more than once"
        if not name or name != name.strip() or not name.isprintable() or len(name) > NAME_CHARACTERS:
            yield f"{what} {name!r}: a name is 1 to {NAME_CHARACTERS} printable characters"


def _missing(what: str, groups: Iterable[str], within: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name in groups:
        if name not in within:
            yield f"{what} is in the group {name!r}, which is not declared"
