"""The text format of COPY, as the target writes it.

A null marker without an escape in it (`NULL 'x'`) cannot be told from a value that reads the same. Were such
a field left alone, a caller could choose the marker and so ask whether a masked value equals it: it is
masked like a value. Only the empty marker is still taken for NULL.
"""

from __future__ import annotations

import re

from narrows.core.plan import CopyPlan
from narrows.core.pure.copying import fault, written_changes
from narrows.core.pure.masks import Cover
from narrows.wire.errors import ProtocolError

_LETTERS = {b"\b": b"b", b"\f": b"f", b"\n": b"n", b"\r": b"r", b"\t": b"t", b"\v": b"v"}
_ESCAPE = re.compile(rb"\\(.?)", re.DOTALL)


class TextFormat:
    """Reads and writes rows under one plan."""

    __slots__ = ("_changes", "_delimiter", "_null", "_read", "_special", "_width", "_write")

    def __init__(self, plan: CopyPlan) -> None:
        columns = plan.columns or ()
        self._delimiter = plan.delimiter
        self._width = len(columns)
        self._write = {raw: b"\\" + letter for raw, letter in _LETTERS.items()} | {b"\\": b"\\\\"}
        self._write.setdefault(plan.delimiter, b"\\" + plan.delimiter)
        self._read = {written[1:]: raw for raw, written in self._write.items()}
        self._special = re.compile(b"[" + b"".join(map(re.escape, self._write)) + b"]")
        self._null = plan.null if self._is_certain(plan.null) else None
        self._changes = written_changes(columns, plan.null, self._decode, self._encode)

    def is_open(self, line: bytes, was_open: bool) -> bool:  # noqa: ARG002 - a line end always ends a row
        return False

    def check(self, row: bytes) -> None:
        self._split(row)

    def mask(self, row: bytes) -> tuple[bytes, int]:
        fields = self._split(row)
        masked = 0
        for index, change in self._changes:
            field = fields[index]
            if field != self._null or type(change) is Cover:
                fields[index] = change if isinstance(change, bytes) else change(field)
                masked += 1
        return self._delimiter.join(fields), masked

    def _split(self, row: bytes) -> list[bytes]:
        width, delimiter = self._width, self._delimiter
        fields = row.split(delimiter, width) if b"\\" not in row else self._split_escaped(row)
        if len(fields) != width:
            raise fault("the number of fields")
        return fields

    def _split_escaped(self, row: bytes) -> list[bytes]:
        """At delimiters that an even number of backslashes stands before; one too many where there are."""
        fields: list[bytes] = []
        start = at = 0
        while len(fields) < self._width:
            end = row.find(self._delimiter, at)
            if end < 0:
                break
            before = row[at:end]
            at = end + 1
            if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
                fields.append(row[start:end])
                start = at
        fields.append(row[start:])
        return fields

    def _decode(self, field: bytes) -> bytes:
        if b"\\" not in field:
            return field
        try:
            return _ESCAPE.sub(lambda found: self._read[found[1]], field)
        except KeyError:
            raise fault("an escape") from None

    def _encode(self, value: bytes) -> bytes:
        return self._special.sub(lambda found: self._write[found[0]], value)

    def _is_certain(self, null: bytes) -> bool:
        """No value is written like the null marker."""
        if not null:
            return True
        try:
            return self._encode(self._decode(null)) != null
        except ProtocolError:
            return True
