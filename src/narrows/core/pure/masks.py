"""What each operation does to one value.

Laws: an operation is a function of the value and its arguments alone; it is never given NULL; KEEP_LAST
never shows more than `keep` characters, nor more than half.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable

from narrows.core.plan import ColumnMask, MaskOp

Mask = Callable[[bytes], bytes]

_LENGTH = struct.Struct(">i").pack
_NULL = b"\xff\xff\xff\xff"


def keep_last(keep: int, fill: bytes) -> Mask:
    """`fill` for every character but the last `keep`."""

    def mask(value: bytes) -> bytes:
        if value.isascii():
            size = len(value)
            return fill * size if size <= 2 * keep else fill * (size - keep) + value[size - keep :]
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return fill * len(value)
        size = len(text)
        return fill * size if size <= 2 * keep else fill * (size - keep) + text[size - keep :].encode("utf-8")

    return mask


def keyed_hash(key: bytes, length: int) -> Mask:
    """The first `length` hex digits of HMAC-SHA256."""

    def mask(value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256").hex()[:length].encode("ascii")

    return mask


def change(mask: ColumnMask) -> Mask | bytes | None:
    """How a value that is not NULL changes: by a function, to these bytes, or (PASS and NULL) neither."""
    match mask.op:
        case MaskOp.CONSTANT:
            return mask.text
        case MaskOp.KEEP_LAST:
            return keep_last(mask.keep, mask.fill)
        case MaskOp.HASH:
            return keyed_hash(mask.key, mask.length)
        case MaskOp.PASS | MaskOp.NULL:
            return None


def field_change(mask: ColumnMask) -> Mask | bytes | None:
    """As `change`, giving the whole field with its length in front; None is PASS."""
    if mask.op is MaskOp.NULL:
        return _NULL
    made = change(mask)
    if made is None or isinstance(made, bytes):
        return None if made is None else _LENGTH(len(made)) + made
    function = made

    def field(value: bytes) -> bytes:
        shown = function(value)
        return _LENGTH(len(shown)) + shown

    return field
