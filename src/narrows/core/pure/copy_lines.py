"""Cuts the text and csv streams of a COPY into rows; how one row reads is `copy_text` and `copy_csv`.

Law: a byte is searched once for a line end, however many CopyData a row spans.
"""

from __future__ import annotations

from typing import Protocol

from narrows.core.pure.copying import Piece, fault, too_long


class RowFormat(Protocol):
    def is_open(self, line: bytes, was_open: bool) -> bool:
        """The row goes on after this line (inside quotes); `was_open` says so of the line before."""
        ...

    def check(self, row: bytes) -> None:
        """The row has as many fields as the plan has columns."""
        ...

    def mask(self, row: bytes) -> tuple[bytes, int]:
        """The masked row and how many values were masked; rows come and go without their line end."""
        ...


class LineMasker:
    """Masks one COPY stream of lines; a `header` line passes once its fields are counted."""

    __slots__ = ("_format", "_header", "_held", "_is_open", "_limit", "_line", "_scanned")

    def __init__(self, row_format: RowFormat, header: bool, limit_bytes: int) -> None:
        self._format = row_format
        self._header = header
        self._limit = limit_bytes
        self._held = bytearray()
        self._line = 0  # where in `_held` the last line begins; a row may have several
        self._scanned = 0
        self._is_open = False

    def receive(self, payload: bytes) -> Piece:
        if (
            self._header
            or self._held
            or payload.find(b"\n") != len(payload) - 1
            or len(payload) > self._limit
        ):
            return self._receive(payload)
        row = payload[:-1]
        if self._format.is_open(row, False):
            return self._receive(payload)
        shown, masked = self._format.mask(row)  # one CopyData with one row: what the target always sends
        return Piece(shown + b"\n", 1, masked)

    def _receive(self, payload: bytes) -> Piece:
        """Any part of the stream."""
        source: bytes | bytearray = payload
        if self._held:
            self._held += payload
            source = self._held
        out = bytearray()
        start, line, scanned = 0, self._line, self._scanned
        rows = masked = 0
        while (end := source.find(b"\n", scanned)) >= 0:
            self._is_open = self._format.is_open(bytes(source[line:end]), self._is_open)
            line = scanned = end + 1
            if self._is_open:
                continue
            if end - start > self._limit:
                raise too_long(self._limit)
            row = bytes(source[start:end])
            start = line
            if self._header:
                self._header = False
                self._format.check(row)
                out += row + b"\n"
                continue
            shown, changed = self._format.mask(row)
            out += shown
            out += b"\n"
            rows += 1
            masked += changed
        self._hold(source, start, line)
        return Piece(bytes(out), rows, masked)

    def finish(self) -> None:
        if self._held:
            raise fault("it ends inside a row")

    def _hold(self, source: bytes | bytearray, start: int, line: int) -> None:
        """Keep the row that has not ended, from `start` on."""
        if len(source) - start > self._limit:
            raise too_long(self._limit)
        if source is self._held:
            del self._held[:start]
        else:
            self._held += source[start:]
        self._line = line - start
        self._scanned = len(self._held)
