"""What the target sends after start-up: each message as a value, with its reader and its writer.

Readers follow the tables of https://www.postgresql.org/docs/18/protocol-message-formats.html in order.
`parse` and `build` are inverse; `parse` raises only ProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from narrows.wire.errors import ProtocolError, Side
from narrows.wire.postgres import writer
from narrows.wire.postgres.copying import CopyData as CopyData
from narrows.wire.postgres.copying import CopyDone as CopyDone
from narrows.wire.postgres.copying import build_copy_data, parse_copy_data
from narrows.wire.postgres.message import Message, encode
from narrows.wire.postgres.reader import Cursor, decode_text, parser_of_nothing

_SIDE: Side = "upstream"


@dataclass(frozen=True, slots=True)
class AuthenticationOk:
    """The target is satisfied."""


@dataclass(frozen=True, slots=True)
class AuthenticationCleartextPassword:
    """The target asks for the password as it is."""


@dataclass(frozen=True, slots=True)
class AuthenticationMD5Password:
    """The target asks for an MD5 of the password under this salt of four bytes."""

    salt: bytes


@dataclass(frozen=True, slots=True)
class AuthenticationSASL:
    """The target offers these mechanisms, in its order of preference."""

    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthenticationSASLContinue:
    data: bytes


@dataclass(frozen=True, slots=True)
class AuthenticationSASLFinal:
    data: bytes


@dataclass(frozen=True, slots=True)
class AuthenticationUnsupported:
    """A way in that we do not speak: Kerberos, GSS, SSPI or something newer."""

    code: int
    data: bytes


Authentication = (
    AuthenticationOk | AuthenticationCleartextPassword | AuthenticationMD5Password | AuthenticationSASL
    | AuthenticationSASLContinue | AuthenticationSASLFinal | AuthenticationUnsupported
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a result; `table_oid` and `attnum` are 0 where it is not a column of a table."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    type_size: int
    typmod: int
    format: int
    """0 text, 1 binary; always 0 in the description of a statement."""


@dataclass(frozen=True, slots=True)
class RowDescription:
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row; None is SQL NULL."""

    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """One statement is done; the tag is such as `SELECT 3`."""

    tag: str


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """`status` is I idle, T in a transaction, E in a failed one."""

    status: str


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """Fields by their code letter, in the order sent."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoticeResponse:
    """Fields by their code letter, in the order sent."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a CancelRequest must show; the key has 4 bytes in protocol 3.0, up to 256 in 3.2."""

    pid: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """`version` is major * 65536 + minor; `options` are those the server does not know."""

    version: int
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    pid: int
    channel: str
    payload: str


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    type_oids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CopyInResponse:
    """The target waits for data; `format` 0 text (csv too), 1 binary."""

    format: int
    column_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CopyOutResponse:
    """Data follows; `format` 0 text (csv too), 1 binary."""

    format: int
    column_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CopyBothResponse:
    """Only replication starts this."""

    format: int
    column_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionCallResponse:
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ParseComplete:
    """A Parse succeeded."""


@dataclass(frozen=True, slots=True)
class BindComplete:
    """A Bind succeeded."""


@dataclass(frozen=True, slots=True)
class CloseComplete:
    """A Close was done; also where there was nothing to close."""


@dataclass(frozen=True, slots=True)
class NoData:
    """A described statement or portal returns no rows."""


@dataclass(frozen=True, slots=True)
class PortalSuspended:
    """Execute reached its row limit; the portal has more."""


@dataclass(frozen=True, slots=True)
class EmptyQueryResponse:
    """In place of CommandComplete for an empty query string."""


BackendMessage = (
    Authentication | RowDescription | DataRow | CommandComplete | ReadyForQuery | ErrorResponse | NoticeResponse
    | ParameterStatus | BackendKeyData | NegotiateProtocolVersion | NotificationResponse | ParameterDescription
    | CopyInResponse | CopyOutResponse | CopyBothResponse | CopyData | CopyDone | FunctionCallResponse | ParseComplete
    | BindComplete | CloseComplete | NoData | PortalSuspended | EmptyQueryResponse
)  # fmt: skip


