"""Signing in to the target: bytes in, steps out.

    start -> [SSLRequest -> 'S' -> StartTls -> secured] -> StartupMessage -> authentication -> SignedIn

Laws: the password leaves in clear only inside verified TLS, or where the target's configuration allows it; a
server that began SCRAM must prove that it knows the password; nothing received before TLS counts afterwards.
What the target says is for the operator: a caller is told the fault's own sentence. Messages that have no place
in a state raise ProtocolError. https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, frontend, scram, startup
from narrows.wire.postgres.md5 import md5_password
from narrows.wire.postgres.message import Message

MESSAGE_LIMIT_BYTES = 64 * 1024
MESSAGE_LIMIT = 500
"""Messages of one sign-in; PostgreSQL 18 sends about twenty."""
DETAIL_LIMIT = 500

_HEADER = struct.Struct(">cI")
_VERIFIED = (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)


class Fault(Enum):
    """Why a target could not be used: (what the caller is told, a SQLSTATE that clients act upon)."""

    NAME_UNKNOWN = ("the target's host name is not known", None)
    NOT_LISTENING = ("the target refused the connection", None)
    UNREACHABLE = ("the target cannot be reached", None)
    TIMED_OUT = ("the target did not answer in time", None)
    TLS_ABSENT = ("the target does not offer TLS, which its configuration demands", None)
    TLS_UNVERIFIED = ("the target's certificate could not be verified", None)
    TLS_FAILED = ("TLS with the target failed", None)
    PASSWORD_REFUSED = ("the target did not accept the gateway's credential", None)
    NOT_ADMITTED = ("the target does not admit the gateway: its pg_hba.conf or role forbids it", None)
    CLEARTEXT_WANTED = ("the target asks for the password in clear, outside verified TLS", None)
    METHOD_UNKNOWN = ("the target asks for a way to sign in that the gateway does not speak", None)
    NOT_PROVEN = ("the target did not prove that it knows the password", None)
    DATABASE_MISSING = ("the database does not exist at the target", "3D000")
    TOO_MANY = ("the target has no connection to spare", "53300")
    NOT_READY = ("the target is starting, stopping or recovering", "57P03")
    REFUSED = ("the target refused the session", None)
    PROTOCOL = ("the target did not speak PostgreSQL's protocol", None)
    LOST = ("the target closed the connection", None)

    def __init__(self, message: str, sqlstate: str | None) -> None:
        self.message = message
        self.sqlstate = sqlstate

    def __repr__(self) -> str:
        return f"Fault.{self.name}"


_FAULTS = {
    "28P01": Fault.PASSWORD_REFUSED,
    "28000": Fault.NOT_ADMITTED,
    "42501": Fault.NOT_ADMITTED,
    "3D000": Fault.DATABASE_MISSING,
    "53300": Fault.TOO_MANY,
    "57P01": Fault.NOT_READY,
    "57P02": Fault.NOT_READY,
    "57P03": Fault.NOT_READY,
}
"""The target's SQLSTATE -> what it means for us; anything else is REFUSED."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The sign-in is over. `detail` is for the operator's log and never for a caller."""

    fault: Fault
    detail: str = ""

    def refusal(self) -> Refusal:
        """What the caller is told."""
        return Refusal(Reason.UPSTREAM_UNAVAILABLE, self.fault.message, sqlstate=self.fault.sqlstate)


@dataclass(frozen=True, slots=True)
class Write:
    """Send these bytes; they may hold the password, so they do not show."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartTls:
    """Read nothing more in clear, shake hands, then call `secured`."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Ready for the first query; `rest` are bytes that came behind ReadyForQuery."""

    parameters: Mapping[str, str]
    """What the target reported: server_version, client_encoding, ..."""
    pid: int | None
    """None where the target gave no key, so that nothing can be cancelled."""
    key: bytes = field(repr=False)
    rest: bytes = b""


Step = Write | StartTls | SignedIn | Failed


def read_tls_answer(data: bytes) -> StartTls | Failed:
    """What a target says to SSLRequest; one byte, for nothing in clear may follow it."""
    if len(data) != 1:
        raise ProtocolError("upstream", "bytes came behind the answer to SSLRequest")
    if data == b"S":
        return StartTls()
    if data in (b"N", b"E"):  # E opens an unprotected error message, whose text proves nothing
        return Failed(Fault.TLS_ABSENT, f"answered SSLRequest with {data.decode()}")
    raise ProtocolError("upstream", "an unknown answer to SSLRequest")


