"""One rung of one label, as `labels.yaml` writes it: a word, or a word with its arguments.

constant | {constant: "[hidden]"} | null | hash | {hash: {length: 12}} | keep_last | {keep_last: 4}
| {keep_last: {keep: 4, fill: "x"}}
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from narrows.masking.document import Document, Path, kind_of
from narrows.masking.operators import OPERATORS
from narrows.model.label import MaskRule, OperatorKind, Rung

KEEP_LIMIT = 32
LENGTH_LEAST, LENGTH_MOST = 8, 64
TEXT_LIMIT = 200

_INSTEAD = {
    Rung.NONE: "without any rung nothing of the value may show: use constant or null",
    Rung.TOKEN: "a token shows nothing readable: use hash, constant or null",
    Rung.PARTIAL: "use keep_last, hash, constant or null",
}


def parse_rule(document: Document, path: Path, value: Any, rung: Rung) -> MaskRule | None:
    """The rule, or None after naming its fault; YAML's own null is the operator null."""
    word, arguments = _parts(value)
    if word is None:
        document.fault(
            path, f"should name one operator, not {kind_of(value)}", f"one of {', '.join(OperatorKind)}"
        )
        return None
    if word not in set(OperatorKind):
        near = difflib.get_close_matches(word, list(OperatorKind), n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"one of {', '.join(OperatorKind)}"
        document.fault(path, f'no operator is called "{word}"', remedy)
        return None
    operator = OperatorKind(word)
    if rung not in OPERATORS[operator].rungs:
        document.fault(path, f"{operator} cannot stand for this rung", _INSTEAD[rung])
        return None
    if arguments is None:
        return MaskRule(operator)
    return _READERS[operator](document, (*path, word), arguments)


def _parts(value: Any) -> tuple[str | None, Any]:
    if value is None:
        return OperatorKind.NULL, None
    if isinstance(value, str):
        return value, None
    if isinstance(value, dict) and len(value) == 1:
        word, arguments = next(iter(value.items()))
        return ("null", arguments) if word is None else (word if isinstance(word, str) else None, arguments)
    return None, None


def _read_constant(document: Document, path: Path, arguments: Any) -> MaskRule | None:
    text = arguments.get("text") if isinstance(arguments, dict) and set(arguments) == {"text"} else arguments
    if isinstance(text, str) and text and len(text) <= TEXT_LIMIT and text.isprintable():
        return MaskRule(OperatorKind.CONSTANT, text=text)
    document.fault(
        path,
        "the constant should be one line of printable text",
        f"at most {TEXT_LIMIT} characters, in quotes",
    )
    return None


def _read_hash(document: Document, path: Path, arguments: Any) -> MaskRule | None:
    is_named = isinstance(arguments, dict) and set(arguments) == {"length"}
    length: Any = arguments["length"] if is_named else arguments
    if _is_number(length, LENGTH_LEAST, LENGTH_MOST):
        return MaskRule(OperatorKind.HASH, length=length)
    document.fault(
        path,
        f"the length should be a number from {LENGTH_LEAST} to {LENGTH_MOST}",
        "write {hash: {length: 16}}",
    )
    return None


def _read_keep_last(document: Document, path: Path, arguments: Any) -> MaskRule | None:
    given = arguments if isinstance(arguments, dict) else {"keep": arguments}
    for unknown in sorted(set(map(str, given)) - {"keep", "fill"}):
        document.fault((*path, unknown), "is not an argument of keep_last", "it takes keep and fill")
        return None
    keep, fill = given.get("keep", 4), given.get("fill", "*")
    if not _is_number(keep, 1, KEEP_LIMIT):
        document.fault(
            path, f"keep should be a number from 1 to {KEEP_LIMIT}", "to keep nothing use constant"
        )
        return None
    if not (isinstance(fill, str) and len(fill) == 1 and fill.isprintable()):
        document.fault((*path, "fill"), "fill should be one printable character", 'such as "*", in quotes')
        return None
    return MaskRule(OperatorKind.KEEP_LAST, keep=keep, fill=fill)


def _read_null(document: Document, path: Path, _arguments: Any) -> MaskRule | None:
    document.fault(path, "null takes no arguments", "write null alone")
    return None


_READERS: Mapping[OperatorKind, Callable[[Document, Path, Any], MaskRule | None]] = {
    OperatorKind.CONSTANT: _read_constant,
    OperatorKind.HASH: _read_hash,
    OperatorKind.KEEP_LAST: _read_keep_last,
    OperatorKind.NULL: _read_null,
}


def _is_number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