def parse(message: Message) -> BackendMessage:
    """The message as a value."""
    reader = _PARSERS.get(message.kind)
    if reader is None:
        raise ProtocolError(_SIDE, "unexpected kind of message")
    return reader(message.payload)


def build(message: BackendMessage) -> bytes:
    """The value as it stands on the wire."""
    return _BUILDERS[type(message)](message)


def parse_authentication(payload: bytes) -> Authentication:
    read = Cursor(payload, _SIDE, "Authentication")
    code = read.int32()
    message = _AUTHENTICATION.get(code, _unsupported(code))(read)
    read.finish()
    return message


def build_authentication(message: Authentication) -> bytes:
    match message:
        case AuthenticationMD5Password(salt):
            code, body = 5, salt
        case AuthenticationSASL(mechanisms):
            code, body = 10, writer.strings(mechanisms)
        case AuthenticationSASLContinue(data):
            code, body = 11, data
        case AuthenticationSASLFinal(data):
            code, body = 12, data
        case AuthenticationUnsupported(code, data):
            body = data
        case _:
            code, body = (0 if isinstance(message, AuthenticationOk) else 3), b""
    return encode(b"R", writer.int32(code) + body)


def parse_row_description(payload: bytes) -> RowDescription:
    read = Cursor(payload, _SIDE, "RowDescription")
    fields = tuple([_parse_field(read) for _ in range(read.count())])
    read.finish()
    return RowDescription(fields)


def build_row_description(message: RowDescription) -> bytes:
    return encode(b"T", writer.count(message.fields) + b"".join(map(_build_field, message.fields)))


def parse_data_row(payload: bytes) -> DataRow:
    read = Cursor(payload, _SIDE, "DataRow")
    values = tuple([read.value() for _ in range(read.count())])
    read.finish()
    return DataRow(values)


def build_data_row(message: DataRow) -> bytes:
    return encode(b"D", writer.values(message.values))


def parse_command_complete(payload: bytes) -> CommandComplete:
    read = Cursor(payload, _SIDE, "CommandComplete")
    tag = read.string()
    read.finish()
    return CommandComplete(tag)


def build_command_complete(message: CommandComplete) -> bytes:
    return encode(b"C", writer.string(message.tag))


def parse_ready_for_query(payload: bytes) -> ReadyForQuery:
    read = Cursor(payload, _SIDE, "ReadyForQuery")
    status = read.raw(1)
    read.finish()
    if status not in (b"I", b"T", b"E"):
        raise read.error("an unknown transaction status")
    return ReadyForQuery(status.decode("ascii"))


def build_ready_for_query(message: ReadyForQuery) -> bytes:
    return encode(b"Z", message.status.encode("ascii"))


def parse_error_response(payload: bytes) -> ErrorResponse:
    return ErrorResponse(_parse_fields(payload, "ErrorResponse"))


def build_error_response(message: ErrorResponse) -> bytes:
    return encode(b"E", _build_fields(message.fields))


def parse_notice_response(payload: bytes) -> NoticeResponse:
    return NoticeResponse(_parse_fields(payload, "NoticeResponse"))


def build_notice_response(message: NoticeResponse) -> bytes:
    return encode(b"N", _build_fields(message.fields))


def parse_parameter_status(payload: bytes) -> ParameterStatus:
    read = Cursor(payload, _SIDE, "ParameterStatus")
    name = read.string()
    value = read.string()
    read.finish()
    return ParameterStatus(name, value)


def build_parameter_status(message: ParameterStatus) -> bytes:
    return encode(b"S", writer.string(message.name) + writer.string(message.value))


def parse_backend_key_data(payload: bytes) -> BackendKeyData:
    read = Cursor(payload, _SIDE, "BackendKeyData")
    pid = read.int32()
    key = read.rest()
    if not 4 <= len(key) <= 256:
        raise read.error("a cancel key has 4 to 256 bytes")
    return BackendKeyData(pid, key)


def build_backend_key_data(message: BackendKeyData) -> bytes:
    return encode(b"K", writer.int32(message.pid) + message.key)


