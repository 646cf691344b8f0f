"""What a statement does to the session once it has succeeded: values for whoever tracks the session.

Law: a statement whose effect on the session cannot be written as one of these is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from narrows.inspect.sql.overlay import Overlaid, Taint

if TYPE_CHECKING:
    from narrows.inspect.sql.analysis import Analysed


@dataclass(frozen=True, slots=True)
class SetSetting:
    """SET; `values` are the constants as written, None is DEFAULT."""

    name: str
    values: tuple[str, ...] | None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class ResetAll:
    """RESET ALL."""


@dataclass(frozen=True, slots=True)
class Begin:
    pass


@dataclass(frozen=True, slots=True)
class Commit:
    is_chained: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    is_chained: bool = False


@dataclass(frozen=True, slots=True)
class PrepareTransaction:
    """PREPARE TRANSACTION: the block ends here, its end is decided elsewhere."""


@dataclass(frozen=True, slots=True)
class Savepoint:
    name: str


@dataclass(frozen=True, slots=True)
class Release:
    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo:
    name: str


@dataclass(frozen=True, slots=True)
class PrepareStatement:
    """SQL's PREPARE; it shares one namespace with the protocol's Parse."""

    name: str
    inner: Analysed = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deallocate:
    """None is ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """SQL's DECLARE; it shares one namespace with the protocol's portals."""

    name: str
    inner: Analysed = field(repr=False)
    is_hold: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """None is ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Discard:
    what: Literal["all", "plans", "sequences", "temp"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A relation is so from here on, for this session alone; `pg_temp` is the schema of a temporary one."""

    schema: str
    name: str
    relation: Overlaid


@dataclass(frozen=True, slots=True)
class Write:
    """Values that may be labelled ones were stored in a temporary relation: column -> what it may hold now."""

    name: str
    columns: tuple[tuple[str, Taint], ...]


@dataclass(frozen=True, slots=True)
class DropRelation:
    """A relation of this name was dropped."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class RunCode:
    """Code ran that nobody sees through: what the session made may hold anything."""

    anything: Taint


SessionEffect = (
    SetSetting
    | ResetAll
    | Begin
    | Commit
    | Rollback
    | PrepareTransaction
    | Savepoint
    | Release
    | RollbackTo
    | PrepareStatement
    | Deallocate
    | DeclareCursor
    | CloseCursor
    | Discard
    | Overlay
    | Write
    | DropRelation
    | RunCode
)
