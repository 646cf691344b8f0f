"""Cuts what a client sends into messages.

Laws: a message over its limit is refused when its header is seen; runs of CopyData come out as one piece.
"""

from __future__ import annotations

import struct

from narrows.core import limits as bounds
from narrows.core.items import CopyRun
from narrows.core.limits import Limits
from narrows.core.pure.inbox import Inbox
from narrows.wire.errors import LIMIT_EXCEEDED, ProtocolError
from narrows.wire.postgres.message import Message

_HEADER = struct.Struct(">cI").unpack_from
_KINDS = {
    **dict.fromkeys((b"P", b"Q"), "message_bytes"),
    **dict.fromkeys((b"B", b"F"), "bind_bytes"),
    **dict.fromkeys((b"C", b"D", b"E", b"H", b"S", b"X", b"c", b"f"), "small_bytes"),
    b"d": "copy_bytes",
    b"p": "password_bytes",
}
"""Every kind that a client may send, and the limit it stands under."""


class PgFrontend(Inbox):
    """client -> gateway, after start-up."""

    __slots__ = ("_caps",)

    def __init__(self, limits: Limits = bounds.DEFAULT) -> None:
        super().__init__()
        self._caps: dict[bytes, int] = {kind: getattr(limits, name) + 4 for kind, name in _KINDS.items()}

    def next(self) -> Message | CopyRun | None:
        """The next message, or a run of whole CopyData messages, or None where more bytes are needed."""
        if len(self._data) - self._at < 5 and not self._fill(5):
            return None
        kind, length = _HEADER(self._data, self._at)
        if not 4 <= length <= self._caps.get(kind, 0):
            raise self._fault(kind, length)
        if len(self._data) - self._at <= length and not self._fill(length + 1):
            return None
        if kind == b"d":
            return self._copy_run()
        start = self._at + 5
        end = self._at = start + length - 4
        return Message(kind, self._data[start:end])

    def _copy_run(self) -> CopyRun:
        """All whole CopyData messages from here; the first one is known to be whole."""
        data, cap = self._data, self._caps[b"d"]
        start = at = self._at
        size = len(data)
        while size - at >= 5:
            kind, length = _HEADER(data, at)
            end = at + 1 + length
            if kind != b"d" or end > size or not 4 <= length <= cap:
                break
            at = end
        self._at = at
        return CopyRun(data[start:at])

    def _fault(self, kind: bytes, length: int) -> ProtocolError:
        if kind not in self._caps:
            return ProtocolError("client", "unexpected kind of message")
        if length < 4:
            return ProtocolError("client", "invalid length of message")
        limit = self._caps[kind] - 4
        return ProtocolError("client", f"message of {length - 4} bytes; the limit is {limit}", LIMIT_EXCEEDED)
