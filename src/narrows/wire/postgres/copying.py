"""The two messages that both sides send during a COPY."""

from __future__ import annotations

from dataclasses import dataclass

from narrows.wire.postgres.message import encode


@dataclass(frozen=True, slots=True)
class CopyData:
    """A piece of the COPY stream; the target sends one row in each, a client cuts where it likes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CopyDone:
    """The COPY stream is complete."""


def parse_copy_data(payload: bytes) -> CopyData:
    return CopyData(payload)


def build_copy_data(message: CopyData) -> bytes:
    return encode(b"d", message.data)
