"""NULL in place of every value: what every type can hold."""

from __future__ import annotations

from narrows.core import ColumnMask, MaskOp
from narrows.masking.operators.site import Site
from narrows.model.label import MaskRule

NULL = ColumnMask(MaskOp.NULL)


def mask(_rule: MaskRule, _site: Site) -> ColumnMask | None:
    """NULL, whatever the type."""
    return NULL
