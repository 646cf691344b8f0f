"""What comes before messages have a kind: start-up, cancel and encryption requests.

Laws: nothing over 10,000 bytes is read; protocol 2 and what is not known is refused; bytes that were sent
behind an encryption request are refused, for they would be taken as if they had been encrypted
(CVE-2021-23214). https://www.postgresql.org/docs/18/protocol-message-formats.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from narrows.wire.errors import FEATURE_NOT_SUPPORTED, LIMIT_EXCEEDED, ProtocolError
from narrows.wire.postgres import backend, writer
from narrows.wire.postgres.reader import Cursor

LIMIT_BYTES = 10_000
LATEST_MINOR = 2
KEY_LIMIT_BYTES = 256
TLS_HANDSHAKE = 0x16
OPTION_PREFIX = "_pq_."

_CANCEL = (1234, 5678)
_SSL = (1234, 5679)
_GSS = (1234, 5680)


@dataclass(frozen=True, slots=True)
class SslRequest:
    """Answer `S` and start TLS, or `N`."""


@dataclass(frozen=True, slots=True)
class GssRequest:
    """Answer `N`; the client goes on with something else."""


@dataclass(frozen=True, slots=True)
class DirectTls:
    """The first byte opens TLS: everything received so far belongs to the handshake (ALPN `postgresql`)."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Nothing is answered; the connection closes."""

    pid: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Startup:
    """The start-up packet; `options` are the protocol options, by their names with `_pq_.`."""

    major: int
    minor: int
    parameters: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def agreed_minor(self) -> int:
        """The minor version both sides speak from here: 3.0 keys have 4 bytes, 3.2 keys up to 256."""
        return min(self.minor, LATEST_MINOR)


Packet = SslRequest | GssRequest | CancelRequest | Startup


def parse_startup(packet: bytes) -> Packet:
    """One packet, its length word included."""
    read = Cursor(packet, "client", "start-up")
    if read.int32() != len(packet):
        raise read.error("its length is not its own")
    version = read.count(), read.count()
    return _PARSERS.get(version, _parse_start)(read, version)


def negotiate_protocol_version(startup: Startup) -> backend.NegotiateProtocolVersion | None:
    """What to send first where the client asked for a newer minor version or options we do not have."""
    if startup.minor <= LATEST_MINOR and not startup.options:
        return None
    return backend.NegotiateProtocolVersion(3 << 16 | startup.agreed_minor, tuple(startup.options))


def build_startup(startup: Startup) -> bytes:
    pairs = {**startup.parameters, **startup.options}
    texts = [text for pair in pairs.items() for text in pair]
    return _build((startup.major, startup.minor), writer.strings(texts))


def build_ssl_request() -> bytes:
    return _build(_SSL)


def build_gss_request() -> bytes:
    return _build(_GSS)


def build_cancel_request(pid: int, key: bytes) -> bytes:
    if not 0 < len(key) <= KEY_LIMIT_BYTES:
        raise ValueError("a cancel key has 1 to 256 bytes")
    return _build(_CANCEL, writer.int32(pid) + key)


class StartupReader:
    """Cuts the first packets of a connection.

    `receive` what came, then call `next` until it gives None. After a `Startup`, `DirectTls` or
    `CancelRequest` it is done and `take_rest` hands over the bytes that were not its own. Inside TLS start
    a new one with `is_encrypted=True`.
    """

    __slots__ = ("_buffer", "_is_encrypted", "_seen")

    def __init__(self, is_encrypted: bool = False) -> None:
        self._buffer = bytearray()
        self._is_encrypted = is_encrypted
        self._seen: set[type[object]] = set()

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Packet | DirectTls | None:
        """The next packet, or None where more bytes are needed."""
        buffer = self._buffer
        if buffer and buffer[0] == TLS_HANDSHAKE and not self._is_encrypted and not self._seen:
            return DirectTls()
        if len(buffer) < 4:
            return None
        size = int.from_bytes(buffer[:4], "big")
        if size < 8:
            raise ProtocolError("client", "invalid length of start-up packet")
        if size > LIMIT_BYTES:
            raise ProtocolError("client", f"start-up packet over {LIMIT_BYTES} bytes", LIMIT_EXCEEDED)
        if len(buffer) < size:
            return None
        packet = parse_startup(bytes(buffer[:size]))
        del buffer[:size]
        if isinstance(packet, SslRequest | GssRequest):
            self._check_request(packet)
        return packet

    def take_rest(self) -> bytes:
        """What was received and not used; it is gone from here."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _check_request(self, packet: SslRequest | GssRequest) -> None:
        if self._is_encrypted or type(packet) in self._seen:
            raise ProtocolError("client", "encryption was asked for twice")
        if self._buffer:
            raise ProtocolError("client", "data came behind an encryption request, before its answer")
        self._seen.add(type(packet))


def _parse_ssl(read: Cursor, _version: tuple[int, int]) -> SslRequest:
    read.finish()
    return SslRequest()


def _parse_gss(read: Cursor, _version: tuple[int, int]) -> GssRequest:
    read.finish()
    return GssRequest()


def _parse_cancel(read: Cursor, _version: tuple[int, int]) -> CancelRequest:
    pid = read.int32()
    key = read.rest()
    if not 0 < len(key) <= KEY_LIMIT_BYTES:
        raise read.error("a cancel key has 1 to 256 bytes")
    return CancelRequest(pid, key)


def _parse_start(read: Cursor, version: tuple[int, int]) -> Startup:
    major, minor = version
    if major != 3:
        fault = f"protocol {major}.{minor} is not supported: use 3.0 to 3.{LATEST_MINOR}"
        raise ProtocolError("client", fault, FEATURE_NOT_SUPPORTED)
    pairs: dict[str, str] = {}
    while name := read.string():
        if name in pairs:
            raise read.error("a parameter is given twice")
        pairs[name] = read.string()
    read.finish()
    parameters = {name: text for name, text in pairs.items() if not name.startswith(OPTION_PREFIX)}
    options = {name: text for name, text in pairs.items() if name.startswith(OPTION_PREFIX)}
    return Startup(major, minor, parameters, options)


_PARSERS: dict[tuple[int, int], Callable[[Cursor, tuple[int, int]], Packet]] = {
    _SSL: _parse_ssl,
    _GSS: _parse_gss,
    _CANCEL: _parse_cancel,
}


def _build(version: tuple[int, int], body: bytes = b"") -> bytes:
    major, minor = version
    return writer.int32(8 + len(body)) + writer.int32(major << 16 | minor) + body
