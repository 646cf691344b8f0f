"""The operators, one per file; this is the list of them.

Each offers `mask(rule, site)`, the core's mask for a
column, or None where the column's type and format cannot hold it: the column is NULL then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from narrows.core import ColumnMask
from narrows.masking.operators import constant, hash, keep_last, null  # noqa: A004 - named as labels.yaml names it
from narrows.masking.operators.site import Site
from narrows.model.label import MaskRule, OperatorKind, Rung


@dataclass(frozen=True, slots=True)
class Operator:
    """What plan building and the labels parser need of an operator."""

    mask: Callable[[MaskRule, Site], ColumnMask | None]
    rungs: frozenset[Rung]
    """The rungs it may stand for: at NONE nothing of the value may show, at TOKEN nothing readable."""


OPERATORS: Mapping[OperatorKind, Operator] = {
    OperatorKind.NULL: Operator(null.mask, frozenset({Rung.NONE, Rung.TOKEN, Rung.PARTIAL})),
    OperatorKind.CONSTANT: Operator(constant.mask, frozenset({Rung.NONE, Rung.TOKEN, Rung.PARTIAL})),
    OperatorKind.HASH: Operator(hash.mask, frozenset({Rung.TOKEN, Rung.PARTIAL})),
    OperatorKind.KEEP_LAST: Operator(keep_last.mask, frozenset({Rung.PARTIAL})),
}
"""From the one that shows least to the one that shows most."""


def build_mask(rule: MaskRule, site: Site) -> ColumnMask:
    """The mask of a rule at a column: NULL where the type cannot hold it."""
    return OPERATORS[rule.operator].mask(rule, site) or null.NULL


def strictness(rule: MaskRule) -> tuple[int, int]:
    """Orders rules from the one that shows least."""
    shown = {OperatorKind.HASH: rule.length, OperatorKind.KEEP_LAST: rule.keep}
    return list(OPERATORS).index(rule.operator), shown.get(rule.operator, 0)
