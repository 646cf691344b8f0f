"""What a client sends after start-up: each message as a value, with its reader and its writer.

Readers follow the tables of https://www.postgresql.org/docs/18/protocol-message-formats.html in order.
`parse` and `build` are inverse; `parse` raises only ProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from narrows.wire.errors import ProtocolError, Side
from narrows.wire.postgres import writer
from narrows.wire.postgres.copying import CopyData as CopyData
from narrows.wire.postgres.copying import CopyDone as CopyDone
from narrows.wire.postgres.copying import build_copy_data, parse_copy_data
from narrows.wire.postgres.message import Message, encode
from narrows.wire.postgres.reader import Cursor, decode_text, parser_of_nothing

_SIDE: Side = "client"


@dataclass(frozen=True, slots=True)
class Query:
    """A simple query: a string of statements. It may hold NULs, which analysis refuses."""

    text: str


@dataclass(frozen=True, slots=True)
class Parse:
    """Make a prepared statement; the empty name is the unnamed one."""

    name: str
    text: str
    type_oids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal of a prepared statement; None is SQL NULL.

    `formats` and `result_formats` have no entry (all text), one (for all) or one for each.
    """

    portal: str
    statement: str
    formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    def parameter_formats(self) -> tuple[int, ...]:
        """One format for each parameter."""
        return spread(self.formats, len(self.parameters))


@dataclass(frozen=True, slots=True)
class Describe:
    """`of` is `S` for a prepared statement, `P` for a portal."""

    of: str
    name: str


@dataclass(frozen=True, slots=True)
class Close:
    """`of` is `S` for a prepared statement, `P` for a portal."""

    of: str
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal; a limit of 0 (or less) means every row."""

    portal: str
    row_limit: int = 0


@dataclass(frozen=True, slots=True)
class Sync:
    """End of an extended-protocol series: commits an implicit transaction, ends skipping after an error."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Send what is pending."""


@dataclass(frozen=True, slots=True)
class CopyFail:
    """The client gives its COPY up."""

    message: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The fast path; the gateway refuses it."""

    function_oid: int
    formats: tuple[int, ...]
    arguments: tuple[bytes | None, ...]
    result_format: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """The client leaves."""


@dataclass(frozen=True, slots=True)
class PasswordMessage:
    """Kind `p` as the answer to a cleartext or MD5 request."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslInitialResponse:
    """Kind `p` as the first answer to AuthenticationSASL; None where it carries no response yet."""

    mechanism: str
    response: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """Kind `p` as the answer to AuthenticationSASLContinue."""

    response: bytes = field(repr=False)


FrontendMessage = (
    Query | Parse | Bind | Describe | Close | Execute | Sync | Flush | CopyData | CopyDone | CopyFail | FunctionCall
    | Terminate
)  # fmt: skip
"""What `parse` gives. Kind `p` is read by the function that fits what was asked for."""


def parse(message: Message) -> FrontendMessage:
    """The message as a value."""
    reader = _PARSERS.get(message.kind)
    if reader is None:
        raise ProtocolError(_SIDE, "unexpected kind of message")
    return reader(message.payload)


def build(message: FrontendMessage | PasswordMessage | SaslInitialResponse | SaslResponse) -> bytes:
    """The value as it stands on the wire."""
    return _BUILDERS[type(message)](message)


def spread(formats: tuple[int, ...], count: int) -> tuple[int, ...]:
    """One format code for each of `count` values: none given means text, one given holds for all."""
    if not formats:
        return (0,) * count
    return formats * count if len(formats) == 1 else formats


def parse_query(payload: bytes) -> Query:
    if payload[-1:] != b"\0":
        raise ProtocolError(_SIDE, "invalid Query message: a string is not terminated")
    return Query(decode_text(payload[:-1]))


def build_query(message: Query) -> bytes:
    return encode(b"Q", writer.string(message.text))


def parse_parse(payload: bytes) -> Parse:
    read = Cursor(payload, _SIDE, "Parse")
    name = read.string()
    text = read.string()
    type_oids = tuple([read.oid() for _ in range(read.count())])
    read.finish()
    return Parse(name, text, type_oids)


def build_parse(message: Parse) -> bytes:
    body = writer.string(message.name) + writer.string(message.text) + writer.oids(message.type_oids)
    return encode(b"P", body)


def parse_bind(payload: bytes) -> Bind:
    read = Cursor(payload, _SIDE, "Bind")
    portal = read.string()
    statement = read.string()
    formats = _formats(read)
    parameters = tuple([read.value() for _ in range(read.count())])
    result_formats = _formats(read)
    read.finish()
    if len(formats) not in (0, 1, len(parameters)):
        raise read.error(f"it has {len(formats)} parameter formats but {len(parameters)} parameters")
    return Bind(portal, statement, formats, parameters, result_formats)


