"""Text that is safe to print: what others wrote must not move the cursor, hide or reorder what a person reads."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, escape sequences among them
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\ud800-\udfff"  # halves of characters, which no terminal can take
    "\U000e0000-\U000e0fff"  # tags and variation selectors
    "]"
)


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""The text with every unsafe character as `\x1b` or `\u202e`; line ends stay where `keep_lines`."""

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        if keep_lines and character in "\n\t":
            return character
        return _NAMED.get(character) or _numbered(ord(character))

    return _UNSAFE.sub(escape, text)


_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _numbered(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, marked where cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"
