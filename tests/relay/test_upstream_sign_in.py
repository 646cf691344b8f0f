"""Signing in to the target, with both sides played here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.model.reason import Reason
from narrows.model.secret import Secret
from narrows.model.target import Target, TlsMode
from narrows.relay.postgres.upstream import (
    MESSAGE_LIMIT_BYTES,
    Failed,
    Fault,
    SignedIn,
    SignIn,
    StartTls,
    Step,
    Write,
    read_tls_answer,
)
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, frontend, scram, startup
from narrows.wire.postgres.message import encode

PASSWORD = "correct horse"
TARGET = Target("shop", "db.example", 5432, "shop", "shop_app", TlsMode.DISABLE)
SECURE = replace(TARGET, tls=TlsMode.VERIFY_FULL)
GREETING: list[backend.BackendMessage] = [
    backend.AuthenticationOk(),
    backend.ParameterStatus("server_version", "18.6"),
    backend.BackendKeyData(7, b"\0\1\2\3"),
    backend.ReadyForQuery("I"),
]
Feed = Callable[[SignIn, bytes], list[Step]]


def whole(sign_in: SignIn, data: bytes) -> list[Step]:
    return sign_in.receive(data)


def byte_by_byte(sign_in: SignIn, data: bytes) -> list[Step]:
    return [step for at in range(len(data)) for step in sign_in.receive(data[at : at + 1])]


@pytest.fixture(params=[whole, byte_by_byte])
def feed(request: pytest.FixtureRequest) -> Feed:
    """Every conversation also runs one byte at a time."""
    chosen: Feed = request.param
    return chosen


def sign_in_to(target: Target = TARGET, password: str = PASSWORD) -> SignIn:
    return SignIn(target, Secret(password), {"application_name": "narrows"}, "nonce-of-the-client")


def said(*messages: backend.BackendMessage) -> bytes:
    return b"".join(backend.build(message) for message in messages)


def written(steps: Iterable[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Write))


def opened(target: Target = TARGET, password: str = PASSWORD, end_point: bytes | None = None) -> SignIn:
    """A sign-in that has sent its start-up message."""
    sign_in = sign_in_to(target, password)
    sign_in.start()
    if target.tls is not TlsMode.DISABLE:
        assert sign_in.receive(b"S") == [StartTls()]
        sign_in.secured(end_point)
    return sign_in


def test_without_tls_the_startup_message_is_first() -> None:
    packet = startup.parse_startup(written(sign_in_to().start()))
    assert packet == startup.Startup(
        3, 0, {"application_name": "narrows", "user": "shop_app", "database": "shop"}
    )


def test_a_caller_cannot_choose_user_or_database() -> None:
    """Parameters that were handed on from a caller never replace the target's own."""
    sign_in = SignIn(TARGET, Secret(PASSWORD), {"user": "postgres", "database": "other"}, "n")
    packet = startup.parse_startup(written(sign_in.start()))
    assert isinstance(packet, startup.Startup)
    assert (packet.parameters["user"], packet.parameters["database"]) == ("shop_app", "shop")


def test_with_tls_nothing_but_the_request_leaves_before_the_handshake() -> None:
    sign_in = sign_in_to(SECURE)
    assert written(sign_in.start()) == startup.build_ssl_request()
    assert sign_in.receive(b"S") == [StartTls()]
    assert isinstance(startup.parse_startup(written(sign_in.secured(None))), startup.Startup)


@pytest.mark.parametrize("answer", [b"N", b"E"])
def test_a_target_without_tls_is_refused(answer: bytes) -> None:
    sign_in = sign_in_to(SECURE)
    sign_in.start()
    [failed] = sign_in.receive(answer)
    assert isinstance(failed, Failed)
    assert failed.fault is Fault.TLS_ABSENT


@pytest.mark.parametrize(
    "answer", [b"S" + said(*GREETING), b"SS", b"N" + said(*GREETING), b"X", b"\x16", b""]
)
def test_bytes_behind_the_answer_to_sslrequest_are_refused(answer: bytes) -> None:
    """They came in clear and would be taken as if they had come inside TLS (CVE-2021-23222)."""
    with pytest.raises(ProtocolError):
        read_tls_answer(answer)


def test_trust_ends_in_a_session(feed: Feed) -> None:
    [done] = feed(opened(), said(*GREETING))
    assert done == SignedIn({"server_version": "18.6"}, 7, b"\0\1\2\3", b"")


def test_bytes_behind_the_greeting_are_handed_on() -> None:
    """A notice right after ReadyForQuery belongs to the session."""
    notice = said(backend.NoticeResponse({"S": "NOTICE", "C": "00000", "M": "hello"}))
    [done] = opened().receive(said(*GREETING) + notice)
    assert isinstance(done, SignedIn)
    assert done.rest == notice


