"""What a secret may be: a number below `size`, written as the text that a column holds.

Law: every secret is drawn uniformly and independently, so that what is known beforehand is exactly log2(size) bits a
row; but for `card`, whose values are unique, so that what is unknown is which of them are there.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

FIRST_DAY = datetime.date(1940, 1, 1)
DIGITS = 9
"""Of a social security number; its text has dashes after the third and the fifth."""
CARD_DIGITS = 5
_CARD_HEAD = "40001234567"


@dataclass(frozen=True, slots=True)
class Space:
    """A column of secrets."""

    column: str
    size: int
    text: Callable[[int], str]
    number: Callable[[str], int]
    """The inverse of `text`; ValueError for anything else."""


def place(digit: int) -> int:
    """Where a digit (from 0) stands in the text of a social security number, from 1 as SQL counts."""
    return digit + 1 + (digit >= 3) + (digit >= 5)


def _ssn(number: int) -> str:
    text = f"{number:0{DIGITS}}"
    return f"{text[:3]}-{text[3:5]}-{text[5:]}"


def _date(number: int) -> str:
    return (FIRST_DAY + datetime.timedelta(days=number)).isoformat()


def _card_number(text: str) -> int:
    if not text.startswith(_CARD_HEAD):
        raise ValueError(text)
    return int(text[len(_CARD_HEAD) :])


SSN = Space("ssn", 10**DIGITS, _ssn, lambda text: int(text.replace("-", "")))
DOB = Space(
    "dob",
    (datetime.date(2010, 1, 1) - FIRST_DAY).days,
    _date,
    lambda text: (datetime.date.fromisoformat(text) - FIRST_DAY).days,
)
CARD = Space("card", 10**CARD_DIGITS, lambda number: f"{_CARD_HEAD}{number:0{CARD_DIGITS}}", _card_number)

SPACES = (SSN, DOB, CARD)
