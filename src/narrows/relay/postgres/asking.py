"""How a client message comes to be analysed and settled; one statement waits at a time.

Law: whoever asks gives two ways on: what to do with the Settled, and what to do where none will come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from narrows.inspect.sql import analyse_inline
from narrows.inspect.sql.analysis import Analysis
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.statement import Statement
from narrows.model.verdict import MaskObligation, Settled
from narrows.relay.machine import Analyse, Ask
from narrows.relay.postgres import probe
from narrows.relay.postgres.known import Known, doubted
from narrows.relay.postgres.names import Prepared
from narrows.relay.postgres.state import Held, State


class Taken(Enum):
    """What a handler did with its message."""

    YES = "it was dealt with"
    LATER = "nothing has changed; try again once something has moved"
    HELD = "it waits at the gate"


def ask(
    state: State, statement: Statement, settled: Callable[[Settled], None], refused: Callable[[Refusal], None]
) -> Taken:
    """Have the gate settle a statement; nothing more is taken from the client meanwhile."""
    hold = state.next_hold()
    state.held = Held(hold, settled, refused)
    state.out.add(Ask(hold, statement))
    return Taken.HELD


def known(state: State, text: str, refused: Callable[[Refusal], None]) -> Known | None:
    """The analysis of a text under what holds now; None while it is made elsewhere."""
    found = state.texts().get(text)
    if found is not None:
        return found
    if state.fresh is not None and state.fresh[0] == text:
        found, state.fresh = state.fresh[1], None
        return found
    analysis = analyse_inline(text, state.context.view, state.session_state())
    if analysis is not None:
        return learn(state, text, analysis)
    hold = state.next_hold()
    state.held = Held(hold, None, refused, text, state.basis())
    state.out.add(Analyse(hold, text))
    return None


def resolved(state: State, prepared: Prepared, refused: Callable[[Refusal], None]) -> Known | None:
    """What a statement that SQL prepared does now; its Bind fixes that, so nothing later changes it."""
    assert prepared.execute_text is not None
    found = known(state, prepared.execute_text, refused)
    if found is None:
        return None
    made = Known(replace(found.analysis, text_redacted=prepared.text))
    made.depends_on_names = False
    return made


def learn(state: State, text: str, analysis: Analysis) -> Known:
    """Keep an analysis that was made under what holds now."""
    if state.is_doubtful:
        analysis = doubted(analysis, state.context.view)
    made = Known(analysis)
    state.texts().put(text, made)
    return made


def refusal_of(settled: Settled, found: Known) -> Refusal | None:
    """Why the statement is not forwarded: the gate's answer, and two things that no answer can lift."""
    if settled.refusal is not None or found.analysis.refusal is not None:
        return settled.refusal or found.analysis.refusal
    obligations = settled.verdict.obligations if settled.verdict else ()
    for obligation in obligations:
        if not isinstance(obligation, MaskObligation):
            kind = type(obligation).__name__
            return Refusal(Reason.OBLIGATION_UNKNOWN, f"this protocol cannot fulfil {kind}")
    return None


def must_wait(state: State) -> bool:
    """Something that was sent may change what the next statement means: have the target answer first."""
    if state.needs_probe and state.barrier is None and state.status != b"E":
        probe.start(state)
    if state.barrier is None:
        return False
    state.flush_upstream()
    return True


def must_wait_for_names(state: State, found: Known | None = None) -> bool:
    """As `must_wait`, for a text that names prepared statements or cursors, or was refused for the lack of one."""
    if not state.names.has_pending:
        return False
    if found is not None and not found.depends_on_names and found.analysis.refusal is None:
        return False
    state.flush_upstream()
    return True
