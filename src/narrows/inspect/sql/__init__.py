"""SQL -> what it does: operations for policy, reach for masking, effects for the session.

Start here: `analyse(text, view, state)` answers an `Analysis`; `FactTracker` keeps the session's facts.
"""

from __future__ import annotations

from narrows.inspect.sql.analysis import Analysed, Analysis, Kind, SessionState, View, merge_reaches
from narrows.inspect.sql.effects import (
    Begin,
    CloseCursor,
    Commit,
    Deallocate,
    DeclareCursor,
    Discard,
    DropRelation,
    Overlay,
    PrepareStatement,
    PrepareTransaction,
    Release,
    ResetAll,
    Rollback,
    RollbackTo,
    RunCode,
    Savepoint,
    SessionEffect,
    SetSetting,
    Write,
)
from narrows.inspect.sql.entry import analyse, analyse_inline
from narrows.inspect.sql.facts import FactTracker, SessionFacts
from narrows.inspect.sql.limits import INLINE_BYTES, LIMITS, MAX_BYTES, Limits
from narrows.inspect.sql.settings import accept_setting, parse_identifiers

__all__ = [
    "INLINE_BYTES",
    "LIMITS",
    "MAX_BYTES",
    "Analysed",
    "Analysis",
    "Begin",
    "CloseCursor",
    "Commit",
    "Deallocate",
    "DeclareCursor",
    "Discard",
    "DropRelation",
    "FactTracker",
    "Kind",
    "Limits",
    "Overlay",
    "PrepareStatement",
    "PrepareTransaction",
    "Release",
    "ResetAll",
    "Rollback",
    "RollbackTo",
    "RunCode",
    "Savepoint",
    "SessionEffect",
    "SessionFacts",
    "SessionState",
    "SetSetting",
    "View",
    "Write",
    "accept_setting",
    "analyse",
    "analyse_inline",
    "merge_reaches",
    "parse_identifiers",
]
