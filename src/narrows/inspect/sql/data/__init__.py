"""Lists derived from real servers and from the grammar; each file says from which and by what."""

from __future__ import annotations

from importlib.resources import files


def rows(name: str) -> list[list[str]]:
    """The lines of one list, split at blanks; comments left out."""
    text = files(__name__).joinpath(name).read_text("utf-8")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def words(name: str) -> frozenset[str]:
    """The first word of every line."""
    return frozenset(row[0] for row in rows(name))


def listed(text: str) -> frozenset[str]:
    """The words of a list that is written out by hand."""
    return frozenset(text.split())
