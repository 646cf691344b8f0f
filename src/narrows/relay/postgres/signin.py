"""A client's way from its first byte to the first ReadyForQuery.

What a driver does with it::

    machine = ClientSignIn(has_tls=True)
    machine.receive(data)                        bytes arrived                          -> commands
    machine.tls_started(alpn)                    the TLS asked for by StartTls stands   -> commands
    machine.welcome(parameters, pid, key)        the target's session stands            -> commands
    machine.refuse(refusal)                      any step failed                        -> commands
    machine.take_rest()                          what the client already sent for the session

    StartTls(data)             start TLS as a server; `data` are bytes already read of the handshake
    CancelSession(pid, key)    pass a CancelRequest on to the session with this key
    Authenticate(...)          find out who this is and whether they may; then `welcome` or `refuse`

Laws: a token is asked for only inside TLS; nothing sent before TLS is believed after it; a client is told
why in the words it acts upon (28P01, 3D000, ...), with our own code in the detail.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.relay.machine import Close, Send, Side
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres import startup as settings
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.startup import (
    CancelRequest,
    DirectTls,
    GssRequest,
    Packet,
    SslRequest,
    Startup,
    StartupReader,
    negotiate_protocol_version,
)

ALPN = "postgresql"
EARLY_BYTES = 64 * 1024
"""What a client may send for its session before it has been answered."""

PASSWORD_BYTES = 65_535
_HEADER = struct.Struct(">cI")

SQLSTATES: dict[Reason, str] = {
    Reason.SIGN_IN_FAILED: "28P01",
    Reason.TOKEN_EXPIRED: "28P01",
    Reason.WRONG_USER: "28P01",
    Reason.PRINCIPAL_DISABLED: "28000",
    Reason.TLS_REQUIRED: "28000",
    Reason.NOT_PERMITTED: "28000",
    Reason.FORBIDDEN: "28000",
    Reason.REVIEW_REQUIRED: "28000",
    Reason.UNKNOWN_CONNECTION: "3D000",
    Reason.UNKNOWN_DATABASE: "3D000",
    Reason.BUSY: "53300",
    Reason.UNSUPPORTED: "0A000",
    Reason.DRAINING: "57P03",
    Reason.TIMED_OUT: "57P03",
    Reason.UPSTREAM_UNAVAILABLE: "57P03",
    Reason.CREDENTIAL_UNAVAILABLE: "57P03",
    Reason.FACTS_UNAVAILABLE: "57P03",
    Reason.STORE_UNAVAILABLE: "57P03",
    Reason.JOURNAL_UNAVAILABLE: "57P03",
}
"""Standard codes that clients act upon at start-up; any other reason keeps its own."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Become a TLS server on the client's side, with ALPN `postgresql`."""

    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CancelSession:
    """Cancel what the session with this key is doing; the client is told nothing."""

    pid: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Who presents what for which connection; `database` is None for the connection's own."""

    presented: Secret
    user: str
    connection: str
    database: str | None
    settings: settings.Wanted
    application: str
    protocol_minor: int
    """0: cancel keys of 4 bytes; 2: longer ones."""


Command = Send | StartTls | CancelSession | Authenticate | Close


class Phase(Enum):
    START = "the first packets"
    TLS = "a TLS handshake"
    PASSWORD = "the token is awaited"  # noqa: S105 - a phase, not a password
    VERDICT = "the runtime finds out"
    DONE = "the session stands, or ended"