def test_a_target_without_a_cancel_key_will_do(feed: Feed) -> None:
    [done] = feed(opened(), said(backend.AuthenticationOk(), backend.ReadyForQuery("I")))
    assert isinstance(done, SignedIn)
    assert done.pid is None


def test_notices_during_sign_in_are_passed_over(feed: Feed) -> None:
    notice = backend.NoticeResponse({"S": "WARNING", "C": "01000", "M": "collation version mismatch"})
    steps = feed(opened(), said(notice, *GREETING[:1], notice, *GREETING[1:]))
    assert [type(step) for step in steps] == [SignedIn]


@pytest.mark.parametrize(
    ("target", "is_sent"),
    [
        (TARGET, False),
        (replace(TARGET, tls=TlsMode.REQUIRE), False),
        (replace(TARGET, allows_cleartext=True), True),
        (replace(TARGET, tls=TlsMode.VERIFY_CA), True),
        (SECURE, True),
    ],
)
def test_the_password_leaves_in_clear_only_where_it_may(target: Target, is_sent: bool) -> None:
    """Unverified TLS could end at anybody's."""
    [step] = opened(target).receive(said(backend.AuthenticationCleartextPassword()))
    if is_sent:
        assert step == Write(frontend.build(frontend.PasswordMessage(PASSWORD)))
    else:
        assert isinstance(step, Failed)
        assert step.fault is Fault.CLEARTEXT_WANTED


def test_md5_is_answered_as_postgresql_expects() -> None:
    [step] = opened().receive(said(backend.AuthenticationMD5Password(b"salt")))
    stored = hashlib.md5(b"correct horseshop_app").hexdigest()
    expected = "md5" + hashlib.md5(stored.encode() + b"salt").hexdigest()
    assert step == Write(frontend.build(frontend.PasswordMessage(expected)))


class ScramTarget:
    """The target's half of SCRAM."""

    def __init__(self, password: str, end_point: bytes | None = None) -> None:
        self.end_point = end_point
        self._verifier = scram.make_verifier(password, b"salt of sixteen!")
        self.mechanism = ""

    def offer(self) -> bytes:
        return said(backend.AuthenticationSASL(scram.mechanisms(self.end_point)))

    def challenge(self, data: bytes) -> bytes:
        initial = frontend.parse_sasl_initial_response(data[5:])
        self.mechanism = initial.mechanism
        self._server = scram.ScramServer(self._verifier, "-and-of-the-target", self.mechanism, self.end_point)
        assert initial.response
        return said(backend.AuthenticationSASLContinue(self._server.first(initial.response)))

    def verdict(self, data: bytes) -> bytes:
        accepted = self._server.final(frontend.parse_sasl_response(data[5:]).response)
        if isinstance(accepted, scram.Rejected):
            return said(error("28P01", "password authentication failed"))
        return said(backend.AuthenticationSASLFinal(accepted.final))


def error(code: str, message: str) -> backend.ErrorResponse:
    return backend.ErrorResponse({"S": "FATAL", "V": "FATAL", "C": code, "M": message})


@pytest.mark.parametrize("end_point", [None, b"digest of the certificate"])
def test_scram_with_and_without_channel_binding(feed: Feed, end_point: bytes | None) -> None:
    """Where the target's certificate is known, the conversation is bound to it."""
    sign_in = opened(SECURE, end_point=end_point)
    target = ScramTarget(PASSWORD, end_point)
    challenge = target.challenge(written(feed(sign_in, target.offer())))
    verdict = target.verdict(written(feed(sign_in, challenge)))
    assert target.mechanism == (scram.PLUS if end_point else scram.PLAIN)
    assert feed(sign_in, verdict) == []
    [done] = feed(sign_in, said(*GREETING))
    assert isinstance(done, SignedIn)


def test_a_wrong_password_is_told_as_such() -> None:
    sign_in, target = opened(), ScramTarget("another")
    challenge = target.challenge(written(sign_in.receive(target.offer())))
    [failed] = sign_in.receive(target.verdict(written(sign_in.receive(challenge))))
    assert isinstance(failed, Failed)
    assert failed.fault is Fault.PASSWORD_REFUSED


def test_a_target_that_cannot_prove_itself_is_refused() -> None:
    """It asked for a proof and does not know the password: somebody in between."""
    sign_in, target = opened(), ScramTarget(PASSWORD)
    sign_in.receive(target.challenge(written(sign_in.receive(target.offer()))))
    forged = said(backend.AuthenticationSASLFinal(b"v=" + b"A" * 43 + b"="))
    [failed] = sign_in.receive(forged)
    assert isinstance(failed, Failed)
    assert failed.fault is Fault.NOT_PROVEN


