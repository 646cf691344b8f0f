"""One mask for each column of a result, decided from its provenance and its description before the first row.

The rule for an output column, in this order:

1. The description says that it is a labelled column of a relation (by OID and attribute number, or by a parent's
   column of the same name): the mask of its rung, whatever the analysis found; the strictest where no rung was given,
   or where its values are made of other labelled ones.
2. The description says that it is a column of a plain table of the snapshot, and not labelled: it passes.
3. The analysis found which labelled columns are in it. None: it passes, unless the description names a relation or
   column that neither the snapshot nor the session knows. Unchanged values: the mask of the lowest of their rungs.
   Anything made of them: raw where all of them are, else the strictest mask.
4. The analysis does not know: it passes only where all that could be in it is raw for this caller.

Where analysis and description disagree (the number of columns, or which relation's column one is) there is no plan:
the snapshot is out of date. A type that cannot hold the mask becomes NULL. By rules 3 and 4 NULL is covered as well,
but for unchanged values: where an expression is NULL follows from the values in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from narrows.core import COPY_PASS_ALL, PASS, PASS_ALL, ColumnMask, CopyPlan, MaskOp, Plan
from narrows.masking import types
from narrows.masking.bearers import Bearers, bearers_of
from narrows.masking.operators import build_mask, strictness
from narrows.masking.operators.site import Site
from narrows.model.copy import Copy, CopyDirection, CopyFormat
from narrows.model.label import Label, Labels, MaskRule, OperatorKind, Rung
from narrows.model.reach import Output, Reach
from narrows.model.resource import Resource
from narrows.model.snapshot import RelationKind, Snapshot
from narrows.model.verdict import MaskObligation
from narrows.wire.postgres.backend import Field

STRICTEST = MaskRule(OperatorKind.CONSTANT)
FIRST_USER_OID = 16384
"""Below are PostgreSQL's own relations (FirstNormalObjectId), which the analysis knows by name."""
_PLAIN = (RelationKind.TABLE, RelationKind.PARTITIONED)


class MaskImpossible(Exception):
    """The result cannot be masked as policy asks; select fewer columns or use another format."""


class Disagreement(MaskImpossible):
    """The target describes another result than its schema gave reason to expect; try again in a moment."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a column's mask depends on besides the column."""

    reach: Reach
    masks: MaskObligation
    snapshot: Snapshot
    labels: Labels
    bearers: Bearers
    key: bytes = field(repr=False)

    def rung(self, column: Resource) -> Rung:
        """What policy gave; nothing where it was not asked."""
        return self.masks.rungs.get(column, Rung.NONE)

    @property
    def is_open(self) -> bool:
        """Whatever can be reached may be seen raw; an undecided statement must say what it can reach."""
        is_said = bool(self.reach.columns) or not self.reach.is_unknown
        return is_said and all(self.rung(column) is Rung.RAW for column in self.reach.columns)


def build_plan(
    fields: Sequence[Field],
    formats: Sequence[int],
    reach: Reach,
    masks: MaskObligation,
    snapshot: Snapshot,
    labels: Labels,
    key: bytes,
) -> Plan:
    """The plan for a RowDescription.

    `formats` are the result formats of the Bind as sent: none (all text), one for all, or one per column;
    raises `MaskImpossible` where they do not fit.
    """
    if not _can_mask(reach, snapshot, labels):
        return PASS_ALL
    situation = Situation(reach, masks, snapshot, labels, bearers_of(snapshot, labels), key)
    each = _formats(formats, len(fields))
    outputs = _outputs(situation, [(one.table_oid, one.attnum) for one in fields])
    columns = tuple(
        _column_mask(situation, output, one.table_oid, one.attnum, one.type_oid, format_)
        for one, output, format_ in zip(fields, outputs, each, strict=True)
    )
    return Plan(columns)


def _outputs(situation: Situation, described: Sequence[tuple[int, int]]) -> Sequence[Output | None]:
    """What the analysis says of each column, where the description does not contradict it."""
    outputs = situation.reach.outputs
    if outputs is None or not described:
        return [None] * len(described)
    if len(outputs) != len(described):
        raise Disagreement(f"the result has {len(described)} columns, {len(outputs)} were expected")
    for index, (output, place) in enumerate(zip(outputs, described, strict=True), 1):
        is_other = output.origin is not None and place != (0, 0) and output.origin != place
        if is_other and not output.is_overlaid and _borne(situation, *place) is None:
            raise Disagreement(f"column {index} of the result is another relation's column than expected")
    return outputs


def build_copy_plan(
    copy: Copy, reach: Reach, masks: MaskObligation, snapshot: Snapshot, labels: Labels, key: bytes
) -> CopyPlan:
    """The plan for a COPY TO STDOUT; raises `MaskImpossible` where it must be masked and cannot be."""
    if copy.direction is not CopyDirection.OUT or not _can_mask(reach, snapshot, labels):
        return COPY_PASS_ALL
    situation = Situation(reach, masks, snapshot, labels, bearers_of(snapshot, labels), key)
    if copy.columns is None:
        if situation.is_open:
            return COPY_PASS_ALL
        raise MaskImpossible("the columns of this COPY are not known, so it cannot be masked")
    format_ = 1 if copy.format is CopyFormat.BINARY else 0
    outputs = _outputs(situation, [(0, 0)] * len(copy.columns))
    columns = tuple(
        _column_mask(situation, output, column.relation_oid, column.attnum, column.type_oid, format_)
        for column, output in zip(copy.columns, outputs, strict=True)
    )
    if all(mask is PASS for mask in columns):
        return COPY_PASS_ALL
    if not copy.encoding_is_utf8 and copy.format is not CopyFormat.BINARY:
        raise MaskImpossible("a COPY in another encoding than UTF-8 cannot be masked")
    return _copy_plan(copy, columns)


