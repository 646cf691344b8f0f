"""What the target may send at any time: errors, notices, its parameters, notifications.

Laws: an error answers the first entry owed and skips the rest of its series; where labelled values could
stand in a message it is cleaned; a parameter that contradicts what analysis relies on ends the session.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql.analysis import Kind
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.relay.postgres import describing, errors
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.replies import ENDS_A_SERIES, Expected, Want
from narrows.relay.postgres.state import Mode, State
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend
from narrows.wire.postgres.message import Message

CLOSED_DOMAINS = frozenset(
    {
        "client_encoding",
        "DateStyle",
        "default_transaction_read_only",
        "in_hot_standby",
        "integer_datetimes",
        "IntervalStyle",
        "is_superuser",
        "server_encoding",
        "server_version",
        "standard_conforming_strings",
        "scram_iterations",
    }
)
"""Reported parameters that can hold no text of a caller's choice."""


def on_error(state: State, message: Message) -> None:
    """The first entry owed has failed."""
    fields = backend.parse_error_response(message.payload).fields
    head = state.replies.head
    if errors.severity_of(fields) in errors.FATAL:
        state.has_said_fatal = True
        state.out.to_client(_told(state, head, message))
        return
    if head is None:
        raise ProtocolError("upstream", "an error that answers nothing")
    sqlstate = fields.get("C", "")
    if head.is_probe and not state.is_unsynced:
        state.needs_probe = True  # cancelled in the middle: the client did not ask, so it is not told
    elif not head.has_failed:
        state.out.to_client(_error_of(state, head, message))
        _fail(state, head, sqlstate if not hides(state, head) else errors.listed(sqlstate))
    state.tracker.on_error()
    if head.want in ENDS_A_SERIES:
        head.has_failed = True
        if state.mode is Mode.COPYING:
            state.mode = Mode.AWAITING_COPY
        return
    skipped, has_sync = state.replies.skip_series()
    for entry in skipped:
        _drop(state, entry)
    if head.describes_query:
        describing.on_failed(state, has_sync=has_sync)
    elif not has_sync:
        state.mode = Mode.SKIPPING


def _error_of(state: State, head: Expected, message: Message) -> bytes:
    told = head.refusal or (head.run.withheld if head.run else None)
    return words.build_error(told) if told else _told(state, head, message)


def _fail(state: State, head: Expected, sqlstate: str) -> None:
    run = head.run
    if run is None:
        return
    state.is_tainted = state.is_tainted or not run.is_raw
    if run.withheld is not None:
        state.finish(run, "withheld", words.sqlstate_of(run.withheld))
    elif head.refusal is not None:
        state.finish(run, "refused", words.sqlstate_of(head.refusal))
    else:
        state.finish(run, "cancelled" if sqlstate == "57014" else "error", sqlstate)


def _drop(state: State, entry: Expected) -> None:
    """The target passes over it (or has just answered it with the error)."""
    if entry.change is not None:
        entry.change.drop()
    if entry.run is not None:
        state.finish(entry.run, "skipped")
    if state.barrier is entry:
        state.barrier = None


def on_notice(state: State, message: Message) -> None:
    head = state.replies.head
    if head is None or not head.describes_query:  # the Query itself will say so again
        state.out.to_client(_told(state, head, message))


def _told(state: State, head: Expected | None, message: Message) -> bytes:
    return errors.clean(message) if hides(state, head) else message.encode()


def hides(state: State, head: Expected | None) -> bool:
    """Whether labelled values that this caller may not see could stand in what the target says now."""
    if not state.has_labels:
        return False
    if head is None or head.want in (Want.SYNC, Want.CLOSE):
        return state.is_tainted
    if head.run is None:
        return _parses_unknown(head)
    part = head.run.current
    ends_more = part is None or part.is_transaction_control or part.kind is Kind.SET
    return not head.run.is_raw or (state.is_tainted and ends_more)


def _parses_unknown(head: Expected) -> bool:
    """Parse and Describe see names and constants, no rows; only code we do not know could read any."""
    of = head.prepared or head.portal
    return of is not None and of.known.reach.is_unknown


def on_parameter(state: State, message: Message) -> None:
    """Remembered for the next ReadyForQuery, when every effect before it is known."""
    reported = backend.parse_parameter_status(message.payload)
    state.reported[reported.name] = reported.value
    if reported.name in CLOSED_DOMAINS or not (state.is_tainted or hides(state, state.replies.head)):
        state.out.to_client(message.encode())


def verify(state: State) -> bool:
    """Whether what the target reports of itself is what analysis relied on; the session ends where not."""
    reported, state.reported = state.reported, {}
    for name, value in reported.items():
        fault = state.tracker.disagreement(name, value)
        if fault is not None:
            refusal = Refusal(
                Reason.DISAGREEMENT, f"the session's settings are not what was tracked: {fault}"
            )
            state.out.to_client(words.build_error(refusal, "FATAL"))
            state.close(f"disagreement: {fault}")
            return False
    return True


def on_notification(state: State, message: Message) -> None:
    """Its text was written by whoever notified, a trigger of a labelled table perhaps: it comes empty then."""
    if state.has_labels:
        told = backend.parse_notification_response(message.payload)
        state.out.to_client(backend.build(backend.NotificationResponse(told.pid, told.channel, "")))
    else:
        state.out.to_client(message.encode())


HANDLERS: dict[bytes, Callable[[State, Message], None]] = {
    b"E": on_error,
    b"N": on_notice,
    b"S": on_parameter,
    b"A": on_notification,
}
