"""One statement while it is analysed: what its handler adds to what was gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from narrows.inspect.sql.analysis import Analysed, Kind
from narrows.inspect.sql.effects import SessionEffect
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.scope import Shape
from narrows.inspect.sql.tree import Node
from narrows.model.copy import Copy
from narrows.model.reach import Output


@dataclass(slots=True)
class Draft:
    """Filled by the handler of one statement."""

    kind: Kind
    tag: str
    gather: Gather
    analyse: Callable[[Gather, str, Node, str], Analysed]
    """Analyses another statement with a gatherer of its own."""
    text: str
    effects: list[SessionEffect] = field(default_factory=list)
    copy: Copy | None = None
    names_statement: str | None = None
    names_portal: str | None = None
    returns_rows: bool = False
    takes_snapshot: bool = True
    changes_schema: bool = False
    is_transaction_control: bool = False
    has_own_transaction: bool = False
    is_doubtful: bool | None = None
    """What it changes of the schema is not told by its effects; None: wherever it changes it."""
    shape: Shape | None = None
    """The columns of the rows that the caller gets."""
    outputs: tuple[Output, ...] | None = None
    """The same where they are no columns of a query."""
    runs_code: bool = False
    """Code that cannot be seen through may change names and settings."""
    changes: set[str] = field(default_factory=set)
    """Names of objects that it creates, alters or drops."""
    inner: Analysed | None = None
    """The analysed statement that it runs, where its facts are this one's."""


Handler = Callable[[Draft, Node], None]