def _can_mask(reach: Reach, snapshot: Snapshot, labels: Labels) -> bool:
    """Whether any column could need a mask at all: the cheap question for databases without labels."""
    return bool(reach.columns) or bool(labels.of(snapshot.connection, snapshot.database).columns)


def _copy_plan(copy: Copy, columns: tuple[ColumnMask, ...]) -> CopyPlan:
    try:
        return CopyPlan(
            columns,
            format=copy.format,
            delimiter=copy.delimiter,
            quote=copy.quote,
            escape=copy.escape,
            null=copy.null,
            header=copy.has_header,
        )
    except ValueError as failure:
        raise MaskImpossible(f"a COPY with these options cannot be masked: {failure}") from None


def _formats(formats: Sequence[int], count: int) -> Sequence[int]:
    if any(format_ not in (0, 1) for format_ in formats):
        raise MaskImpossible("a result format is neither text nor binary")
    if len(formats) <= 1:
        return list(formats or (0,)) * count
    if len(formats) != count:
        raise MaskImpossible(f"{len(formats)} result formats for {count} columns")
    return formats


def _column_mask(
    situation: Situation, output: Output | None, oid: int, attnum: int, type_oid: int, format_: int
) -> ColumnMask:
    family = types.family(type_oid, situation.bearers.named_text)
    borne = _borne(situation, oid, attnum)
    strictest = covering(build_mask(STRICTEST, Site(family, format_)))
    if borne is not None:
        column, names = borne
        rung = situation.rung(column)
        is_own = (oid, attnum) in situation.bearers.labels or (output is not None and output.is_same)
        return (
            _labelled_mask(situation, rung, names, family, format_)
            if is_own or rung is Rung.RAW
            else strictest
        )
    if _is_clean_column(situation, oid, attnum):
        return PASS
    if output is None or output.is_undecided:
        return PASS if _passes_undecided(situation, oid, attnum) else strictest
    if _is_unknown_place(situation, oid, attnum) and not output.is_overlaid:
        return PASS if bool(situation.reach.columns) and situation.is_open else strictest
    rung = min((situation.rung(column) for column in output.columns), default=Rung.RAW)
    if rung is Rung.RAW:
        return PASS
    if not output.is_same:
        return strictest
    names = frozenset[str]().union(*(situation.reach.columns[column] for column in output.columns))
    return _labelled_mask(situation, rung, names, family, format_)


def covering(mask: ColumnMask) -> ColumnMask:
    """The same in place of NULL too: in a value that was made of others, NULL is an answer."""
    return replace(mask, op=MaskOp.COVER) if mask.op is MaskOp.CONSTANT else mask


def _borne(situation: Situation, oid: int, attnum: int) -> tuple[Resource, frozenset[str]] | None:
    """The column and its labels, where the description names a labelled one."""
    if not oid or not attnum:
        return None
    column = situation.bearers.resource(oid, attnum)
    own = situation.bearers.labels.get((oid, attnum), frozenset())
    found = situation.reach.columns.get(column, frozenset()) if column else frozenset()
    return (column, own | found) if column and (own or found) else None


def _is_clean_column(situation: Situation, oid: int, attnum: int) -> bool:
    """A column of a plain table that the snapshot knows, and that bears no label."""
    relation = situation.snapshot.relations.get(oid) if oid else None
    is_known = attnum < 0 or situation.bearers.resource(oid, attnum) is not None
    return relation is not None and relation.kind in _PLAIN and bool(attnum) and is_known


def _is_unknown_place(situation: Situation, oid: int, attnum: int) -> bool:
    """The description names what the snapshot does not know: it is out of date, or the relation is the session's."""
    if oid < FIRST_USER_OID:
        return False
    is_known = attnum <= 0 or situation.bearers.resource(oid, attnum) is not None
    return oid not in situation.snapshot.relations or not is_known


def _passes_undecided(situation: Situation, oid: int, attnum: int) -> bool:
    """Whether a column may pass of which the analysis knows nothing."""
    reach = situation.reach
    if _is_unknown_place(situation, oid, attnum):
        return bool(reach.columns) and situation.is_open
    is_plain = reach.outputs is None and oid not in situation.snapshot.relations
    is_decided = is_plain and not (reach.is_derived or reach.is_unknown)
    return is_decided or situation.is_open


def _labelled_mask(
    situation: Situation, rung: Rung, names: frozenset[str], family: types.Family, format_: int
) -> ColumnMask:
    """The strictest of its labels' masks at the rung; a label without a definition shows nothing."""
    if rung is Rung.RAW:
        return PASS
    rules = [(_rule(situation.labels.labels, name, rung), name) for name in sorted(names)]
    rule, name = min(rules, key=lambda pair: strictness(pair[0]))
    return build_mask(rule, Site(family, format_, name, situation.key))


def _rule(labels: Mapping[str, Label], name: str, rung: Rung) -> MaskRule:
    label = labels.get(name)
    return label.rule_at(rung) if label else STRICTEST