def parse_negotiate_protocol_version(payload: bytes) -> NegotiateProtocolVersion:
    read = Cursor(payload, _SIDE, "NegotiateProtocolVersion")
    version = read.int32()
    options = tuple([read.string() for _ in range(_count32(read))])
    read.finish()
    return NegotiateProtocolVersion(version, options)


def build_negotiate_protocol_version(message: NegotiateProtocolVersion) -> bytes:
    options = b"".join(map(writer.string, message.options))
    return encode(b"v", writer.int32(message.version) + writer.int32(len(message.options)) + options)


def parse_notification_response(payload: bytes) -> NotificationResponse:
    read = Cursor(payload, _SIDE, "NotificationResponse")
    pid = read.int32()
    channel = read.string()
    text = read.string()
    read.finish()
    return NotificationResponse(pid, channel, text)


def build_notification_response(message: NotificationResponse) -> bytes:
    body = writer.int32(message.pid) + writer.string(message.channel) + writer.string(message.payload)
    return encode(b"A", body)


def parse_parameter_description(payload: bytes) -> ParameterDescription:
    read = Cursor(payload, _SIDE, "ParameterDescription")
    type_oids = tuple([read.oid() for _ in range(read.count())])
    read.finish()
    return ParameterDescription(type_oids)


def build_parameter_description(message: ParameterDescription) -> bytes:
    return encode(b"t", writer.oids(message.type_oids))


def parse_copy_in_response(payload: bytes) -> CopyInResponse:
    return CopyInResponse(*_parse_copy_response(payload, "CopyInResponse"))


def parse_copy_out_response(payload: bytes) -> CopyOutResponse:
    return CopyOutResponse(*_parse_copy_response(payload, "CopyOutResponse"))


def parse_copy_both_response(payload: bytes) -> CopyBothResponse:
    return CopyBothResponse(*_parse_copy_response(payload, "CopyBothResponse"))


def build_copy_response(message: CopyInResponse | CopyOutResponse | CopyBothResponse) -> bytes:
    kind = {CopyInResponse: b"G", CopyOutResponse: b"H", CopyBothResponse: b"W"}[type(message)]
    return encode(kind, bytes([message.format]) + writer.formats(message.column_formats))


def parse_function_call_response(payload: bytes) -> FunctionCallResponse:
    read = Cursor(payload, _SIDE, "FunctionCallResponse")
    value = read.value()
    read.finish()
    return FunctionCallResponse(value)


def build_function_call_response(message: FunctionCallResponse) -> bytes:
    return encode(b"V", writer.value(message.value))


def _parse_field(read: Cursor) -> Field:
    return Field(
        name=read.string(),
        table_oid=read.oid(),
        attnum=read.int16(),
        type_oid=read.oid(),
        type_size=read.int16(),
        typmod=read.int32(),
        format=read.format(),
    )


def _build_field(column: Field) -> bytes:
    return (
        writer.string(column.name)
        + writer.oid(column.table_oid)
        + writer.int16(column.attnum)
        + writer.oid(column.type_oid)
        + writer.int16(column.type_size)
        + writer.int32(column.typmod)
        + writer.int16(column.format)
    )


def _parse_fields(payload: bytes, what: str) -> Mapping[str, str]:
    """The fields of an error or a notice: code letter and text, ended by a NUL."""
    read = Cursor(payload, _SIDE, what)
    fields: dict[str, str] = {}
    while (code := read.raw(1)) != b"\0":
        letter = decode_text(code)
        if letter in fields:
            raise read.error("a field is given twice")
        fields[letter] = read.string()
    read.finish()
    return fields


def _build_fields(fields: Mapping[str, str]) -> bytes:
    """As `_parse_fields`; an error must get out, so what cannot stand in a string is replaced."""
    return b"".join([_encode(code) + _encode(text) + b"\0" for code, text in fields.items()]) + b"\0"


def _encode(text: str) -> bytes:
    text = text.replace("\0", "\ufffd")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _parse_copy_response(payload: bytes, what: str) -> tuple[int, tuple[int, ...]]:
    read = Cursor(payload, _SIDE, what)
    overall = read.raw(1)[0]
    column_formats = tuple([read.format() for _ in range(read.count())])
    read.finish()
    if overall not in (0, 1):
        raise read.error("a format code is neither 0 nor 1")
    return overall, column_formats


