"""One mask for each column of a result, decided from its description before the first row.

The rule for an output column, in this order:

1. It is a labelled column of a relation (by OID and attribute number, by what the analysis found, or by a
   parent's column of the same name): the mask of its rung; the strictest where no rung was given.
2. It is a column of a plain table of the snapshot, and not labelled: it passes.
3. It is of a relation, or a column, that the snapshot does not know: the snapshot is out of date or the
   relation temporary. The strictest mask, unless all that the analysis found is raw for this caller.
4. Anything else (an expression, a whole row, a view's column): it passes where no labelled value can be in
   it, or all that could be are raw for this caller; else the strictest mask.

A type that cannot hold the mask becomes NULL. By rules 3 and 4 NULL is covered as well: where an expression is NULL
follows from the values in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from narrows.core import COPY_PASS_ALL, PASS, PASS_ALL, ColumnMask, CopyPlan, MaskOp, Plan
from narrows.masking import types
from narrows.masking.bearers import Bearers, bearers_of
from narrows.masking.operators import build_mask, strictness
from narrows.masking.operators.site import Site
from narrows.model.copy import Copy, CopyColumn, CopyDirection, CopyFormat
from narrows.model.label import Label, Labels, MaskRule, OperatorKind, Rung
from narrows.model.reach import Reach
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
    columns = tuple(
        _column_mask(situation, one.table_oid, one.attnum, one.type_oid, format_)
        for one, format_ in zip(fields, each, strict=True)
    )
    return Plan(columns)


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
    columns = tuple(_copy_column_mask(situation, column, format_) for column in copy.columns)
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


def _copy_column_mask(situation: Situation, column: CopyColumn, format_: int) -> ColumnMask:
    return _column_mask(situation, column.relation_oid, column.attnum, column.type_oid, format_)


def _formats(formats: Sequence[int], count: int) -> Sequence[int]:
    if any(format_ not in (0, 1) for format_ in formats):
        raise MaskImpossible("a result format is neither text nor binary")
    if len(formats) <= 1:
        return list(formats or (0,)) * count
    if len(formats) != count:
        raise MaskImpossible(f"{len(formats)} result formats for {count} columns")
    return formats


def _column_mask(situation: Situation, oid: int, attnum: int, type_oid: int, format_: int) -> ColumnMask:
    family = types.family(type_oid, situation.bearers.named_text)
    borne = _borne(situation, oid, attnum)
    if borne is not None:
        column, names = borne
        return _labelled_mask(situation, situation.rung(column), names, family, format_)
    if _passes(situation, oid, attnum):
        return PASS
    return covering(build_mask(STRICTEST, Site(family, format_)))


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


def _passes(situation: Situation, oid: int, attnum: int) -> bool:
    """Whether a column that is not labelled itself may pass."""
    reach = situation.reach
    relation = situation.snapshot.relations.get(oid) if oid else None
    is_known = attnum <= 0 or situation.bearers.resource(oid, attnum) is not None
    if oid >= FIRST_USER_OID and (relation is None or not is_known):
        return bool(reach.columns) and situation.is_open
    if relation is not None and relation.kind in _PLAIN and attnum:
        return True
    is_decided = relation is None and not (reach.is_derived or reach.is_unknown)
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