class Frames:
    """Cuts the target's bytes into messages; one that announces more than the limit is a violation."""

    __slots__ = ("_buffer", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._buffer = bytearray()
        self._limit_bytes = limit_bytes

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Message | None:
        """The next whole message, or None where more bytes are needed."""
        buffer = self._buffer
        if len(buffer) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(buffer)
        if not 4 <= length <= self._limit_bytes:
            raise ProtocolError("upstream", "a message of impossible length")
        if len(buffer) < length + 1:
            return None
        payload = bytes(buffer[_HEADER.size : length + 1])
        del buffer[: length + 1]
        return Message(kind, payload)

    def take_rest(self) -> bytes:
        """What was received and not used; it is gone from here."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


class State(Enum):
    """Where a sign-in stands, by what it waits for."""

    NEW = auto()
    TLS_ANSWER = auto()
    HANDSHAKE = auto()
    REQUEST = auto()
    """The target says how it wants us to authenticate."""
    VERDICT = auto()
    """A password was sent."""
    CHALLENGE = auto()
    """SCRAM's server-first message; receiving it derives a key, which takes milliseconds."""
    PROOF = auto()
    """SCRAM's server-final message."""
    PROVEN = auto()
    READY = auto()
    """Authenticated; parameters and the key follow, up to ReadyForQuery."""
    OVER = auto()


class SignIn:
    """One sign-in to one target; protocol 3.0.

    `nonce` is fresh printable randomness for SCRAM. `parameters` go into the start-up message beside user and
    database. Every method answers with steps to carry out in order.
    """

    def __init__(self, target: Target, password: Secret, parameters: Mapping[str, str], nonce: str) -> None:
        self.state = State.NEW
        self._target = target
        self._password = password
        self._startup = {**parameters, "user": target.user, "database": target.database}
        self._nonce = nonce
        self._is_secure = False
        self._end_point: bytes | None = None
        self._scram: scram.ScramClient | None = None
        self._frames = Frames(MESSAGE_LIMIT_BYTES)
        self._seen = 0
        self._reported: dict[str, str] = {}
        self._pid: int | None = None
        self._key = b""

    def start(self) -> list[Step]:
        """The first bytes of the connection."""
        if self._target.tls is TlsMode.DISABLE:
            return self._open()
        self.state = State.TLS_ANSWER
        return [Write(startup.build_ssl_request())]

    def secured(self, end_point: bytes | None) -> list[Step]:
        """TLS stands; `end_point` is RFC 5929's tls-server-end-point where it is known."""
        assert self.state is State.HANDSHAKE
        self._is_secure = True
        self._end_point = end_point
        return self._open()

    def receive(self, data: bytes) -> list[Step]:
        """What to do about bytes from the target."""
        if self.state is State.TLS_ANSWER:
            return self._on_tls_answer(data)
        if self.state in (State.NEW, State.HANDSHAKE, State.OVER):
            raise ProtocolError("upstream", "bytes came when none were due")
        self._frames.receive(data)
        steps: list[Step] = []
        while (message := self._next()) is not None:
            steps += self._on_message(backend.parse(message))
        return steps

    def _next(self) -> Message | None:
        if self.state is State.OVER or (message := self._frames.next()) is None:
            return None
        self._seen += 1
        if self._seen > MESSAGE_LIMIT:
            raise ProtocolError("upstream", "too many messages during sign-in")
        return message

    def _open(self) -> list[Step]:
        self.state = State.REQUEST
        return [Write(startup.build_startup(startup.Startup(3, 0, self._startup)))]

    def _on_tls_answer(self, data: bytes) -> list[Step]:
        answer = read_tls_answer(data)
        self.state = State.HANDSHAKE if isinstance(answer, StartTls) else State.OVER
        return [answer]

    def _on_message(self, message: backend.BackendMessage) -> list[Step]:
        if isinstance(message, backend.ErrorResponse):
            return self._on_error(message)
        if isinstance(message, backend.NoticeResponse):
            return []
        handler = _HANDLERS.get((self.state, type(message)))
        if handler is None:
            fault = (
                f"{type(message).__name__} has no place in a sign-in that waits for {self.state.name.lower()}"
            )
            raise ProtocolError("upstream", fault)
        return handler(self, message)

    def _on_error(self, message: backend.ErrorResponse) -> list[Step]:
        code = message.fields.get("C", "")
        return self._fail(_FAULTS.get(code, Fault.REFUSED), f"{code} {message.fields.get('M', '')}")

    def _fail(self, fault: Fault, detail: str) -> list[Step]:
        self.state = State.OVER
        return [Failed(fault, self._harmless(detail))]

    def _harmless(self, detail: str) -> str:
        """Bounded, printable, and without the password, which a hostile target may send back."""
        password = self._password.reveal()
        text = detail.replace(password, "<secret>") if password else detail
        return "".join(c if c.isprintable() else "?" for c in text[:DETAIL_LIMIT])

    # -- authentication

    def _on_ok(self, _: backend.BackendMessage) -> list[Step]:
        self.state = State.READY
        return []

    def _on_cleartext(self, _: backend.BackendMessage) -> list[Step]:
        is_protected = self._is_secure and self._target.tls in _VERIFIED
        if not is_protected and not self._target.allows_cleartext:
            return self._fail(
                Fault.CLEARTEXT_WANTED, "verify its certificate, or have it ask for scram-sha-256"
            )
        return self._give(self._password.reveal())

    def _on_md5(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.AuthenticationMD5Password)
        return self._give(md5_password(self._target.user, self._password.reveal(), message.salt))

    def _give(self, password: str) -> list[Step]:
        self.state = State.VERDICT
        return [Write(frontend.build(frontend.PasswordMessage(password)))]

    def _on_sasl(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.AuthenticationSASL)
        if not {scram.PLAIN, scram.PLUS} & set(message.mechanisms):
            return self._fail(Fault.METHOD_UNKNOWN, f"it offers {', '.join(message.mechanisms)}")
        client = scram.ScramClient(self._password.reveal(), self._nonce, message.mechanisms, self._end_point)
        self._scram = client
        self.state = State.CHALLENGE
        return [Write(frontend.build(frontend.SaslInitialResponse(client.mechanism, client.first())))]

    def _on_challenge(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.AuthenticationSASLContinue) and self._scram
        self.state = State.PROOF
        return [Write(frontend.build(frontend.SaslResponse(self._scram.final(message.data))))]

    def _on_proof(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.AuthenticationSASLFinal) and self._scram
        try:
            self._scram.verify(message.data)
        except ProtocolError as error:
            return self._fail(Fault.NOT_PROVEN, error.message)
        self.state = State.PROVEN
        return []

    def _on_unknown_method(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.AuthenticationUnsupported)
        return self._fail(Fault.METHOD_UNKNOWN, f"authentication request {message.code}")

    # -- authenticated

    def _on_parameter(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.ParameterStatus)
        self._reported[message.name] = message.value
        return []

    def _on_key(self, message: backend.BackendMessage) -> list[Step]:
        assert isinstance(message, backend.BackendKeyData)
        self._pid, self._key = message.pid, message.key
        return []

    def _on_ready(self, _: backend.BackendMessage) -> list[Step]:
        self.state = State.OVER
        return [SignedIn(dict(self._reported), self._pid, self._key, self._frames.take_rest())]


_Handler = Callable[[SignIn, backend.BackendMessage], list[Step]]

_HANDLERS: dict[tuple[State, type[backend.BackendMessage]], _Handler] = {
    (State.REQUEST, backend.AuthenticationOk): SignIn._on_ok,
    (State.REQUEST, backend.AuthenticationCleartextPassword): SignIn._on_cleartext,
    (State.REQUEST, backend.AuthenticationMD5Password): SignIn._on_md5,
    (State.REQUEST, backend.AuthenticationSASL): SignIn._on_sasl,
    (State.REQUEST, backend.AuthenticationUnsupported): SignIn._on_unknown_method,
    (State.VERDICT, backend.AuthenticationOk): SignIn._on_ok,
    (State.CHALLENGE, backend.AuthenticationSASLContinue): SignIn._on_challenge,
    (State.PROOF, backend.AuthenticationSASLFinal): SignIn._on_proof,
    (State.PROVEN, backend.AuthenticationOk): SignIn._on_ok,
    (State.READY, backend.ParameterStatus): SignIn._on_parameter,
    (State.READY, backend.BackendKeyData): SignIn._on_key,
    (State.READY, backend.ReadyForQuery): SignIn._on_ready,
}
"""(what we wait for, what came) -> what to do; ErrorResponse and NoticeResponse may come at any time."""
