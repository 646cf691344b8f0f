"""The client's half: which message is handled how, in which mode.

Laws: one message is looked at at a time; a handler that answers LATER has changed nothing and is called
again with the same message; nothing is forwarded that a Settled does not allow, save what runs nothing
(Parse, Describe, Close, Sync, Flush).
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.core import CopyRun
from narrows.relay.postgres import copying, portals, statements
from narrows.relay.postgres.asking import Taken
from narrows.relay.postgres.state import Mode, State
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres.message import Message

Handler = Callable[[State, Message], Taken]


def on_dropped(_state: State, _message: Message) -> Taken:
    """What the target would pass over, too."""
    return Taken.YES


def on_later(_state: State, _message: Message) -> Taken:
    return Taken.LATER


_SERIES = (b"Q", b"P", b"B", b"D", b"E", b"C", b"F")
_COPY = (b"d", b"c", b"f")
_TERMINATE: dict[bytes, Handler] = {b"X": statements.on_terminate}

HANDLERS: dict[Mode, dict[bytes, Handler]] = {
    Mode.OPEN: {
        b"Q": statements.on_query,
        b"P": statements.on_parse,
        b"B": portals.on_bind,
        b"D": portals.on_describe,
        b"E": portals.on_execute,
        b"C": portals.on_close,
        b"S": statements.on_sync,
        b"H": statements.on_flush,
        b"F": statements.on_function_call,
        # what a client still sends after its COPY has failed
        **dict.fromkeys(_COPY, on_dropped),
        **_TERMINATE,
    },
    Mode.DESCRIBING: dict.fromkeys((*_SERIES, *_COPY, b"S", b"H", b"X"), on_later),
    Mode.SKIPPING: {
        **dict.fromkeys((*_SERIES, *_COPY, b"H"), on_dropped),
        b"S": statements.on_sync,
        **_TERMINATE,
    },
    Mode.AWAITING_COPY: {
        **dict.fromkeys((*_SERIES, *_COPY, b"S", b"H"), on_later),
        **_TERMINATE,
    },
    Mode.COPYING: {
        **dict.fromkeys(_SERIES, copying.on_intrusion),
        b"d": copying.on_data,
        b"c": copying.on_end,
        b"f": copying.on_end,
        b"S": copying.on_sync,
        b"H": on_dropped,
        **_TERMINATE,
    },
}
"""A kind that is not in the table ends the session."""


def pump(state: State) -> None:
    """Take client messages until there is none, or one must wait."""
    while state.held is None and not state.awaits_schema and not state.is_over:
        message = _next(state)
        if message is None:
            return
        taken = take(state, message)
        if taken is Taken.LATER:
            state.again = message
            return


def take(state: State, message: Message | CopyRun) -> Taken:
    kind = b"d" if isinstance(message, CopyRun) else message.kind
    handler = HANDLERS[state.mode].get(kind)
    if handler is None:
        raise ProtocolError("client", "this kind of message is not taken here")
    return handler(state, message)  # type: ignore[arg-type]  # only the handlers of `d` see a CopyRun


def _next(state: State) -> Message | CopyRun | None:
    if state.copy_sync is not None and state.mode is not Mode.COPYING:
        message, state.copy_sync = state.copy_sync, None
        return message
    if state.again is not None:
        again, state.again = state.again, None
        return again
    return state.frontend.next()
