"""A settled statement on its way through the target: what it may show and what has been counted.

Law: each ends exactly once, with the Outcome that its journal record waits for.
"""

from __future__ import annotations

from dataclasses import dataclass

from narrows.inspect.sql.analysis import Analysed
from narrows.model.label import Rung
from narrows.model.outcome import Outcome
from narrows.model.reach import Reach
from narrows.model.refusal import Refusal
from narrows.model.verdict import MaskObligation, Settled
from narrows.relay.postgres.known import Known

NO_MASKS = MaskObligation({})


@dataclass(slots=True, eq=False)
class Run:
    """One settled statement; `part` is the statement of its text that is being answered."""

    record: str
    known: Known
    masks: MaskObligation
    is_raw: bool
    """Nothing that it can reach is hidden from this caller, so its errors pass as they are."""
    part: int = 0
    rows: int = 0
    bytes: int = 0
    masked: int = 0
    tag: str | None = None
    withheld: Refusal | None = None
    """Why its rows are thrown away from here on."""
    is_finished: bool = False

    @property
    def current(self) -> Analysed | None:
        """The statement being answered; None beyond the last."""
        parts = self.known.parts
        return parts[self.part] if self.part < len(parts) else None

    def outcome(self, status: str, sqlstate: str | None = None) -> Outcome:
        return Outcome(self.record, status, self.rows, self.bytes, self.masked, sqlstate, self.tag)


def start(settled: Settled, known: Known) -> Run:
    masks = settled.masks
    return Run(settled.record, known, masks, is_raw(known.reach, masks))


def is_raw(reach: Reach, masks: MaskObligation) -> bool:
    """Every labelled column within reach is at RAW; a column that the verdict does not name is not."""
    rungs = masks.rungs
    return all(rungs.get(column, Rung.NONE) is Rung.RAW for column in reach.columns)
