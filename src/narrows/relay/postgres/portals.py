"""Bind, Execute, Describe and Close: where a prepared statement meets its values, and its verdict.

Laws: the verdict is at Bind, before it is forwarded, since planning may run a function; the first Execute in
the same series stands under the Bind's record, every other is settled anew; no portal is executed before the
fields of its rows are known or on their way, and none that has effects before something is known of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from narrows.model.refusal import Refusal
from narrows.model.statement import Parameter
from narrows.model.verdict import Settled
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres import runs
from narrows.relay.postgres.answers import arm
from narrows.relay.postgres.asking import (
    Taken,
    ask,
    known,
    must_wait,
    must_wait_for_names,
    refusal_of,
    resolved,
)
from narrows.relay.postgres.describing import (
    ask_for_fields,
    fields_of,
    must_wait_for_fields,
    refusal_of_execute,
)
from narrows.relay.postgres.known import Known
from narrows.relay.postgres.names import Pending, Portal, Prepared
from narrows.relay.postgres.refuse import refuse_extended
from narrows.relay.postgres.replies import Expected, Want
from narrows.relay.postgres.state import Mode, State
from narrows.wire.postgres import frontend
from narrows.wire.postgres.message import Message


def on_bind(state: State, message: Message) -> Taken:
    if must_wait(state):
        return Taken.LATER
    bind = frontend.parse_bind(message.payload)
    try:
        prepared = state.names.statements.find(bind.statement, state.series)
    except Pending:
        return _wait(state)
    if prepared is None:
        return _refuse(state, unknown_statement(bind.statement))
    if len(state.names.portals.confirmed) >= state.context.names:
        return _refuse(state, words.unsupported("the session has as many portals as it may", "54000"))
    refused = partial(refuse_extended, state)
    if prepared.execute_text is not None and must_wait_for_names(state):
        return Taken.LATER
    if prepared.execute_text:
        found = resolved(state, prepared, refused)
    else:
        found = known(state, prepared.text, refused)
    if found is None or must_wait_for_names(state, found):
        return Taken.LATER
    parameters = _parameters(bind, prepared)
    settled = partial(_bind_settled, state, message, bind, prepared, found, parameters)
    return ask(state, found.bound(parameters), settled, refused)


def _bind_settled(
    state: State,
    message: Message,
    bind: frontend.Bind,
    prepared: Prepared,
    found: Known,
    parameters: tuple[Parameter, ...],
    settled: Settled,
) -> None:
    run = _started(state, found, settled)
    if run is None:
        return
    portal = Portal(
        prepared.text,
        found,
        state.context.view,
        state.tracker.facts,
        state.series,
        prepared,
        parameters,
        bind.result_formats,
        run=run,
    )
    replaced = state.bound.get(bind.portal)
    if replaced is not None and replaced.run is not None:
        state.finish(replaced.run, "done")
    state.bound[bind.portal] = portal
    change = state.names.portals.send(state.series, bind.portal, portal)
    state.sent(Expected(Want.BIND, run, change, portal=portal), message.encode())


def on_execute(state: State, message: Message) -> Taken:
    if must_wait(state):
        return Taken.LATER
    execute = frontend.parse_execute(message.payload)
    try:
        portal = state.names.portals.find(execute.portal, state.series)
    except Pending:
        return _wait(state)
    if portal is None:
        return _refuse(state, unknown_portal(execute.portal))
    if must_wait_for_names(state, portal.known) or must_wait_for_fields(state, execute.portal, portal):
        return Taken.LATER
    run = portal.run
    if run is not None and not portal.known.depends_on_names:
        portal.run = None
        state.bound.pop(execute.portal, None)
        _send_execute(state, message, portal, run)
        return Taken.YES
    refused = partial(refuse_extended, state)
    found = _known_again(state, portal)
    if found is None:
        return Taken.LATER
    settled = partial(_execute_settled, state, message, portal, found)
    goes_on = replace(found.bound(portal.parameters), compares_anew=False)
    return ask(state, goes_on, settled, refused)


def _known_again(state: State, portal: Portal) -> Known | None:
    """What a portal does, for another execution: it was planned under the facts of its Bind."""
    if not portal.known.depends_on_names:
        state.refresh_cursors()
        if portal.view is state.context.view:
            return portal.known
    return known(state, portal.text, partial(refuse_extended, state))


def _execute_settled(state: State, message: Message, portal: Portal, found: Known, settled: Settled) -> None:
    run = _started(state, found, settled)
    if run is not None:
        _send_execute(state, message, portal, run)


def _started(state: State, found: Known, settled: Settled) -> runs.Run | None:
    """The run, unless it was refused or the series has failed while it waited."""
    refusal = refusal_of(settled, found)
    if refusal is not None:
        if state.mode is Mode.SKIPPING:
            state.finish(runs.start(settled, found), "refused", words.sqlstate_of(refusal))
        else:
            refuse_extended(state, refusal, settled.record)
        return None
    run = runs.start(settled, found)
    if state.mode is Mode.SKIPPING:
        state.finish(run, "skipped")
        return None
    return run


def _send_execute(state: State, message: Message, portal: Portal, run: runs.Run) -> None:
    found = run.known
    if found.returns_rows and state.masks.is_needed and not _will_be_described(state, portal):
        ask_for_fields(state, frontend.parse_execute(message.payload).portal, portal)
    refusal = refusal_of_execute(state, run, portal)
    if refusal is not None:
        refuse_extended(state, refusal, run.record)
        return
    entry = Expected(Want.EXECUTE, run, portal=portal)
    state.sent(entry, message.encode())
    if state.replies.head is entry:
        arm(state)
    if found.is_barrier:
        state.barrier = entry
    if found.has_copy_in:
        state.mode = Mode.AWAITING_COPY


def _will_be_described(state: State, portal: Portal) -> bool:
    """The fields of its rows are known, or are answered before its rows."""
    if portal.is_described or fields_of(state, portal) is not None:
        return True
    return portal.prepared is not None and portal.prepared.described_in == state.series


def on_describe(state: State, message: Message) -> Taken:
    if must_wait(state):
        return Taken.LATER
    describe = frontend.parse_describe(message.payload)
    try:
        return _DESCRIBE[describe.of](state, message, describe.name)
    except Pending:
        return _wait(state)


def _describe_statement(state: State, message: Message, name: str) -> Taken:
    prepared = state.names.statements.find(name, state.series)
    if prepared is None:
        return _refuse(state, unknown_statement(name))
    prepared.described_in = state.series
    state.sent(Expected(Want.DESCRIBE_STATEMENT, prepared=prepared), message.encode())
    return Taken.YES


def _describe_portal(state: State, message: Message, name: str) -> Taken:
    portal = state.names.portals.find(name, state.series)
    if portal is None:
        return _refuse(state, unknown_portal(name))
    portal.is_described = True
    state.sent(Expected(Want.DESCRIBE_PORTAL, portal=portal), message.encode())
    return Taken.YES


_DESCRIBE = {"S": _describe_statement, "P": _describe_portal}


def on_close(state: State, message: Message) -> Taken:
    """Closing what is not there is no error at the target."""
    if must_wait(state):
        return Taken.LATER
    close = frontend.parse_close(message.payload)
    table = state.names.statements if close.of == "S" else state.names.portals
    change = table.send(state.series, close.name, None)
    state.sent(Expected(Want.CLOSE, change=change), message.encode())
    return Taken.YES


def unknown_statement(name: str) -> Refusal:
    """Also where the target might know it: what the gateway has not seen being prepared does not run."""
    return words.unsupported(f'prepared statement "{name}" does not exist', "26000")


def unknown_portal(name: str) -> Refusal:
    return words.unsupported(f'portal "{name}" does not exist', "34000")


def _refuse(state: State, refusal: Refusal) -> Taken:
    refuse_extended(state, refusal)
    return Taken.YES


def _wait(state: State) -> Taken:
    state.flush_upstream()
    return Taken.LATER


def _parameters(bind: frontend.Bind, prepared: Prepared) -> tuple[Parameter, ...]:
    """The bound values with the types known of them; 0 where the target chose and was not asked."""
    if not bind.parameters:
        return ()
    oids = prepared.type_oids + (0,) * (len(bind.parameters) - len(prepared.type_oids))
    return tuple(
        Parameter(value, format_ == 1, oid)
        for value, format_, oid in zip(bind.parameters, bind.parameter_formats(), oids, strict=False)
    )
