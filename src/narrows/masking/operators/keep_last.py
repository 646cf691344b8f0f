"""The last few characters, with a fill for each before them.

Only text: a cut number, date or document would be another number, date or a broken document.
"""

from __future__ import annotations

from narrows.core import ColumnMask, MaskOp
from narrows.masking.operators.site import Site
from narrows.masking.types import Family
from narrows.model.label import MaskRule


def mask(rule: MaskRule, site: Site) -> ColumnMask | None:
    """The last `keep` characters of text."""
    if site.family is not Family.TEXT:
        return None
    return ColumnMask(MaskOp.KEEP_LAST, keep=rule.keep, fill=rule.fill.encode())
