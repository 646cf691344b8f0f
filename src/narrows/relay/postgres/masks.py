"""The mask plan of each result, made once and kept beside the analysis it belongs to.

Laws: a result without a plan is not passed; a plan is reused only for the same statement, description,
formats, rungs, schema and label definitions; where the database has no labels every row passes unread.
"""

from __future__ import annotations

from narrows.core import PASS_ALL, CopyPlan, Plan
from narrows.masking.plan import build_copy_plan, build_plan
from narrows.model.copy import Copy
from narrows.relay.postgres.known import Description
from narrows.relay.postgres.names import Portal
from narrows.relay.postgres.runs import Run
from narrows.relay.postgres.settings import Context
from narrows.wire.errors import ProtocolError

PLANS_KEPT = 8
"""Per analysed text: formats and rungs differ between callers, rarely within one."""


class Masks:
    """Plans for one session's results."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._key = context.mask_key.reveal().encode()

    @property
    def is_needed(self) -> bool:
        """False where nothing in this database is labelled."""
        return bool(self._context.view.labels.columns)

    def of_description(self, run: Run, payload: bytes) -> Plan:
        """For a simple Query, from the RowDescription that comes before its rows; raises MaskImpossible."""
        if not self.is_needed:
            return PASS_ALL
        described = run.known.described(payload)
        return self.of_described(run, described, described.formats)

    def of_portal(self, run: Run, portal: Portal) -> Plan | None:
        """For an Execute; None where its fields are not known, raises MaskImpossible."""
        if not self.is_needed:
            return PASS_ALL
        if portal.fields is not None:
            return self.of_described(run, portal.fields, portal.fields.formats)
        fields = portal.prepared.fields if portal.prepared is not None else None
        return None if fields is None else self.of_described(run, fields, portal.result_formats)

    def of_copy(self, run: Run, copy: Copy) -> CopyPlan:
        """For a COPY TO STDOUT; raises MaskImpossible."""
        part = run.current
        assert part is not None
        view, labels = self._context.view, self._context.labels
        return build_copy_plan(copy, part.reach, run.masks, view.snapshot, labels, self._key)

    def of_described(self, run: Run, described: Description, formats: tuple[int, ...]) -> Plan:
        """For rows so described; `formats` as a Bind gives them, or those of the description; raises MaskImpossible."""
        view, labels = self._context.view, self._context.labels
        plans = run.known.plans
        what = (labels.version, run.part, described, formats)
        kept = plans.get(what)
        if kept is not None and kept[0] == run.masks:
            return kept[1]
        part = run.current
        if part is None:
            raise ProtocolError("upstream", "more results than statements")
        plan = build_plan(described.fields, formats, part.reach, run.masks, view.snapshot, labels, self._key)
        if len(plans) >= PLANS_KEPT:
            plans.clear()
        plans[what] = (run.masks, plan)
        return plan
