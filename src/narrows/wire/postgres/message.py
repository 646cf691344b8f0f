"""A framed message: one byte of kind, four of length, then the payload.

The length counts itself and not the kind, so that the smallest is 4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct(">cI")


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message of either side; what the payload says is read by `frontend` and `backend`."""

    kind: bytes
    payload: bytes

    def encode(self) -> bytes:
        """The bytes as they stand on the wire."""
        return _HEADER.pack(self.kind, len(self.payload) + 4) + self.payload


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """One message as it stands on the wire; `kind` is one byte."""
    return _HEADER.pack(kind, len(payload) + 4) + payload
