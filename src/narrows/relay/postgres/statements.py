"""Simple Query, Parse, and the messages that frame a series: Sync, Flush, Terminate.

Laws: a Query is decided whole and forwarded byte for byte or refused whole, after its result was described where
that must come first; a Parse runs nothing and is
forwarded unless analysis already refuses it; no Sync of ours is ever put into a client's series, for it
would commit.
"""

from __future__ import annotations

from functools import partial

from narrows.inspect.sql import DeclareCursor, PrepareStatement
from narrows.model.outcome import Outcome
from narrows.model.refusal import Refusal
from narrows.model.statement import Protocol, Statement
from narrows.model.verdict import Settled
from narrows.relay.postgres import describing, runs
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.asking import Taken, ask, known, must_wait, must_wait_for_names, refusal_of
from narrows.relay.postgres.known import Known
from narrows.relay.postgres.names import Prepared
from narrows.relay.postgres.refuse import refuse_extended, refuse_query
from narrows.relay.postgres.replies import Expected, Want
from narrows.relay.postgres.state import Mode, State
from narrows.wire.postgres import frontend
from narrows.wire.postgres.message import Message

_NAMING = (PrepareStatement, DeclareCursor)
_SHORT = 1024
"""Texts up to this are bounded by their number alone."""


def on_query(state: State, message: Message) -> Taken:
    if must_wait(state) or must_wait_for_names(state) or _must_wait_for_series(state):
        return Taken.LATER
    refused = partial(refuse_query, state)
    text = frontend.parse_query(message.payload).text
    found = known(state, text, refused)
    if found is None:
        return Taken.LATER
    return ask(state, found.statement, partial(_query_settled, state, message, text, found), refused)


def _query_settled(state: State, message: Message, text: str, found: Known, settled: Settled) -> None:
    refusal = refusal_of(settled, found)
    if refusal is None and _makes_names(found):
        refusal = _room_fault(state, found.analysis.text_redacted)
    if refusal is not None:
        refuse_query(state, refusal, settled.record)
        return
    run = runs.start(settled, found)
    describing.describe_query(state, text, run, partial(_query_described, state, message, run))


def _query_described(state: State, message: Message, run: runs.Run, refusal: Refusal | None) -> None:
    if refusal is None:
        _send_query(state, message, run)
    else:
        state.finish(run, "refused", words.sqlstate_of(refusal))
        refuse_query(state, refusal)


def _must_wait_for_series(state: State) -> bool:
    """Extended messages without a Sync come first; if one fails, the target drops this Query."""
    if not state.is_unsynced or state.is_quiet:
        return False
    state.flush_upstream()
    return True


def _send_query(state: State, message: Message, run: runs.Run) -> None:
    found, entry = run.known, Expected(Want.QUERY, run)
    state.out.to_upstream(message.encode())
    state.replies.add(entry)
    state.end_series(entry)
    state.names.forget_unnamed()
    if found.is_barrier:
        state.barrier = entry
    if found.has_copy_in:
        state.mode = Mode.AWAITING_COPY


def on_function_call(state: State, message: Message) -> Taken:
    """Refused, and recorded as fully as any other refusal."""
    call = frontend.parse_function_call(message.payload)
    refusal = words.unsupported(
        "a FunctionCall message is not passed; call the function in a SELECT", "0A000"
    )
    statement = Statement(
        Protocol.POSTGRES,
        "function_call",
        f"FunctionCall of function {call.function_oid}",
        (),
        refusal=refusal,
        versions=state.context.view.versions,
    )
    return ask(state, statement, partial(_call_settled, state, refusal), partial(refuse_query, state))


def _call_settled(state: State, refusal: Refusal, settled: Settled) -> None:
    refuse_query(state, settled.refusal or refusal, settled.record)


def on_parse(state: State, message: Message) -> Taken:
    if must_wait(state):
        return Taken.LATER
    parse = frontend.parse_parse(message.payload)
    refused = partial(refuse_extended, state)
    found = known(state, parse.text, refused)
    if found is None or must_wait_for_names(state, found):
        return Taken.LATER
    if found.analysis.refusal is not None:
        return _ask_for_refusal(state, found.statement, found.analysis.refusal)
    if fault := _name_fault(state, parse.name, parse.text):
        refused(fault)
        return Taken.YES
    prepared = Prepared(parse.text, found, parse.type_oids)
    change = state.names.statements.send(state.series, parse.name, prepared)
    state.sent(Expected(Want.PARSE, change=change, prepared=prepared), message.encode())
    return Taken.YES


def _ask_for_refusal(state: State, statement: Statement, refusal: Refusal) -> Taken:
    """What analysis refuses is refused before the target parses it, and the journal still says so."""
    return ask(state, statement, partial(_parse_settled, state, refusal), partial(refuse_extended, state))


def _parse_settled(state: State, refusal: Refusal, settled: Settled) -> None:
    told = settled.refusal or refusal
    if state.mode is Mode.SKIPPING:
        state.out.finished(Outcome(settled.record, "refused", sqlstate=words.sqlstate_of(told)))
    else:
        refuse_extended(state, told, settled.record)


def _name_fault(state: State, name: str, text: str) -> Refusal | None:
    if name.startswith(words.RESERVED):
        return words.unsupported("this name of a prepared statement is the gateway's own", "42939")
    return _room_fault(state, text)


def _room_fault(state: State, text: str) -> Refusal | None:
    """Named things are kept for as long as the session lives, so their number and their texts are bounded."""
    names, context = state.names, state.context
    if len(names.statements.confirmed) >= context.names or len(names.portals.confirmed) >= context.names:
        return words.unsupported("the session has as many prepared statements and cursors as it may", "54000")
    if len(text) > _SHORT:
        kept = sum(len(each.text) for each in names.statements.confirmed.values())
        kept += sum(len(each.text) for each in names.portals.confirmed.values())
        if kept + len(text) > context.names_bytes:
            return words.unsupported(
                "the texts of the session's prepared statements are too long together", "54000"
            )
    return None


def _makes_names(found: Known) -> bool:
    return any(isinstance(effect, _NAMING) for part in found.parts for effect in part.effects)


def on_sync(state: State, message: Message) -> Taken:
    """The end of the series; what it commits is decided already."""
    entry = Expected(Want.SYNC)
    state.out.to_upstream(message.encode())
    state.replies.add(entry)
    state.mode = Mode.OPEN
    state.end_series(entry)
    return Taken.YES


def on_flush(state: State, message: Message) -> Taken:
    if state.is_unsynced:
        state.out.to_upstream(message.encode())
        state.is_flushed = True
    return Taken.YES


def on_terminate(state: State, message: Message) -> Taken:
    """The target ends what it was sent, then closes; nothing further is taken."""
    state.out.to_upstream(message.encode())
    state.is_terminating = True
    if state.is_quiet:
        state.close("the client ended the session")
    return Taken.HELD
