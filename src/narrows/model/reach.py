"""What labelled data a statement can reach: found by `inspect`, used by `masking` and by the cleaning of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Output:
    """What one column of a result may carry, by its provenance."""

    columns: frozenset[Resource] = frozenset()
    """The labelled columns whose values may be in it."""
    is_same: bool = False
    """Each labelled value stands in it unchanged, so that the rung of its column says how it is shown."""
    is_undecided: bool = False
    """Something that nobody sees through may be in it."""
    is_overlaid: bool = False
    """Of a relation that this session alone sees so: the description names what the snapshot does not know."""
    origin: tuple[int, int] | None = None
    """(relation oid, attnum) that the description must name, where it is a column of a relation."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The labelled columns within reach of a statement, and how they could leave.

    `columns` holds every labelled column of every relation the statement touches (of the whole database
    where `is_unknown`): errors could carry any of them.
    """

    columns: Mapping[Resource, frozenset[str]] = field(default_factory=dict)
    is_derived: bool = False
    """Labelled columns are used otherwise than as plain output columns."""
    is_unknown: bool = False
    """A relation or function is not known to be a table, a view that can be read, or allow-listed."""
    outputs: tuple[Output, ...] | None = None
    """The columns of the result in order; None where they cannot be told, and then a column that does not trace
    to a clean column of a plain table is masked at the strictest rung as soon as anything is derived or unknown."""

    @property
    def is_clean(self) -> bool:
        """Nothing labelled can leave by any way."""
        return not self.columns and not self.is_unknown
