"""A keyed hash: equal values of one label have equal tokens in every table, and nobody without the key can
compute one.

Law: each label has a key of its own, derived from the gateway's, so that tokens of two labels never match.
"""

from __future__ import annotations

import hashlib
import hmac

from narrows.core import ColumnMask, MaskOp
from narrows.masking.operators.site import Site
from narrows.masking.types import Family
from narrows.model.label import MaskRule

_PURPOSE = b"narrows token\0"


def mask(rule: MaskRule, site: Site) -> ColumnMask | None:
    """Hex digits in place of text."""
    if site.family is not Family.TEXT:
        return None
    return ColumnMask(MaskOp.HASH, length=rule.length, key=label_key(site.key, site.label))


def label_key(key: bytes, label: str) -> bytes:
    """The key of one label's tokens."""
    return hmac.digest(key, _PURPOSE + label.encode(), hashlib.sha256)