def _count32(read: Cursor) -> int:
    """An Int32 that counts strings: each has at least its NUL, so the count cannot exceed what is left."""
    count = read.int32()
    if not 0 <= count <= read.left:
        raise read.error("it counts more than it holds")
    return count


def _mechanisms(read: Cursor) -> AuthenticationSASL:
    names: list[str] = []
    while name := read.string():
        names.append(name)
    return AuthenticationSASL(tuple(names))


def _unsupported(code: int) -> Callable[[Cursor], Authentication]:
    return lambda read: AuthenticationUnsupported(code, read.rest())


_AUTHENTICATION: dict[int, Callable[[Cursor], Authentication]] = {
    0: lambda _: AuthenticationOk(),
    3: lambda _: AuthenticationCleartextPassword(),
    5: lambda read: AuthenticationMD5Password(read.raw(4)),
    10: _mechanisms,
    11: lambda read: AuthenticationSASLContinue(read.rest()),
    12: lambda read: AuthenticationSASLFinal(read.rest()),
}

_PARSERS: dict[bytes, Callable[[bytes], BackendMessage]] = {
    b"1": parser_of_nothing(ParseComplete(), _SIDE, "ParseComplete"),
    b"2": parser_of_nothing(BindComplete(), _SIDE, "BindComplete"),
    b"3": parser_of_nothing(CloseComplete(), _SIDE, "CloseComplete"),
    b"A": parse_notification_response,
    b"C": parse_command_complete,
    b"D": parse_data_row,
    b"E": parse_error_response,
    b"G": parse_copy_in_response,
    b"H": parse_copy_out_response,
    b"I": parser_of_nothing(EmptyQueryResponse(), _SIDE, "EmptyQueryResponse"),
    b"K": parse_backend_key_data,
    b"N": parse_notice_response,
    b"R": parse_authentication,
    b"S": parse_parameter_status,
    b"T": parse_row_description,
    b"V": parse_function_call_response,
    b"W": parse_copy_both_response,
    b"Z": parse_ready_for_query,
    b"c": parser_of_nothing(CopyDone(), _SIDE, "CopyDone"),
    b"d": parse_copy_data,
    b"n": parser_of_nothing(NoData(), _SIDE, "NoData"),
    b"s": parser_of_nothing(PortalSuspended(), _SIDE, "PortalSuspended"),
    b"t": parse_parameter_description,
    b"v": parse_negotiate_protocol_version,
}

_BUILDERS: dict[type[object], Callable[[Any], bytes]] = {
    AuthenticationCleartextPassword: build_authentication,
    AuthenticationMD5Password: build_authentication,
    AuthenticationOk: build_authentication,
    AuthenticationSASL: build_authentication,
    AuthenticationSASLContinue: build_authentication,
    AuthenticationSASLFinal: build_authentication,
    AuthenticationUnsupported: build_authentication,
    BackendKeyData: build_backend_key_data,
    BindComplete: lambda _: encode(b"2"),
    CloseComplete: lambda _: encode(b"3"),
    CommandComplete: build_command_complete,
    CopyBothResponse: build_copy_response,
    CopyData: build_copy_data,
    CopyDone: lambda _: encode(b"c"),
    CopyInResponse: build_copy_response,
    CopyOutResponse: build_copy_response,
    DataRow: build_data_row,
    EmptyQueryResponse: lambda _: encode(b"I"),
    ErrorResponse: build_error_response,
    FunctionCallResponse: build_function_call_response,
    NegotiateProtocolVersion: build_negotiate_protocol_version,
    NoData: lambda _: encode(b"n"),
    NoticeResponse: build_notice_response,
    NotificationResponse: build_notification_response,
    ParameterDescription: build_parameter_description,
    ParameterStatus: build_parameter_status,
    ParseComplete: lambda _: encode(b"1"),
    PortalSuspended: lambda _: encode(b"s"),
    ReadyForQuery: build_ready_for_query,
    RowDescription: build_row_description,
}
