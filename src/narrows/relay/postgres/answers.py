"""The target's half: each answer is matched with what it answers, masked, cleaned, counted and passed on.

Laws: an answer that is not owed ends the session; no row passes without its plan; names and facts change
only when the target says that a statement succeeded; a result that cannot be masked is cut, and where the
target finished it before it could be cut, the session ends.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.core import COPY_PASS_ALL, PASS_ALL, Rows
from narrows.inspect.sql import Commit, Rollback, RunCode, Write
from narrows.masking.plan import MaskImpossible
from narrows.relay.machine import Cancel
from narrows.relay.postgres import describing, probe, unasked
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.known import NO_FIELDS, Description
from narrows.relay.postgres.names import Portal
from narrows.relay.postgres.replies import Expected, Step, Want, step
from narrows.relay.postgres.runs import Run
from narrows.relay.postgres.state import Mode, State
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend
from narrows.wire.postgres.message import Message

_RESULTS = (Want.QUERY, Want.EXECUTE)


def read(state: State, data: bytes) -> None:
    """Everything that these bytes complete."""
    codec = state.backend
    codec.receive(data)
    while not state.is_closed:
        item = codec.next()
        if item is None:
            return
        if isinstance(item, Rows):
            _on_rows(state, item)
        else:
            _on_message(state, item)


def arm(state: State) -> None:
    """The first entry is new: if it is an Execute, its rows come next and need their plan now."""
    head = state.replies.head
    if head is None or head.want is not Want.EXECUTE:
        return
    if head.is_ours:
        state.backend.set_plan(PASS_ALL)
        return
    assert head.run is not None
    assert head.portal is not None
    if not head.run.known.returns_rows:
        return  # a row that comes all the same has no plan
    try:
        state.backend.set_plan(state.masks.of_portal(head.run, head.portal))
    except MaskImpossible as fault:
        _withhold(state, head.run, fault, head.portal)


def pop(state: State) -> Expected:
    """The first entry is fully answered."""
    entry = state.replies.pop()
    if state.barrier is entry:
        state.barrier = None
    arm(state)
    return entry


def _on_message(state: State, message: Message) -> None:
    unsolicited = unasked.HANDLERS.get(message.kind)
    if unsolicited is not None:
        unsolicited(state, message)
        return
    head = state.replies.head
    found = step(head, message.kind)
    assert head is not None
    _STEPS[found](state, head, message)


def _on_rows(state: State, rows: Rows) -> None:
    head = state.replies.head
    if head is not None and head.is_ours and head.shows is not None:
        probe.on_shown(state, head.shows, rows.data)
        return
    run = head.run if head is not None and head.want in _RESULTS else None
    if run is None:
        raise ProtocolError("upstream", "rows where none were asked for")
    if run.withheld is not None:
        return
    run.rows += rows.rows
    run.bytes += len(rows.data)
    run.masked += rows.masked
    state.out.to_client(rows.data)


def _withhold(state: State, run: Run, fault: MaskImpossible, portal: Portal | None = None) -> None:
    """Cut the result: its rows are thrown away until the target has stopped."""
    run.withheld = describing.refusal_for(state, run, fault, portal)
    state.backend.set_plan(PASS_ALL)
    state.backend.set_copy_plan(COPY_PASS_ALL)
    state.out.add(Cancel())


def _pass(state: State, entry: Expected, message: Message) -> None:
    if not entry.is_ours and not (entry.run is not None and entry.run.withheld is not None):
        state.out.to_client(message.encode())


def _on_confirmed(state: State, entry: Expected, message: Message) -> None:
    if entry.change is not None:
        entry.change.confirm()
    elif not entry.is_ours:  # a statement that must fail did not
        raise ProtocolError("upstream", "a refused statement was accepted")
    _pass(state, entry, message)
    pop(state)


def _on_parameters(state: State, entry: Expected, message: Message) -> None:
    if entry.prepared is not None:
        entry.prepared.type_oids = backend.parse_parameter_description(message.payload).type_oids
    _pass(state, entry, message)


def _on_described(state: State, entry: Expected, message: Message) -> None:
    of = entry.prepared or entry.portal or entry.run
    if state.masks.is_needed and of is not None:
        _learn_fields(state, entry, of.known.described(message.payload))
    _pass(state, entry, message)
    pop(state)


def _on_no_fields(state: State, entry: Expected, message: Message) -> None:
    of = entry.prepared or entry.portal or entry.run
    if of is not None and of.known.is_described_first:
        of.known.described_empty()
    _learn_fields(state, entry, NO_FIELDS)
    _pass(state, entry, message)
    pop(state)


def _learn_fields(state: State, entry: Expected, fields: Description) -> None:
    if entry.prepared is not None:
        entry.prepared.fields = fields
        entry.prepared.fields_basis = state.basis()
    if entry.portal is not None:
        entry.portal.fields = fields
    if entry.describes_query and state.waiting is not None:
        state.waiting.fields = fields


def _on_rows_follow(state: State, entry: Expected, message: Message) -> None:
    run = _running(entry)
    if run.withheld is None:
        try:
            state.backend.set_plan(state.masks.of_description(run, message.payload))
        except MaskImpossible as fault:
            _withhold(state, run, fault)
    _pass(state, entry, message)


def _on_copy_in(state: State, entry: Expected, message: Message) -> None:
    if state.mode is not Mode.AWAITING_COPY:
        raise ProtocolError("upstream", "a COPY FROM STDIN that analysis did not see")
    _running(entry)
    state.mode = Mode.COPYING
    _pass(state, entry, message)


def _on_copy_out(state: State, entry: Expected, message: Message) -> None:
    run = _running(entry)
    part = run.current
    if part is None or part.copy is None:
        raise ProtocolError("upstream", "a COPY TO STDOUT that analysis did not see")
    try:
        state.backend.set_copy_plan(state.masks.of_copy(run, part.copy))
    except MaskImpossible as fault:
        _withhold(state, run, fault)
    _pass(state, entry, message)


def _on_complete(state: State, entry: Expected, message: Message) -> None:
    if entry.is_ours:
        pop(state)
        return
    run = _running(entry)
    run.tag = backend.parse_command_complete(message.payload).tag
    if run.withheld is not None:
        _end_withheld(state, run)
        return
    part = run.current
    if part is None:
        raise ProtocolError("upstream", "more statements were completed than were sent")
    run.part += 1
    if part.effects:
        state.tracker.apply(part.effects)
        for effect in part.effects:
            is_undone = isinstance(effect, Commit) and run.tag == "ROLLBACK"
            state.names.apply(Rollback() if is_undone else effect, state)
    state.is_dirty = state.is_dirty or part.changes_schema
    state.is_doubtful = state.is_doubtful or part.is_doubtful
    state.needs_probe = state.needs_probe or part.may_change_session
    _pass(state, entry, message)
    if entry.want is Want.EXECUTE:
        _end_execute(state, run)


def _end_execute(state: State, run: Run) -> None:
    state.is_tainted = state.is_tainted or not run.is_raw
    state.finish(run, "done")
    pop(state)


def _on_suspended(state: State, entry: Expected, message: Message) -> None:
    run = _running(entry)
    if run.withheld is not None:
        _end_withheld(state, run)
        return
    if run.current is not None:  # what it stores is stored, though not all of its rows were taken
        state.tracker.apply(each for each in run.current.effects if isinstance(each, Write | RunCode))
    _pass(state, entry, message)
    _end_execute(state, run)


def _on_empty(state: State, entry: Expected, message: Message) -> None:
    run = _running(entry)
    _pass(state, entry, message)
    if entry.want is Want.EXECUTE:
        _end_execute(state, run)


def _on_copy_ends(state: State, entry: Expected, message: Message) -> None:
    _running(entry)
    _pass(state, entry, message)


def _end_withheld(state: State, run: Run) -> None:
    """The target finished before it was cut: what it did cannot be undone, so the session ends."""
    assert run.withheld is not None
    state.finish(run, "withheld", words.sqlstate_of(run.withheld))
    if state.is_stale:
        state.read_schema_again()
    state.out.to_client(words.build_error(run.withheld, "FATAL"))
    state.close("executed, result withheld")


def _on_ready(state: State, entry: Expected, message: Message) -> None:
    status = backend.parse_ready_for_query(message.payload).status.encode()
    if not unasked.verify(state):
        return
    pop(state)
    if entry.run is not None and not entry.has_failed:
        state.is_tainted = state.is_tainted or not entry.run.is_raw
        state.finish(entry.run, "done")
    for run in entry.unspent:
        state.needs_probe = state.needs_probe or run.known.may_change_session
        state.finish(run, "done")
    state.status = status
    state.tracker.on_ready(status)
    if state.mode is Mode.AWAITING_COPY and entry.want is Want.QUERY:
        state.mode = Mode.OPEN
    if not entry.is_ours:  # also behind a result that was cut
        state.out.to_client(message.encode())
    if status == b"I":
        _end_transaction(state, is_commit=not entry.has_failed)


def _end_transaction(state: State, *, is_commit: bool) -> None:
    state.names.end_transaction(is_commit=is_commit)
    state.is_tainted = False
    if state.is_dirty or state.is_stale:
        state.read_schema_again()


def _running(entry: Expected) -> Run:
    if entry.run is None:
        raise ProtocolError("upstream", "a refused statement was accepted")
    return entry.run


_STEPS: dict[Step, Callable[[State, Expected, Message], None]] = {
    Step.CONFIRMED: _on_confirmed,
    Step.PARAMETERS: _on_parameters,
    Step.DESCRIBED: _on_described,
    Step.NO_FIELDS: _on_no_fields,
    Step.ROWS_FOLLOW: _on_rows_follow,
    Step.COPY_IN: _on_copy_in,
    Step.COPY_OUT: _on_copy_out,
    Step.COPY_ENDS: _on_copy_ends,
    Step.COMPLETE: _on_complete,
    Step.SUSPENDED: _on_suspended,
    Step.EMPTY: _on_empty,
    Step.READY: _on_ready,
}
