"""What an error or a notice of the target may say where labelled values could stand in it.

Laws: a cleaned message keeps its severity, a SQLSTATE that PostgreSQL itself lists, and the position in the
text that the client sent; of data exceptions it keeps the class alone, since which one it is follows from the value;
everything else (message, detail, hint, context, names, internal query) could carry a value and is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.relay.postgres.sqlstates import CONDITIONS
from narrows.wire.postgres import backend
from narrows.wire.postgres.message import Message, encode

UNLISTED = "P0001"
"""What a SQLSTATE becomes that PostgreSQL does not list: raise_exception."""

DATA_EXCEPTION = "22000"
_DATA = "22"
"""The class of errors that a value makes."""

SEVERITIES = frozenset({"ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "DEBUG", "INFO", "LOG"})
FATAL = frozenset({"FATAL", "PANIC"})


def clean(message: Message) -> bytes:
    """The message as a client may see it that may not see what it could carry."""
    fields = backend.parse_error_response(message.payload).fields
    return encode(message.kind, _body(clean_fields(fields)))


def clean_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Severity, SQLSTATE, a fixed sentence and `P`; never `p`, `q`, `W` or what a function may have written."""
    severity = severity_of(fields)
    sqlstate = told(fields.get("C", ""))
    cleaned = {"S": severity, "V": severity, "C": sqlstate, "M": sentence(sqlstate)}
    position = fields.get("P", "")
    if position.isascii() and position.isdigit():
        cleaned["P"] = position
    return cleaned


def severity_of(fields: Mapping[str, str]) -> str:
    """The severity untranslated; one that PostgreSQL does not know is an ERROR."""
    severity = fields.get("V") or fields.get("S") or "ERROR"
    return severity if severity in SEVERITIES else "ERROR"


def listed(sqlstate: str) -> str:
    return sqlstate if sqlstate in CONDITIONS else UNLISTED


def told(sqlstate: str) -> str:
    """The SQLSTATE that a cleaned message bears."""
    return DATA_EXCEPTION if sqlstate.startswith(_DATA) else listed(sqlstate)


def sentence(sqlstate: str) -> str:
    """The fixed sentence for a SQLSTATE: its name in PostgreSQL's list, and why no more is said."""
    name = CONDITIONS[sqlstate].replace("_", " ")
    return f"{name} (the target's own message is withheld: it could carry labelled values)"


def _body(fields: Mapping[str, str]) -> bytes:
    return b"".join([code.encode() + text.encode() + b"\0" for code, text in fields.items()]) + b"\0"
