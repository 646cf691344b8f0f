"""What runs for every byte and every row: framing and masking, sans-IO, behind one facade.

`receive` what was read, then call `next` until it gives None::

    target = PgBackend()
    target.receive(data)
    while (item := target.next()) is not None:
        match item:
            case Rows(data, rows, masked): ...      # ready to send on
            case Message(kind, payload): ...        # may call target.set_plan(...) before the next `next`

Laws: a row without a plan raises ProtocolError, and a plan ends with its result; nothing is held beyond
`Limits`; how the stream was cut changes nothing. While `target.is_inside_row` only the next `Rows` may be sent
to the client.
"""

from narrows.core.items import CopyRun, Rows
from narrows.core.limits import Limits
from narrows.core.plan import COPY_PASS_ALL, PASS, PASS_ALL, ColumnMask, CopyPlan, MaskOp, Plan
from narrows.core.pure.backend import PgBackend
from narrows.core.pure.frontend import PgFrontend
from narrows.model.copy import CopyFormat
from narrows.wire.postgres.message import Message

__all__ = [
    "COPY_PASS_ALL",
    "PASS",
    "PASS_ALL",
    "ColumnMask",
    "CopyFormat",
    "CopyPlan",
    "CopyRun",
    "Limits",
    "MaskOp",
    "Message",
    "PgBackend",
    "PgFrontend",
    "Plan",
    "Rows",
]
