"""COPY FROM STDIN: what the client may send while the target takes its data.

Laws: data is forwarded only after CopyInResponse; anything but data, its end, Flush and Sync ends the COPY
with a refusal, and the target's 57014 is told as that; the target ignores a Sync in the middle of the data.
"""

from __future__ import annotations

from narrows.core import CopyRun
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.asking import Taken
from narrows.relay.postgres.state import Mode, State
from narrows.wire.postgres import frontend
from narrows.wire.postgres.message import Message

CUT = frontend.build(frontend.CopyFail("narrows refused"))


def on_data(state: State, message: Message | CopyRun) -> Taken:
    """Whole CopyData messages, as they came."""
    assert isinstance(message, CopyRun)
    head = state.replies.head
    if head is not None and head.run is not None:
        head.run.bytes += len(message.data)
    state.copy_sync = None
    state.out.to_upstream(message.data)
    return Taken.YES


def on_end(state: State, message: Message) -> Taken:
    """CopyDone or CopyFail; a simple Query may go on with another COPY, so it is waited for."""
    state.copy_sync = None
    state.out.to_upstream(message.encode())
    state.mode = Mode.OPEN if state.is_unsynced else Mode.AWAITING_COPY
    state.is_flushed = not state.is_unsynced
    return Taken.YES


def on_sync(state: State, message: Message) -> Taken:
    """Clients send one before they know that their statement is a COPY; the target ignores it.

    If the COPY fails before any data came, the target takes it as the end of the series: so it is kept
    until one or the other is known.
    """
    state.copy_sync = message
    return Taken.YES


def on_intrusion(state: State, message: Message) -> Taken:
    """Any other message: the target would end the COPY with an error and drop the message; so do we."""
    head = state.replies.head
    assert head is not None
    head.refusal = words.unsupported(
        f"a message of kind {message.kind.decode()} came in the middle of COPY data", "08P01"
    )
    state.out.to_upstream(CUT)
    state.mode = Mode.AWAITING_COPY
    return Taken.YES
