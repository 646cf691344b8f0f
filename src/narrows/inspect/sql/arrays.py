"""How many values an array holds, read off its text or its binary form.

Laws: bytes come from anybody, so nothing here raises and nothing takes long; what is too large to look through is
unknown; what the target could not read as an array counts as the one value that it then is.
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from math import prod

from narrows.model.statement import Parameter

UNKNOWN = -1
MOST_BYTES = 1024 * 1024
MOST_TOKENS = 20_000
"""About ten milliseconds; no rule asks for numbers of this size."""

VECTORS = frozenset({22, 30})
"""int2vector and oidvector: arrays that are written without braces."""

_BEGINS = re.compile(rb"[ \t\n\r\v\f]*(?:\{|\[[^{]*=[ \t\n\r\v\f]*\{)")
"""An array, perhaps with the bounds of its dimensions before it."""
_TOKEN = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"|\\.|[,;]')
"""A quoted element, an escaped character, or what stands between two elements (`;` for boxes)."""
_SEPARATORS = (b",", b";")
_EMPTY = re.compile(rb"[ \t\n\r\v\f{}]*\Z")

_DIMENSIONS = 6
_HEADER = struct.Struct("!iII")
_DIMENSION = struct.Struct("!iI")


def of_parameter(parameter: Parameter) -> int:
    """The number of values in a bound parameter; `UNKNOWN` where it cannot be told."""
    if parameter.value is None:
        return 0
    if parameter.is_binary:
        return of_binary(parameter.value)
    if parameter.type_oid in VECTORS:
        return UNKNOWN
    return of_text(parameter.value)


def of_text(value: bytes) -> int:
    """`{a,b}` holds two."""
    if len(value) > MOST_BYTES:
        return UNKNOWN
    begin = _BEGINS.match(value)
    if begin is None:
        return 1
    if _EMPTY.match(value, begin.end()):
        return 0
    tokens = [token.group() for token in islice(_TOKEN.finditer(value, begin.end()), MOST_TOKENS)]
    if len(tokens) == MOST_TOKENS:
        return UNKNOWN
    return 1 + sum(token in _SEPARATORS for token in tokens)


def of_binary(value: bytes) -> int:
    """The product of the dimensions that the header names."""
    if len(value) < _HEADER.size:
        return 1
    dimensions, flags, _ = _HEADER.unpack_from(value)
    if not 0 <= dimensions <= _DIMENSIONS or flags > 1:
        return 1
    if len(value) < _HEADER.size + dimensions * _DIMENSION.size:
        return 1
    if dimensions == 0:
        return 0
    sizes = [
        _DIMENSION.unpack_from(value, _HEADER.size + place * _DIMENSION.size)[0]
        for place in range(dimensions)
    ]
    return 1 if min(sizes) < 0 else prod(sizes)
