"""How a Statement ended at the target; the second half of its journal entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counted on the wire, after masking.

    `status` is one of: done, error (the target refused or failed), refused (by the gateway), cancelled,
    withheld (it ran and its result was not handed on), skipped (an earlier statement of its pipeline failed,
    so the target passed over it), lost (the connection ended first).
    """

    record: str
    """Id of the journal record of the statement."""
    status: str
    rows: int = 0
    bytes: int = 0
    masked: int = 0
    """Values changed by a mask."""
    sqlstate: str | None = None
    tag: str | None = None
    """The command tag, such as `SELECT 3`."""
