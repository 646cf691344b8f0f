"""What the two codecs hand out beside `wire.postgres.message.Message`."""

from __future__ import annotations

from typing import NamedTuple


class CopyRun(NamedTuple):
    """Whole CopyData messages from the client, byte for byte, ready to send on."""

    data: bytes


class Rows(NamedTuple):
    """A run of DataRow or CopyData messages from the target, masked under the current plan, ready to send.

    `rows` counts the rows that end in this run (of a COPY that passes unread: its CopyData messages), so a
    long row handed on in parts counts once; `masked` counts the values that a mask changed.
    """

    data: bytes
    rows: int
    masked: int