@pytest.mark.parametrize("stage", ["challenge", "proof"])
def test_ok_in_the_middle_of_scram_is_refused(stage: str) -> None:
    """A target may not leave out its proof."""
    sign_in, target = opened(), ScramTarget(PASSWORD)
    first = written(sign_in.receive(target.offer()))
    if stage == "proof":
        sign_in.receive(target.challenge(first))
    with pytest.raises(ProtocolError):
        sign_in.receive(said(*GREETING))


@pytest.mark.parametrize(
    "message",
    [
        backend.AuthenticationSASL(("SCRAM-SHA-1", "OAUTHBEARER")),
        backend.AuthenticationUnsupported(7, b""),
    ],
)
def test_an_unknown_method_is_told_as_such(message: backend.BackendMessage) -> None:
    [failed] = opened().receive(said(message))
    assert isinstance(failed, Failed)
    assert failed.fault is Fault.METHOD_UNKNOWN


@pytest.mark.parametrize(
    ("code", "fault", "sqlstate"),
    [
        ("28P01", Fault.PASSWORD_REFUSED, None),
        ("28000", Fault.NOT_ADMITTED, None),
        ("3D000", Fault.DATABASE_MISSING, "3D000"),
        ("53300", Fault.TOO_MANY, "53300"),
        ("57P03", Fault.NOT_READY, "57P03"),
        ("XX000", Fault.REFUSED, None),
    ],
)
def test_errors_by_kind(code: str, fault: Fault, sqlstate: str | None) -> None:
    """A caller is told the kind in our own words; a wrong password of ours is not his."""
    [failed] = opened().receive(said(error(code, "for shop_app from 10.1.2.3 at internal-host")))
    assert isinstance(failed, Failed)
    assert failed.fault is fault
    refusal = failed.refusal()
    assert refusal.reason is Reason.UPSTREAM_UNAVAILABLE
    assert refusal.sqlstate == sqlstate
    assert "internal-host" not in refusal.message
    assert "internal-host" in failed.detail


def test_a_target_that_sends_the_password_back_does_not_spread_it() -> None:
    [failed] = opened().receive(said(error("XX000", f"you said {PASSWORD}\x1b[2J")))
    assert isinstance(failed, Failed)
    assert PASSWORD not in failed.detail
    assert "\x1b" not in failed.detail


def test_nothing_secret_shows() -> None:
    [step] = opened(SECURE).receive(said(backend.AuthenticationCleartextPassword()))
    assert PASSWORD not in repr(step)
    assert "key" not in repr(SignedIn({}, 1, b"secret-key"))


@pytest.mark.parametrize(
    "data",
    [
        encode(b"R", b"")[:1] + (MESSAGE_LIMIT_BYTES + 1).to_bytes(4, "big"),
        b"R\0\0\0\3",
        said(backend.ReadyForQuery("I")),
        said(backend.BackendKeyData(1, b"1234")),
        said(backend.CopyInResponse(0, ())),
        said(backend.NegotiateProtocolVersion(3 << 16, ())),
        said(backend.AuthenticationSASLFinal(b"v=x")),
        said(backend.AuthenticationOk(), backend.AuthenticationOk()),
    ],
)
def test_what_has_no_place_is_a_violation(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        opened().receive(data)


def test_an_endless_greeting_ends() -> None:
    """Parameters without end would fill memory."""
    endless = said(backend.AuthenticationOk()) + said(backend.ParameterStatus("a", "b")) * 1000
    with pytest.raises(ProtocolError):
        opened().receive(endless)


def test_bytes_that_are_not_due_are_a_violation() -> None:
    sign_in = sign_in_to(SECURE)
    sign_in.start()
    sign_in.receive(b"S")
    with pytest.raises(ProtocolError):
        sign_in.receive(said(*GREETING))


def _kinds() -> Iterator[bytes]:
    yield from (b"R", b"S", b"K", b"Z", b"E", b"N", b"v", b"T")


@given(
    st.lists(st.tuples(st.sampled_from(sorted(_kinds())), st.binary(max_size=40)), max_size=6),
    st.binary(max_size=20),
)
def test_hostile_bytes_give_only_protocol_errors(messages: list[tuple[bytes, bytes]], tail: bytes) -> None:
    data = b"".join(encode(kind, payload) for kind, payload in messages) + tail
    try:
        steps = opened().receive(data)
    except ProtocolError:
        return
    assert all(isinstance(step, Write | Failed | SignedIn) for step in steps)
