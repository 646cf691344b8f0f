"""Cedar text cut into its policies, each with the line it begins on.

Cedar's parser gives no positions, so each policy is parsed alone; `;` ends a policy wherever it stands
outside a string and a comment.

Cedar's parser is recursive without a bound and takes the whole process down on a deep expression, so what
could be deep is counted first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r'(?P<space>\s+|//[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<end>;)|(?P<word>\w+)|(?P<other>.)', re.DOTALL
)


DEPTH_LIMIT = 50
OPERATOR_LIMIT = 600
_OPENS, _CLOSES, _OPERATORS = frozenset("([{"), frozenset(")]}"), frozenset("&|+-*.<>=!")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one policy, its `;` included."""

    file: str
    line: int
    text: str

    def line_of(self, needle: str) -> int:
        """The line on which a piece of the text stands first; the policy's own where it is not found."""
        at = self.text.find(needle)
        return self.line + self.text.count("\n", 0, at) if at >= 0 else self.line

    @property
    def is_too_deep(self) -> bool:
        """Whether Cedar's parser could run out of stack on it; a margin of more than three is left."""
        depth = operators = 0
        for token in _TOKEN.finditer(self.text):
            if token.lastgroup in ("other", "word"):
                operators += token[0] in _OPERATORS or token[0] == "else"
                depth += (token[0] in _OPENS) - (token[0] in _CLOSES)
                if depth > DEPTH_LIMIT or operators > OPERATOR_LIMIT:
                    return True
        return False


def split(file: str, text: str) -> Iterator[Source]:
    """Each policy of a file, in order; what follows the last `;` too, unless it is empty."""
    start: int | None = None
    for token in _TOKEN.finditer(text):
        if token.lastgroup != "space" and start is None:
            start = token.start()
        if token.lastgroup == "end" and start is not None:
            yield _source(file, text, start, token.end())
            start = None
    if start is not None:
        yield _source(file, text, start, len(text))


def _source(file: str, text: str, start: int, end: int) -> Source:
    return Source(file, text.count("\n", 0, start) + 1, text[start:end])
