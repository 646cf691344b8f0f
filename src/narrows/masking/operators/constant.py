"""The same text for every value.

JSON shows it as a JSON string, XML as character data; jsonb's binary form begins with its version, 1.
"""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from narrows.core import ColumnMask, MaskOp
from narrows.masking.operators.site import Site
from narrows.masking.types import Family
from narrows.model.label import MaskRule

_JSONB_VERSION = b"\x01"


def mask(rule: MaskRule, site: Site) -> ColumnMask | None:
    """The constant as the type and the format write it."""
    shown = _shown(rule.text, site)
    return None if shown is None else ColumnMask(MaskOp.CONSTANT, text=shown)


def _shown(text: str, site: Site) -> bytes | None:
    if site.family is Family.TEXT:
        return text.encode()
    if site.family is Family.XML:
        return escape(text).encode()
    if site.family is Family.JSON:
        return json.dumps(text).encode()
    if site.family is Family.JSONB:
        return (_JSONB_VERSION if site.format else b"") + json.dumps(text).encode()
    return None
