"""Prepares a password for SCRAM: SASLprep (RFC 4013), and what PostgreSQL does where that fails."""

from __future__ import annotations

import stringprep
import unicodedata
from collections.abc import Callable

_MAPPED_TO_NOTHING = stringprep.in_table_b1
_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(text: str) -> str:
    """The prepared text; ValueError where it holds what RFC 4013 prohibits."""
    spaced = "".join(" " if stringprep.in_table_c12(char) else char for char in text)
    kept = "".join(char for char in spaced if not _MAPPED_TO_NOTHING(char))
    prepared = unicodedata.normalize("NFKC", kept)
    if any(is_prohibited(char) for char in prepared for is_prohibited in _PROHIBITED):
        raise ValueError("a character that SASLprep prohibits")
    _check_direction(prepared)
    return prepared


def password_bytes(password: str) -> bytes:
    """What both ends derive keys from: the password prepared; as it is where that fails, as in PostgreSQL."""
    raw = password.encode("utf-8", "surrogateescape")
    if raw.isascii():
        return raw
    try:
        return saslprep(raw.decode("utf-8")).encode("utf-8") or raw
    except ValueError:
        return raw


def _check_direction(text: str) -> None:
    """RFC 3454 section 6: text with a right-to-left character is so from its first to its last."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("left-to-right within right-to-left text")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("right-to-left text that does not begin and end so")
