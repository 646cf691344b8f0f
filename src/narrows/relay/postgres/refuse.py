"""A refusal has the semantics of an error at the target: where it is answered, and what must fail for it.

| where the session is                     | simple Query, FunctionCall | extended message                  |
|------------------------------------------|----------------------------|-----------------------------------|
| nothing owed, no block, or block aborted | answered here              | answered here, then skip to Sync  |
| in a block, or answers are owed          | `narrows refused` upstream | the same as a Parse, then skip    |
| an earlier message of the series fails   | the target skips ours too: its error is the answer             |

The target's syntax error then aborts the block and is told as the refusal; so nothing overtakes.
"""

from __future__ import annotations

from narrows.model.outcome import Outcome
from narrows.model.refusal import Refusal
from narrows.relay.machine import Own
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.replies import Expected, Want
from narrows.relay.postgres.state import Mode, State
from narrows.wire.postgres.message import encode

_BLOCK = b"T"


def refuse_query(state: State, refusal: Refusal, record: str = "") -> None:
    """In place of a simple Query or a FunctionCall."""
    _finish(state, refusal, record)
    if _may_answer_here(state):
        state.out.to_client(words.build_error(refusal))
        state.out.to_client(encode(b"Z", state.status))
        if state.is_stale and state.status == b"I":
            state.read_schema_again()
        return
    state.out.add(Own(words.FAILING_TEXT, words.PURPOSE))
    state.out.to_upstream(words.FAILING_QUERY)
    state.replies.add(Expected(Want.QUERY, refusal=refusal))
    state.is_unsynced = False
    state.is_flushed = True
    state.series += 1


def refuse_extended(state: State, refusal: Refusal, record: str = "") -> None:
    """In place of a Parse, Bind or Execute; what follows it is dropped up to the client's Sync."""
    _finish(state, refusal, record)
    state.mode = Mode.SKIPPING
    if _may_answer_here(state):
        state.out.to_client(words.build_error(refusal))
        return
    state.out.add(Own(words.FAILING_TEXT, words.PURPOSE))
    state.sent(Expected(Want.PARSE, refusal=refusal), words.FAILING_PARSE)


def _may_answer_here(state: State) -> bool:
    """No answer is owed and no transaction would go on as if nothing had happened."""
    return state.is_quiet and not state.is_unsynced and state.status != _BLOCK


def _finish(state: State, refusal: Refusal, record: str) -> None:
    if record:
        state.out.finished(Outcome(record, "refused", sqlstate=words.sqlstate_of(refusal)))
