"""The one thing that hostile bytes raise.

Law: whatever either side sends, a codec answers with a value or with `ProtocolError`, never with another
exception.
"""

from __future__ import annotations

from typing import Literal

Side = Literal["client", "upstream"]

PROTOCOL_VIOLATION = "08P01"
LIMIT_EXCEEDED = "54000"
FEATURE_NOT_SUPPORTED = "0A000"


class ProtocolError(Exception):
    """A side broke its protocol; answer with `sqlstate` and `message`, then end the connection.

    Where it was raised by reading the content of a whole message (`parse_*`), the framing is intact and
    the connection could go on. `message` never holds a value that was sent.
    """

    def __init__(self, side: Side, message: str, sqlstate: str = PROTOCOL_VIOLATION) -> None:
        super().__init__(side, message, sqlstate)
        self.side: Side = side
        self.message = message
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        return f"{self.side}: {self.message} ({self.sqlstate})"
