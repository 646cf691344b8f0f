"""Our own questions after code that nobody can see through: are the session's settings still what was tracked, and
which temporary relations does it have?

Laws: they use the extended protocol under reserved names, for a simple Query would destroy the client's unnamed
statement; inside a client's series they bring no Sync, for that would commit; they follow a statement of the same
transaction that took a snapshot, or stand outside any, so that SET TRANSACTION is not in their way; in an aborted
block nothing can be asked, and nothing that ran there lasts.
"""

from __future__ import annotations

import json

from narrows.inspect.sql import Overlay, SessionFacts, parse_identifiers
from narrows.inspect.sql.analysis import View
from narrows.inspect.sql.gather import anything_of
from narrows.inspect.sql.overlay import TEMP, Overlaid
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.relay.machine import Own
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.replies import Expected, Want
from narrows.relay.postgres.state import State
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message

SETTINGS = ("search_path", "role")
"""What the target does not report by ParameterStatus in every version."""

PURPOSE = "verify the session's settings after code that could have changed them"

TEMPORARY = """\
select pg_catalog.json_agg(relname) from pg_catalog.pg_class
where relnamespace = pg_catalog.pg_my_temp_schema() and relkind in ('r', 'p', 'v', 'm', 'f', 'S')"""
"""Temporary relations that code may have made stand before all others of their names."""

_SYNC = frontend.build(frontend.Sync())
_CLOSE = frontend.build(frontend.Close("S", words.RESERVED))
_SHOWN: tuple[tuple[Want, bytes], ...] = (
    (Want.BIND, frontend.build(frontend.Bind(words.RESERVED, words.RESERVED))),
    (Want.EXECUTE, frontend.build(frontend.Execute(words.RESERVED))),
    (Want.CLOSE, frontend.build(frontend.Close("P", words.RESERVED))),
    (Want.CLOSE, _CLOSE),
)


def start(state: State) -> None:
    """Ask for the settings now; what comes next from the client waits for the answer."""
    state.needs_probe = False
    is_inside = state.is_unsynced
    questions = {name: f"SHOW {name}" for name in SETTINGS}
    if state.has_labels:
        questions[TEMP] = TEMPORARY
    state.sent(Expected(Want.CLOSE, is_ours=True), _CLOSE)  # should an earlier question have been cut short
    for name, text in questions.items():
        state.out.add(Own(text, PURPOSE))
        parse = frontend.build(frontend.Parse(words.RESERVED, text))
        for want, data in ((Want.PARSE, parse), *_SHOWN):
            last = Expected(want, is_ours=True, shows=name)
            state.sent(last, data)
    if not is_inside:
        last = Expected(Want.SYNC, is_ours=True)
        state.out.to_upstream(_SYNC)
        state.replies.add(last)
        state.is_unsynced = False
        state.is_flushed = True
    state.barrier = last


def on_shown(state: State, name: str, rows: bytes) -> None:
    """One answer; a setting that is not what was tracked ends the session."""
    if name == TEMP:
        _learn_temporary(state, rows)
        return
    text = _value(rows)
    if _AGREES[name](text, state.tracker.facts, state.context.view):
        return
    message = f"a function changed {name} of this session, so what statements mean is no longer known"
    state.out.to_client(words.build_error(Refusal(Reason.DISAGREEMENT, message), "FATAL"))
    state.close(f"disagreement: {name} was changed unseen")


def _value(rows: bytes) -> str:
    """The one value of one row."""
    length = int.from_bytes(rows[1:5], "big")
    (value,) = backend.parse_data_row(Message(b"D", rows[5 : length + 1]).payload).values
    return (value or b"").decode("utf-8", "surrogateescape")


def _learn_temporary(state: State, rows: bytes) -> None:
    """Those that the session did not make itself may hold anything."""
    known = state.tracker.facts.overlay.names(TEMP)
    anything = anything_of(state.context.view)
    unseen = Overlaid(rest=anything, is_sure=False)
    try:
        names = json.loads(_value(rows) or "null") or []
    except ValueError:
        raise ProtocolError("upstream", "a list of names that is none") from None
    state.tracker.apply(Overlay(TEMP, name, unseen) for name in names if name not in known)


def _agrees_on_path(value: str, facts: SessionFacts, view: View) -> bool:
    expected = view.snapshot.default_search_path if facts.search_path is None else facts.search_path
    return parse_identifiers(value) == expected


def _agrees_on_role(value: str, facts: SessionFacts, _view: View) -> bool:
    return value == (facts.role or "none")


_AGREES = {"search_path": _agrees_on_path, "role": _agrees_on_role}