def build_bind(message: Bind) -> bytes:
    body = (
        writer.string(message.portal)
        + writer.string(message.statement)
        + writer.formats(message.formats)
        + writer.values(message.parameters)
        + writer.formats(message.result_formats)
    )
    return encode(b"B", body)


def parse_describe(payload: bytes) -> Describe:
    return Describe(*_target(payload, "Describe"))


def build_describe(message: Describe) -> bytes:
    return encode(b"D", message.of.encode("ascii") + writer.string(message.name))


def parse_close(payload: bytes) -> Close:
    return Close(*_target(payload, "Close"))


def build_close(message: Close) -> bytes:
    return encode(b"C", message.of.encode("ascii") + writer.string(message.name))


def parse_execute(payload: bytes) -> Execute:
    read = Cursor(payload, _SIDE, "Execute")
    portal = read.string()
    row_limit = read.int32()
    read.finish()
    return Execute(portal, row_limit)


def build_execute(message: Execute) -> bytes:
    return encode(b"E", writer.string(message.portal) + writer.int32(message.row_limit))


def parse_copy_fail(payload: bytes) -> CopyFail:
    read = Cursor(payload, _SIDE, "CopyFail")
    message = read.string()
    read.finish()
    return CopyFail(message)


def build_copy_fail(message: CopyFail) -> bytes:
    return encode(b"f", writer.string(message.message))


def parse_function_call(payload: bytes) -> FunctionCall:
    read = Cursor(payload, _SIDE, "FunctionCall")
    function_oid = read.oid()
    formats = _formats(read)
    arguments = tuple([read.value() for _ in range(read.count())])
    result_format = read.format()
    read.finish()
    return FunctionCall(function_oid, formats, arguments, result_format)


def build_function_call(message: FunctionCall) -> bytes:
    body = (
        writer.oid(message.function_oid)
        + writer.formats(message.formats)
        + writer.values(message.arguments)
        + writer.int16(message.result_format)
    )
    return encode(b"F", body)


def parse_password(payload: bytes) -> PasswordMessage:
    read = Cursor(payload, _SIDE, "PasswordMessage")
    password = read.string()
    read.finish()
    return PasswordMessage(password)


def build_password(message: PasswordMessage) -> bytes:
    return encode(b"p", writer.string(message.password))


def parse_sasl_initial_response(payload: bytes) -> SaslInitialResponse:
    read = Cursor(payload, _SIDE, "SASLInitialResponse")
    mechanism = read.string()
    response = read.value()
    read.finish()
    return SaslInitialResponse(mechanism, response)


def build_sasl_initial_response(message: SaslInitialResponse) -> bytes:
    return encode(b"p", writer.string(message.mechanism) + writer.value(message.response))


def parse_sasl_response(payload: bytes) -> SaslResponse:
    return SaslResponse(payload)


def build_sasl_response(message: SaslResponse) -> bytes:
    return encode(b"p", message.response)


def _formats(read: Cursor) -> tuple[int, ...]:
    return tuple([read.format() for _ in range(read.count())])


def _target(payload: bytes, what: str) -> tuple[str, str]:
    """What Describe and Close name."""
    read = Cursor(payload, _SIDE, what)
    of = read.raw(1)
    name = read.string()
    read.finish()
    if of not in (b"S", b"P"):
        raise read.error("it names neither a statement nor a portal")
    return of.decode("ascii"), name


_PARSERS: dict[bytes, Callable[[bytes], FrontendMessage]] = {
    b"B": parse_bind,
    b"C": parse_close,
    b"D": parse_describe,
    b"E": parse_execute,
    b"F": parse_function_call,
    b"H": parser_of_nothing(Flush(), _SIDE, "Flush"),
    b"P": parse_parse,
    b"Q": parse_query,
    b"S": parser_of_nothing(Sync(), _SIDE, "Sync"),
    b"X": parser_of_nothing(Terminate(), _SIDE, "Terminate"),
    b"c": parser_of_nothing(CopyDone(), _SIDE, "CopyDone"),
    b"d": parse_copy_data,
    b"f": parse_copy_fail,
}

_BUILDERS: dict[type[object], Callable[[Any], bytes]] = {
    Bind: build_bind,
    Close: build_close,
    CopyData: build_copy_data,
    CopyDone: lambda _: encode(b"c"),
    CopyFail: build_copy_fail,
    Describe: build_describe,
    Execute: build_execute,
    Flush: lambda _: encode(b"H"),
    FunctionCall: build_function_call,
    Parse: build_parse,
    PasswordMessage: build_password,
    Query: build_query,
    SaslInitialResponse: build_sasl_initial_response,
    SaslResponse: build_sasl_response,
    Sync: lambda _: encode(b"S"),
    Terminate: lambda _: encode(b"X"),
}
