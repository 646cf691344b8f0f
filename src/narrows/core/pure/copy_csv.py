"""The csv format of COPY, as the target writes it.

A field is quoted whole or not at all. Whether a masked field is quoted depends on what it shows, not on
what it showed; a value like the null marker is always quoted, so NULL is certain.
"""

from __future__ import annotations

import re

from narrows.core.plan import CopyPlan
from narrows.core.pure.copying import fault, written_changes
from narrows.core.pure.masks import Cover


class CsvFormat:
    """Reads and writes rows under one plan."""

    __slots__ = (
        "_changes", "_delimiter", "_escape", "_escaped", "_field", "_null", "_quotable", "_quote", "_quoted_end",
        "_special", "_width",
    )  # fmt: skip

    def __init__(self, plan: CopyPlan) -> None:
        columns = plan.columns or ()
        delimiter, quote, escape = map(re.escape, (plan.delimiter, plan.quote, plan.escape))
        self._delimiter, self._quote, self._escape = plan.delimiter, plan.quote, plan.escape
        self._null = plan.null
        self._width = len(columns)
        inside = rb"(?:[^%b%b]++|%b[%b%b])*+" % (quote, escape, escape, quote, escape)
        self._field = re.compile(rb"%b(?:%b)%b|[^%b%b\r\n]*+" % (quote, inside, quote, delimiter, quote))
        self._quoted_end = re.compile(rb"%b%b" % (inside, quote))
        self._escaped = re.compile(rb"%b([%b%b])" % (escape, quote, escape))
        self._quotable = re.compile(rb"[%b%b\r\n]" % (delimiter, quote))
        self._special = re.compile(rb"[%b%b]" % (quote, escape))
        self._changes = written_changes(columns, plan.null, self._decode, self._encode)

    def is_open(self, line: bytes, was_open: bool) -> bool:
        quotes = line.count(self._quote)
        if not quotes:
            return was_open
        if self._quote == self._escape:
            return was_open != (quotes % 2 == 1)
        return self._is_open_escaped(line, was_open)

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

    def _is_open_escaped(self, line: bytes, is_open: bool) -> bool:
        """As `is_open` where an escape other than the quote may hide a quote; only inside quotes."""
        at = 0
        while True:
            if is_open:
                found = self._quoted_end.match(line, at)
                if found is None:
                    return True
                at = found.end()
            opening = line.find(self._quote, at)
            if opening < 0:
                return False
            at = opening + 1
            is_open = True

    def _split(self, row: bytes) -> list[bytes]:
        width, delimiter = self._width, self._delimiter
        fields = row.split(delimiter, width) if self._quote not in row else self._split_quoted(row)
        if len(fields) != width:
            raise fault("the number of fields")
        return fields

    def _split_quoted(self, row: bytes) -> list[bytes]:
        fields: list[bytes] = []
        at = -1
        while at < len(row) and len(fields) <= self._width:
            found = self._field.match(row, at + 1)
            assert found is not None, "an unquoted field can be empty"
            fields.append(found[0])
            at = found.end()
            if at < len(row) and row[at : at + 1] != self._delimiter:
                raise fault("a quote")
        return fields

    def _decode(self, field: bytes) -> bytes:
        if field[:1] != self._quote:
            return field
        return self._escaped.sub(rb"\1", field[1:-1])

    def _encode(self, value: bytes) -> bytes:
        if not self._must_quote(value):
            return value
        escape = self._escape
        return self._quote + self._special.sub(lambda found: escape + found[0], value) + self._quote

    def _must_quote(self, value: bytes) -> bool:
        if value in (self._null, b"\\."):
            return True
        return self._quotable.search(value) is not None
