"""The text that may be written down: secrets replaced by <secret>, every other byte kept.

Laws: what is replaced is found by the parser and its lexer, never by guessing where a literal ends; a text that
does not parse loses everything from the first word that announces a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pglast.parser import ParseError, scan

from narrows.inspect.sql.data import listed
from narrows.inspect.sql.setting_calls import constant_text
from narrows.inspect.sql.tree import Node, Parsed, strings, unwrap, walk
from narrows.inspect.sql.work import spend

SECRET = "<secret>"  # noqa: S105 - what stands in place of one

_ANNOUNCED = re.compile(
    r"password|passwd|secret|connection|conninfo|options|crypt|hmac|narrows\s*\.|://|dblink|set_config"
)
"""In folded text: looking without regard to case takes eight times as long."""
_NAMED = re.compile(r"(?i)\b(password|passwd|pwd|secret|passphrase)\s*=\s*")
_USER = re.compile(r"://[^/:@]+:[^@]")
_PASSWORD_IN_CODE = re.compile(r"(?i)\bpassword\s+(?!null\b)(?=[^\s;])")
_QUOTED = re.compile(
    r"""(?i)e?(?:''(?:\\.|[^'])*(?:''|\Z)|'(?:\\.|[^'\\]|'')*(?:'|\Z)|"(?:\\.|[^"\\])*(?:"|\Z))""", re.DOTALL
)
_DOLLARS = re.compile(r"\$\w*\$")
_BARE = re.compile(r"(?:\\+.|[^\s;])+", re.DOTALL)
_WORD = re.compile(r"\S+")
_UNPARSED = re.compile(
    r"(?i)password|passwd|secret|conninfo|\bconnection\s+'|\boptions\s*\(|://[^/\s]*@|narrows\s*\."
)

KEYED = listed(
    """
    crypt hmac encrypt encrypt_iv decrypt decrypt_iv pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_sym_decrypt
    pgp_sym_decrypt_bytea pgp_pub_decrypt pgp_pub_decrypt_bytea dblink_connect dblink_connect_u
    """
)
"""Functions whose constant arguments hold keys or connection strings."""

OPEN_OPTIONS = listed(
    """
    host hostaddr port dbname schema_name table_name column_name fetch_size use_remote_estimate updatable
    fdw_startup_cost fdw_tuple_cost extensions batch_size async_capable sslmode filename format delimiter
    header
    """
)
"""Options of foreign servers, tables and user mappings that are no secrets."""

WITH_OPTIONS = listed(
    """
    CreateUserMappingStmt AlterUserMappingStmt CreateForeignServerStmt AlterForeignServerStmt CreateFdwStmt
    AlterFdwStmt CreateForeignTableStmt
    """
)


def redact(text: str, parsed: Sequence[Parsed]) -> str:
    """The text without its secrets."""
    if not announces(text):
        return text
    if not parsed:
        found = _UNPARSED.search(text)
        return text if found is None else text[: found.start()] + SECRET
    source = text.encode(errors="surrogateescape")
    spans = _spans(text, source, parsed)
    kept: list[bytes] = []
    done = 0
    for begin, end, replacement in sorted(spans):
        kept += (source[done:begin], replacement)
        done = end
    return b"".join((*kept, source[done:])).decode(errors="surrogateescape")


def announces(text: str) -> bool:
    """Whether a word in the text says that there could be a secret."""
    return _ANNOUNCED.search(text.casefold()) is not None


Span = tuple[int, int, bytes]
"""(first byte, byte after the last, what stands there instead)"""

HIDDEN = f"'{SECRET}'".encode()
LITERALS = frozenset({"SCONST", "USCONST"})


def _spans(text: str, source: bytes, parsed: Sequence[Parsed]) -> set[Span]:
    starts = {offset for each in parsed for offset in _secrets(each.type, each.fields)}
    try:
        literals = list(_literals(text, source))
    except ParseError:
        return {(0, len(source), SECRET.encode())}
    spans: set[Span] = set()
    for begin, end in literals:
        content = source[begin:end].decode()
        if begin in starts:
            spans.add((begin, end, HIDDEN))
        else:
            spans |= _in_literal(content, begin)
    return spans


def _literals(text: str, source: bytes) -> Iterator[tuple[int, int]]:
    """First byte and byte after the last of every string literal."""
    is_ascii = len(text) == len(source)
    seen_letters = seen_bytes = 0
    for token in scan(text):
        if token.name not in LITERALS:
            continue
        if is_ascii:
            yield token.start, token.end + 1
            continue
        begin = seen_bytes + len(text[seen_letters : token.start].encode())
        seen_letters = token.end + 1
        seen_bytes = begin + len(text[token.start : seen_letters].encode())
        yield begin, seen_bytes


def _in_literal(content: str, begin: int) -> set[Span]:
    """The secrets of a literal, each by itself: what else a body of code says did run and is to be read."""
    content = content[: len(content) - _closing(content)]
    found = sorted(
        (*_announced(content, _PASSWORD_IN_CODE), *_announced(content, _NAMED), *_in_urls(content))
    )
    joined: list[tuple[int, int]] = []
    for first, last in found:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    spans = set()
    for first, last in joined:
        start = begin + len(content[:first].encode())
        spans.add((start, start + len(content[first:last].encode()), SECRET.encode()))
    return spans


def _closing(content: str) -> int:
    """The length of what ends a literal: a quote, or its dollar tag."""
    tag = _DOLLARS.match(content)
    return len(tag[0]) if tag is not None else 1


def _announced(content: str, announcement: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """What stands behind `PASSWORD` in code, or `password =` in a connection string."""
    at = 0
    while (match := announcement.search(content, at)) is not None:
        at = max(_value_end(content, match.end()), match.end())
        spend(len(content) // 50)
        if at > match.end():
            yield match.end(), at
        else:
            at += 1


def _value_end(content: str, begin: int) -> int:
    """Where the quoted or bare word that begins there ends."""
    dollars = _DOLLARS.match(content, begin)
    if dollars is not None and (closing := content.find(dollars[0], dollars.end())) >= 0:
        return closing + len(dollars[0])
    found = _QUOTED.match(content, begin) or _BARE.match(content, begin)
    return found.end() if found is not None else begin + 1


def _in_urls(content: str) -> Iterator[tuple[int, int]]:
    """The password of `://user:password@` within a word."""
    if "://" not in content or "@" not in content:
        return
    for word in _WORD.finditer(content):
        user = _USER.search(word[0])
        at = word[0].rfind("@")
        if user is not None and at >= user.end():
            yield word.start() + user.end() - 1, word.start() + at


def _secrets(type_: str, fields: Node) -> Iterator[int]:
    """The byte offsets at which literals with secrets begin."""
    hides_options = type_ in WITH_OPTIONS
    for name, node in walk(type_, fields):
        match name:
            case "DefElem":
                option = node.get("defname", "")
                if option == "password" or (hides_options and option not in OPEN_OPTIONS):
                    yield node.get("arg_location", -1)
            case "FuncCall":
                yield from _call(node)
            case "CreateSubscriptionStmt" | "AlterSubscriptionStmt":
                yield node.get("conninfo_location", -1)
            case "VariableSetStmt" if _is_own_secret(node.get("name", "")):
                yield from _constants(node.get("args", []))


def _is_own_secret(name: str) -> bool:
    return name.lower().startswith("narrows.") and name.lower() != "narrows.reveal"


def _call(node: Node) -> Iterator[int]:
    name = (strings(node.get("funcname")) or ("",))[-1]
    args = node.get("args", [])
    is_own = name == "set_config" and _is_own_secret(constant_text(args[0] if args else None) or "")
    if name in KEYED or is_own:
        yield from _constants(args[1:] if is_own else args)


def _constants(nodes: list[Node]) -> Iterator[int]:
    for node in nodes:
        for name, fields in walk(*unwrap(node)):
            if name == "A_Const" and "sval" in fields:
                yield fields.get("location", 0)
