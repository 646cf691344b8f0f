"""What each operation does to one value.

Laws: an operation is a function of the value and its arguments alone; it is never given NULL (COVER needs no
value); KEEP_LAST
never shows more than `keep` characters, nor more than half.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from functools import lru_cache

from narrows.core.plan import ColumnMask, MaskOp

Mask = Callable[[bytes], bytes]


class Cover(bytes):
    """What stands in place of every value, NULL included."""

    __slots__ = ()


_LENGTH = struct.Struct(">i").pack
_NULL = b"\xff\xff\xff\xff"
_SHORT = 64
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


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
    """The first `length` hex digits of HMAC-SHA256 (RFC 2104), with the key's half of the work done once."""
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(padded.translate(_INNER))
    outer = hashlib.sha256(padded.translate(_OUTER))

    def mask(value: bytes) -> bytes:
        hashed = inner.copy()
        hashed.update(value)
        sealed = outer.copy()
        sealed.update(hashed.digest())
        return sealed.hexdigest()[:length].encode("ascii")

    return mask


def change(mask: ColumnMask) -> Mask | bytes | None:
    """How a value that is not NULL changes: by a function, to these bytes, or (PASS and NULL) neither."""
    match mask.op:
        case MaskOp.CONSTANT:
            return mask.text
        case MaskOp.COVER:
            return Cover(mask.text)
        case MaskOp.KEEP_LAST:
            return keep_last(mask.keep, mask.fill)
        case MaskOp.HASH:
            return keyed_hash(mask.key, mask.length)
        case MaskOp.PASS | MaskOp.NULL:
            return None


@lru_cache(maxsize=256)
def field_change(mask: ColumnMask) -> Mask | bytes | None:
    """As `change`, giving the whole field with its length in front; None is PASS."""
    if mask.op is MaskOp.NULL:
        return _NULL
    made = change(mask)
    if made is None:
        return None
    if isinstance(made, bytes):
        return type(made)(_LENGTH(len(made)) + made)
    return _short_field(mask, made) if mask.op is MaskOp.KEEP_LAST else _field(made)


def _field(function: Mask) -> Mask:
    def field(value: bytes) -> bytes:
        shown = function(value)
        return _LENGTH(len(shown)) + shown

    return field


def _short_field(mask: ColumnMask, function: Mask) -> Mask:
    """KEEP_LAST by a table for short ASCII values, which most are: (length and fill, where the rest begins)."""
    hidden = [size if size <= 2 * mask.keep else size - mask.keep for size in range(_SHORT)]
    table = [
        (_LENGTH(size - at + at * len(mask.fill)) + mask.fill * at, at) for size, at in enumerate(hidden)
    ]
    field_of_any = _field(function)

    def field(value: bytes) -> bytes:
        if len(value) < _SHORT and value.isascii():
            head, at = table[len(value)]
            return head + value[at:]
        return field_of_any(value)

    return field