class ClientSignIn:
    """One client's start."""

    def __init__(self, has_tls: bool = True, allows_plaintext: bool = False) -> None:
        self._has_tls = has_tls
        self._allows_plaintext = allows_plaintext
        self.refusal: Refusal | None = None
        """Why the client was sent away, once it was."""
        self._is_encrypted = False
        self._phase = Phase.START
        self._is_direct = False
        self._reader = StartupReader()
        self._startup: Startup | None = None
        self._early = bytearray()
        self._commands: list[Command] = []

    @property
    def phase(self) -> Phase:
        return self._phase

    def receive(self, data: bytes) -> list[Command]:
        try:
            self._receive[self._phase](self, data)
        except ProtocolError as fault:
            refusal = Refusal(Reason.UNSUPPORTED, fault.message, sqlstate=fault.sqlstate)
            self._end(refusal, f"protocol violation by the client: {fault.message}")
        return self._take()

    def tls_started(self, alpn: str | None) -> list[Command]:
        """The handshake is done; `alpn` is what was agreed in it."""
        self._is_encrypted = True
        self._phase = Phase.START
        self._reader = StartupReader(is_encrypted=True)
        if alpn != ALPN and (alpn is not None or self._is_direct):
            fault = "direct TLS needs the ALPN protocol `postgresql`"
            self._end(Refusal(Reason.UNSUPPORTED, fault, sqlstate="08P01"), fault)
        return self._take()

    def welcome(self, parameters: Mapping[str, str], pid: int, key: bytes) -> list[Command]:
        """The session stands: the target's parameters as it reported them, and a cancel key of our own."""
        self._phase = Phase.DONE
        self._say(backend.AuthenticationOk())
        for name, value in parameters.items():
            self._say(backend.ParameterStatus(name, value))
        self._say(backend.BackendKeyData(pid, key))
        self._say(backend.ReadyForQuery("I"))
        return self._take()

    def refuse(self, refusal: Refusal) -> list[Command]:
        """Tell the client why there will be no session."""
        self._end(refusal, refusal.message)
        return self._take()

    def take_rest(self) -> bytes:
        """What the client sent behind its token, for the session's machine."""
        rest = bytes(self._early)
        self._early.clear()
        return rest

    @property
    def wants_client_input(self) -> bool:
        return len(self._early) < EARLY_BYTES

    # -- receiving, by phase

    def _on_start(self, data: bytes) -> None:
        self._reader.receive(data)
        while self._phase is Phase.START:
            packet = self._reader.next()
            if packet is None:
                return
            self._on_packet(packet)

    def _on_packet(self, packet: Packet | DirectTls) -> None:
        match packet:
            case SslRequest():
                self._on_ssl_request()
            case GssRequest():
                self._send(b"N")
            case DirectTls():
                self._on_direct_tls()
            case CancelRequest(pid, key):
                self._phase = Phase.DONE
                self._commands.append(CancelSession(pid, key))
                self._commands.append(Close("a cancel request was passed on"))
            case Startup():
                self._on_startup(packet)

    def _on_ssl_request(self) -> None:
        if not self._has_tls:
            self._send(b"N")
            return
        self._send(b"S")
        self._phase = Phase.TLS
        self._commands.append(StartTls())

    def _on_direct_tls(self) -> None:
        if not self._has_tls:
            self._phase = Phase.DONE
            self._commands.append(Close("direct TLS where this listener has none"))
            return
        self._is_direct = True
        self._phase = Phase.TLS
        self._commands.append(StartTls(self._reader.take_rest()))

    def _on_startup(self, startup: Startup) -> None:
        fault = self._fault_of(startup)
        if fault is not None:
            self._end(fault, fault.message)
            return
        self._startup = startup
        negotiation = negotiate_protocol_version(startup)
        if negotiation is not None:
            self._say(negotiation)
        self._say(backend.AuthenticationCleartextPassword())
        self._phase = Phase.PASSWORD
        rest = self._reader.take_rest()
        if rest:
            self._on_password(rest)

    def _fault_of(self, startup: Startup) -> Refusal | None:
        """Why this start-up packet is not taken; said before the token is asked for."""
        parameters = startup.parameters
        if not (self._is_encrypted or self._allows_plaintext):
            return Refusal(Reason.TLS_REQUIRED, "a token is only taken inside TLS; use sslmode=verify-full")
        if parameters.get("replication", "false").lower() not in ("false", "off", "no", "0"):
            return Refusal(Reason.UNSUPPORTED, "replication connections are not passed")
        if not parameters.get("user"):
            return Refusal(Reason.SIGN_IN_FAILED, "no user name in the start-up packet", sqlstate="28000")
        wanted = settings.read_settings(parameters)
        return wanted if isinstance(wanted, Refusal) else None

    def _on_password(self, data: bytes) -> None:
        """Kind `p` and nothing else; whatever stands behind it is for the session."""
        self._early += data
        if len(self._early) < _HEADER.size:
            return
        kind, length = _HEADER.unpack_from(self._early)
        if kind != b"p" or not 4 <= length <= PASSWORD_BYTES:
            raise ProtocolError("client", "a password message was expected")
        if len(self._early) <= length:
            return
        payload = bytes(self._early[_HEADER.size : length + 1])
        del self._early[: length + 1]
        presented = Secret(frontend.parse_password(payload).password)
        self._phase = Phase.VERDICT
        self._commands.append(self._authenticate(presented))

    def _authenticate(self, presented: Secret) -> Authenticate:
        startup = self._startup
        assert startup is not None
        parameters = startup.parameters
        wanted = settings.read_settings(parameters)
        assert isinstance(wanted, settings.Wanted)
        name = parameters.get("database") or parameters["user"]
        connection, slash, database = name.partition("/")
        return Authenticate(
            presented,
            parameters["user"],
            connection,
            database if slash else None,
            wanted,
            parameters.get("application_name", ""),
            startup.agreed_minor,
        )

    def _on_early(self, data: bytes) -> None:
        self._early += data

    def _on_tls(self, _data: bytes) -> None:
        raise ProtocolError("client", "data came before the answer to an encryption request")

    def _on_nothing(self, _data: bytes) -> None:
        """It ended already."""

    _receive: dict[Phase, Callable[[ClientSignIn, bytes], None]] = {  # noqa: RUF012 - a table, never changed
        Phase.START: _on_start,
        Phase.TLS: _on_tls,
        Phase.PASSWORD: _on_password,
        Phase.VERDICT: _on_early,
        Phase.DONE: _on_nothing,
    }

    # -- sending

    def _end(self, refusal: Refusal, reason: str) -> None:
        if self._phase is Phase.DONE:
            return
        told = replace(refusal, sqlstate=refusal.sqlstate or SQLSTATES.get(refusal.reason))
        self._send(words.build_error(told, "FATAL"))
        self.refusal = told
        self._phase = Phase.DONE
        self._commands.append(Close(reason))

    def _say(self, message: backend.BackendMessage) -> None:
        self._send(backend.build(message))

    def _send(self, data: bytes) -> None:
        last = self._commands[-1] if self._commands else None
        if isinstance(last, Send):
            self._commands[-1] = Send(Side.CLIENT, last.data + data)
        else:
            self._commands.append(Send(Side.CLIENT, data))

    def _take(self) -> list[Command]:
        commands, self._commands = self._commands, []
        return commands
