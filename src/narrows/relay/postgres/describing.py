"""A statement with effects is described before it runs: a result without a plan is refused while nothing has happened.

| what is sent next                     | and nothing is known of its result                                        |
|---------------------------------------|---------------------------------------------------------------------------|
| a Query of one statement              | Parse, Describe and Close of ours go first; it waits for their answers    |
| an Execute                            | a Describe of its portal goes first, unless the client's own is under way |
| anything in an aborted block          | it is sent as it is, for nothing runs there                               |
| a Query of several statements, a COPY | it is sent as it is: a result that cannot be masked is cut                |

Laws: the client sees nothing of ours but an error of our Parse, which is what its Query would have raised (and in a
block it has aborted it, as the Query would); a Sync of ours stands outside a client's series; what was described is
known of the text from then on, but where the open transaction has changed the schema in ways that nobody followed.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.masking.plan import Disagreement, MaskImpossible
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.relay.machine import Own
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.known import Description, Known
from narrows.relay.postgres.names import Portal
from narrows.relay.postgres.refusal import RESERVED
from narrows.relay.postgres.replies import Expected, Want
from narrows.relay.postgres.runs import Run
from narrows.relay.postgres.state import Mode, State, Waiting
from narrows.wire.postgres import frontend

PURPOSE = "describe a statement with effects before it runs"

_SYNC = frontend.build(frontend.Sync())
_CLOSE = frontend.build(frontend.Close("S", RESERVED))
_DESCRIBE = frontend.build(frontend.Describe("S", RESERVED))


# -- a Query


def describe_query(state: State, text: str, run: Run, go_on: Callable[[Refusal | None], None]) -> None:
    """Have a Query described where it must be; then `go_on`, with a refusal where its result has no plan."""
    known = run.known
    if not _is_described_first(state, known):
        go_on(None)
    elif (described := _described_before(state, known)) is not None:
        go_on(_fault(state, run, described))
    else:
        state.waiting = Waiting(run, go_on)
        state.mode = Mode.DESCRIBING
        _ask(state, text, run)


def _ask(state: State, text: str, run: Run) -> None:
    """What is closed first was left by a series that was cancelled in the middle."""
    is_inside = state.is_unsynced
    state.out.add(Own(run.known.statement.text, PURPOSE))
    parse = frontend.build(frontend.Parse(RESERVED, text))
    for want, data in (
        (Want.CLOSE, _CLOSE),
        (Want.PARSE, parse),
        (Want.DESCRIBE_STATEMENT, _DESCRIBE),
        (Want.CLOSE, _CLOSE),
    ):
        state.sent(Expected(want, run, is_ours=True), data)
    if is_inside:
        state.flush_upstream()
    else:
        state.out.to_upstream(_SYNC)
        state.replies.add(Expected(Want.SYNC, is_ours=True))
        state.is_unsynced = False
        state.is_flushed = True


def on_answered(state: State, waiting: Waiting) -> None:
    """Everything was answered: the Query is sent, or refused while nothing has happened."""
    state.waiting = None
    state.mode = Mode.OPEN
    run, refusal = waiting.run, None
    if waiting.is_cancelled:
        refusal = words.cancelled()
        state.finish(run, "cancelled", words.sqlstate_of(refusal))
    elif waiting.fields is not None:
        refusal = _fault(state, run, waiting.fields)
    waiting.go_on(refusal)


def on_failed(state: State, *, has_sync: bool) -> None:
    """The error was told as the Query's own, so the ReadyForQuery that follows is the Query's, too."""
    state.waiting = None
    state.mode = Mode.OPEN
    entry = state.replies.head if has_sync else None
    if (
        entry is None
    ):  # the client's series has failed with it: a Sync undoes it, as the end of the Query would
        entry = Expected(Want.SYNC)
        state.out.to_upstream(_SYNC)
        state.replies.add(entry)
    entry.is_ours = False
    state.end_series(entry)
    state.names.forget_unnamed()


# -- an Execute


def must_wait_for_fields(state: State, name: str, portal: Portal) -> bool:
    """Nothing is known yet of the result of this portal, whose execution has effects: the target is asked first."""
    known = portal.known
    if not _is_described_first(state, known):
        return False
    if fields_of(state, portal) is not None or _described_before(state, known) is not None:
        return False
    if not any(_describes(entry, portal) for entry in state.replies):
        ask_for_fields(state, name, portal)
    state.flush_upstream()
    return True


def ask_for_fields(state: State, name: str, portal: Portal) -> None:
    """A Describe of ours, whose answer the client does not see."""
    portal.is_described = True
    describe = frontend.build(frontend.Describe("P", name))
    state.sent(Expected(Want.DESCRIBE_PORTAL, portal=portal, is_ours=True), describe)


def fields_of(state: State, portal: Portal) -> Description | None:
    """The fields of its rows, where they were described under what holds now."""
    prepared = portal.prepared
    if portal.fields is not None or prepared is None:
        return portal.fields
    if not state.still_holds(prepared.fields_basis):
        prepared.fields = None
        prepared.fields_basis = None
    return prepared.fields


def refusal_of_execute(state: State, run: Run, portal: Portal) -> Refusal | None:
    """Why its rows have no plan, as far as that can be known before they come."""
    if not run.known.returns_rows:
        return None
    try:
        if state.masks.of_portal(run, portal) is not None:
            return None
    except MaskImpossible as fault:
        return refusal_for(state, run, fault, portal)
    described = _described_before(state, run.known) if _is_described_first(state, run.known) else None
    return _fault(state, run, described, portal.result_formats) if described is not None else None


def _describes(entry: Expected, portal: Portal) -> bool:
    """The answer to this entry will tell the portal's fields."""
    if entry.want is Want.DESCRIBE_PORTAL:
        return entry.portal is portal
    return (
        entry.want is Want.DESCRIBE_STATEMENT
        and entry.prepared is not None
        and entry.prepared is portal.prepared
    )


# -- both


def refusal_for(state: State, run: Run, fault: MaskImpossible, portal: Portal | None = None) -> Refusal:
    """What a result without a plan is told as; after a disagreement the schema is read again, so that a retry passes."""
    if not isinstance(fault, Disagreement):
        return Refusal(Reason.MASK_IMPOSSIBLE, str(fault) or Reason.MASK_IMPOSSIBLE.remedy)
    state.is_stale = True
    run.known.descriptions.clear()
    if portal is not None:
        portal.forget_fields()
    return Refusal(Reason.DISAGREEMENT, str(fault) or Reason.DISAGREEMENT.remedy)


def _is_described_first(state: State, known: Known) -> bool:
    return known.is_described_first and state.masks.is_needed and state.status != b"E"


def _described_before(state: State, known: Known) -> Description | None:
    """What the target said of this text, which holds for as long as its analysis does."""
    if state.is_doubtful:
        return None
    return next(iter(known.descriptions.values()), None)


def _fault(state: State, run: Run, described: Description, formats: tuple[int, ...] = ()) -> Refusal | None:
    try:
        state.masks.of_described(run, described, formats)
    except MaskImpossible as fault:
        return refusal_for(state, run, fault)
    return None
