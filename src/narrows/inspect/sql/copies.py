"""How much larger than its text a parse would come out: some shapes are printed once per column.

Law: `SET (a, b, c) = (SELECT ...)` comes out of the parser with its right side three times, and nested ones
multiply: a text of one kilobyte could fill the memory. So they are counted before anything is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pglast.parser import ParseError, scan

MAX_EXTRA = 50_000
"""Tokens that may come out more than once, all copies together."""

_SUSPECT = re.compile(r"\)\s*(?:=|/\*|--)")
_SET = re.compile(r"\bset\b", re.IGNORECASE)

OPEN, CLOSE, COMMA, EQUALS, END = "ASCII_40", "ASCII_41", "ASCII_44", "ASCII_61", "ASCII_59"


@dataclass(slots=True)
class _Group:
    """A pair of parentheses, or the text around all of them."""

    factor: int
    """How often what stands here comes out."""
    columns: int = 1
    may_assign: bool = False
    """It follows SET or a comma, so that `=` behind it would make it a list of columns."""
    inner: int = 0
    """The factor behind its latest `(...) =`; 0 where there is none."""


def multiplies(text: str) -> bool:
    """Whether parsing the text would copy more than MAX_EXTRA tokens."""
    if not (_SUSPECT.search(text) and _SET.search(text)):
        return False
    try:
        return _extra(token.name for token in scan(text)) > MAX_EXTRA
    except ParseError:
        return False  # the parser will say what is wrong


def _extra(names: Iterable[str]) -> int:
    groups = [_Group(1)]
    closed: _Group | None = None
    before = ""
    extra = 0
    for name in names:
        if name in COMMENTS:
            continue
        group = groups[-1]
        extra += (group.inner or group.factor) - 1
        if extra > MAX_EXTRA:
            break
        if name == OPEN:
            groups.append(_Group(group.inner or group.factor, may_assign=before in (COMMA, "SET")))
        elif name == CLOSE and len(groups) > 1:
            closed = groups.pop()
        elif name == EQUALS and before == CLOSE and closed is not None and closed.may_assign:
            group.inner = group.factor * closed.columns
        elif name in (COMMA, END):
            group.columns += 1
            group.inner = 0
        before = name
    return extra


COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
