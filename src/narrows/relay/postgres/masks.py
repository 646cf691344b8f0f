"""The mask plan of each result, made once and kept beside the analysis it belongs to.

Laws: a result without a plan is not passed; a plan is reused only for the same statement, description,
formats, rungs, schema and label definitions; where the database has no labels every row passes unread.
"""

from __future__ import annotations

from narrows.core import PASS_ALL, CopyPlan, Plan
from narrows.masking.plan import build_copy_plan, build_plan
from narrows.model.copy import Copy
from narrows.relay.postgres.names import Portal
from narrows.relay.postgres.runs import Run
from narrows.relay.postgres.settings import Context
from narrows.wire.postgres.backend import Field, parse_row_description

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
        kept = self._kept(run, (run.part, payload))
        if kept is not None:
            return kept
        fields = parse_row_description(payload).fields
        return self._keep(run, (run.part, payload), fields, [field.format for field in fields])

    def of_portal(self, run: Run, portal: Portal) -> Plan | None:
        """For an Execute; None where its fields are not known, raises MaskImpossible."""
        if not self.is_needed:
            return PASS_ALL
        fields, formats = self.fields(portal)
        if fields is None:
            return None
        what = (fields, formats)
        return self._kept(run, what) or self._keep(run, what, fields, formats)

    def fields(self, portal: Portal) -> tuple[tuple[Field, ...] | None, tuple[int, ...]]:
        """The portal's own description, or that of its statement with the formats of the Bind."""
        if portal.fields is not None:
            return portal.fields, tuple([field.format for field in portal.fields])
        if portal.prepared is not None:
            return portal.prepared.fields, portal.result_formats
        return None, ()

    def of_copy(self, run: Run, copy: Copy) -> CopyPlan:
        """For a COPY TO STDOUT; raises MaskImpossible."""
        part = run.current
        assert part is not None
        view, labels = self._context.view, self._context.labels
        return build_copy_plan(copy, part.reach, run.masks, view.snapshot, labels, self._key)

    def _kept(self, run: Run, what: tuple[object, ...]) -> Plan | None:
        found = run.known.plans.get((self._context.labels.version, *what))
        return found[1] if found is not None and found[0] == run.masks else None

    def _keep(
        self,
        run: Run,
        what: tuple[object, ...],
        fields: tuple[Field, ...],
        formats: tuple[int, ...] | list[int],
    ) -> Plan:
        part = run.current
        assert part is not None
        view, labels = self._context.view, self._context.labels
        plan = build_plan(fields, formats, part.reach, run.masks, view.snapshot, labels, self._key)
        plans = run.known.plans
        if len(plans) >= PLANS_KEPT:
            plans.clear()
        plans[(labels.version, *what)] = (run.masks, plan)
        return plan
