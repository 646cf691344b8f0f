"""How much one connection may make us hold; each bound is a number of bytes."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_MIB = 1024 * _KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Payload sizes; a message over its limit raises ProtocolError when its header is seen.

    A codec holds at most one message of its limit, twice while it is joined, and what one `receive` brought.
    """

    message_bytes: int = 16 * _MIB + _KIB
    """Query and Parse from the client (statements up to 16 MiB and their names); from the target
    everything that is neither a row nor COPY data."""
    bind_bytes: int = 64 * _MIB
    """Bind and FunctionCall."""
    copy_bytes: int = 64 * _MIB
    """One CopyData from the client."""
    small_bytes: int = 10_000
    """Every other message of the client, as PostgreSQL has it."""
    password_bytes: int = 65_535
    """Kind `p`: a token or a SASL response."""
    row_bytes: int = 64 * _MIB
    """One DataRow, or one row of a COPY, that must be masked."""
    stream_bytes: int = 256 * _KIB
    """A row or CopyData that passes as it is and is longer than this is handed on in parts."""


DEFAULT = Limits()
