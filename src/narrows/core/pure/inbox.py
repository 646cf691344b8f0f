"""Bytes that were received and not yet taken, without quadratic copying.

Law: what arrives is joined to what is held only when that completes something, so that a message of n bytes
costs O(n) however it is cut, and a chunk that holds only whole messages is never copied.
"""

from __future__ import annotations


class Inbox:
    """The base of both codecs: `_data` from `_at` on is what can be read, `_late` came after it."""

    __slots__ = ("_at", "_data", "_late")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._late = bytearray()

    @property
    def buffered(self) -> int:
        """How many bytes were received and not yet given out by `next`."""
        return len(self._data) - self._at + len(self._late)

    def receive(self, data: bytes) -> None:
        """Take in what one read brought; then call `next` until it gives None."""
        if self._at == len(self._data) and not self._late:
            self._data = bytes(data)  # bytes of bytes is the same object
            self._at = 0
        else:
            self._late += data

    def _fill(self, need: int) -> bool:
        """Whether `need` bytes can be read from `_at` on; `_data` and `_at` are new where it was not so yet."""
        held = len(self._data) - self._at
        if held >= need:
            return True
        if held + len(self._late) < need:
            return False
        self._data = b"".join((memoryview(self._data)[self._at :], self._late))
        self._at = 0
        self._late = bytearray()
        return True
