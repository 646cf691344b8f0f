"""What labelled data a statement can reach: found by `inspect`, used by `masking` and by the cleaning of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Reach:
    """The labelled columns within reach of a statement, and how they could leave.

    `columns` holds every labelled column of every relation the statement touches (of the whole database
    where `is_unknown`): errors could carry any of them.
    """

    columns: Mapping[Resource, frozenset[str]] = field(default_factory=dict)
    is_derived: bool = False
    """Labelled columns are used otherwise than as plain output columns: an output column that is not
    itself a column of a plain table is masked at the strictest rung."""
    is_unknown: bool = False
    """A relation or function is not known to be a plain table or allow-listed: so is every output column
    that does not trace to a clean column of a plain table."""

    @property
    def is_clean(self) -> bool:
        """Nothing labelled can leave by any way."""
        return not self.columns and not self.is_unknown
