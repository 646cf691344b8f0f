"""SCRAM-SHA-256: the RFC's own conversation, both halves against each other, and every lie that was thought of."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import scram
from narrows.wire.postgres.md5 import md5_password
from narrows.wire.postgres.saslprep import password_bytes, saslprep
from narrows.wire.postgres.scram import PLAIN, PLUS, Accepted, Rejected, ScramClient, ScramServer

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
VERIFIER = scram.make_verifier("pencil", SALT, 4096)


def rfc_client() -> ScramClient:
    """The client of RFC 7677 section 3."""
    return ScramClient("pencil", "rOprNGfwEbeRWgbNEkqO", [PLAIN], user="user")


def rfc_server() -> ScramServer:
    return ScramServer(VERIFIER, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")


def talk(client: ScramClient, server: ScramServer) -> Accepted | Rejected:
    """A whole conversation; the client verifies where it was accepted."""
    answer = server.final(client.final(server.first(client.first())))
    if isinstance(answer, Accepted):
        client.verify(answer.final)
    return answer


def test_the_client_says_what_the_rfc_says() -> None:
    client = rfc_client()
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert client.final(SERVER_FIRST) == CLIENT_FINAL
    client.verify(SERVER_FINAL)


def test_the_server_says_what_the_rfc_says() -> None:
    server = rfc_server()
    assert server.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == SERVER_FIRST
    assert server.final(CLIENT_FINAL) == Accepted(SERVER_FINAL)


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from([None, b"c" * 32]))
def test_only_the_right_password_is_accepted(right: str, tried: str, end_point: bytes | None) -> None:
    right, tried = (text.encode("utf-8", "replace").decode() for text in (right, tried))
    verifier = scram.make_verifier(right, b"salt", 1)
    client = ScramClient(tried, "abc", scram.mechanisms(end_point), end_point)
    answer = talk(client, ScramServer(verifier, "def", client.mechanism, end_point))
    assert isinstance(answer, Accepted) == (password_bytes(right) == password_bytes(tried))


def test_the_plus_mechanism_binds_the_certificate() -> None:
    client = ScramClient("pencil", "abc", [PLUS, PLAIN], b"certificate one")
    assert client.mechanism == PLUS
    assert client.first().startswith(b"p=tls-server-end-point,,")
    with pytest.raises(ProtocolError, match="channel binding"):
        talk(client, ScramServer(VERIFIER, "def", PLUS, b"certificate two"))


def test_an_offer_that_was_struck_out_on_the_way_is_found_out() -> None:
    client = ScramClient("pencil", "abc", [PLAIN], b"certificate")
    assert client.first().startswith(b"y,,")
    with pytest.raises(ProtocolError, match="did not reach the client"):
        talk(client, ScramServer(VERIFIER, "def", PLAIN, b"certificate"))


def test_binding_and_mechanism_fit_each_other() -> None:
    plain = ScramServer(VERIFIER, "def")
    with pytest.raises(ProtocolError, match="without the PLUS"):
        plain.first(b"p=tls-server-end-point,,n=,r=abc")
    plus = ScramServer(VERIFIER, "def", PLUS, b"c")
    for flag in (b"n", b"y", b"p=tls-unique"):
        with pytest.raises(ProtocolError, match="needs tls-server-end-point"):
            plus.first(flag + b",,n=,r=abc")
    with pytest.raises(ProtocolError, match="not offered"):
        ScramServer(VERIFIER, "def", PLUS)


def test_nothing_that_we_speak_is_offered() -> None:
    with pytest.raises(ProtocolError, match="none of the mechanisms"):
        ScramClient("pencil", "abc", ["OAUTHBEARER", PLUS])


def test_the_names_of_saslname_are_escaped() -> None:
    assert ScramClient("x", "abc", [PLAIN], user="a=b,c").first() == b"n,,n=a=3Db=2Cc,r=abc"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=4096",
        b"r=other%hvYDpWUa2RaTCAfuxFIlj,s=QQ==,i=4096",
        b"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=Q!==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=0",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=-1",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=600001",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=99999999999999999999",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=\xd9\xa4",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096,m=x",
        b"r=rOprNGfwEbeRWgbNEkqO\x01,s=QQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096\0",
        b"r=rOprNGfwEbeRWgbNEkqO" + b"x" * 9000 + b",s=QQ==,i=1",
    ],
)
def test_a_target_that_lies_gets_no_proof(first: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        rfc_client().final(first)
    assert caught.value.side == "upstream"


@pytest.mark.parametrize(
    "final", [b"", b"v=", b"v=" + base64.b64encode(b"0" * 32), b"e=other-error", b"v=!", b"x=y"]
)
def test_a_target_that_does_not_know_the_password_is_not_believed(final: bytes) -> None:
    client = rfc_client()
    client.final(SERVER_FIRST)
    with pytest.raises(ProtocolError):
        client.verify(final)


def test_nothing_is_verified_before_the_challenge() -> None:
    with pytest.raises(ProtocolError, match="before it began"):
        rfc_client().verify(SERVER_FINAL)
    with pytest.raises(ProtocolError, match="before it began"):
        rfc_server().final(CLIENT_FINAL)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=",
        b"n,a=admin,n=,r=abc",
        b"n,,r=abc",
        b"n,,n=,r=",
        b"n,,n=,r=a\0b",
        b"n,,n=,r=\xff",
        b"x,,n=,r=abc",
        b"n,,m=x,n=,r=abc",
        b"n,,n=,r=" + b"a" * 300,
    ],
)
def test_a_client_that_lies_gets_no_challenge(first: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        rfc_server().first(first)
    assert caught.value.side == "client"


@pytest.mark.parametrize(
    "final",
    [
        b"",
        CLIENT_FINAL.replace(b"biws", b"eSws"),
        CLIENT_FINAL.replace(b"$k0", b"$k1"),
        CLIENT_FINAL[:-8],
        CLIENT_FINAL + b"AAAA",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    ],
)
def test_a_final_message_that_does_not_fit_is_refused(final: bytes) -> None:
    server = rfc_server()
    server.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    with pytest.raises(ProtocolError):
        server.final(final)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_hostile_bytes_give_only_a_protocol_error(one: bytes, two: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        rfc_server().first(one)
    with contextlib.suppress(ProtocolError):
        rfc_client().final(one)
    server, client = rfc_server(), rfc_client()
    server.first(client.first())
    client.final(SERVER_FIRST)
    with pytest.raises(ProtocolError):
        server.final(two)
    with pytest.raises(ProtocolError):
        client.verify(two)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
    ],
)
def test_the_examples_of_rfc_4013(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "a\u0627", "\ue000", "\u0221"])
def test_what_saslprep_prohibits_is_used_as_it_is(text: str) -> None:
    """As PostgreSQL does, or such a password could not sign in."""
    with pytest.raises(ValueError):
        saslprep(text)
    assert password_bytes(text) == text.encode()


def test_a_password_that_is_not_utf8_is_used_as_it_is() -> None:
    assert password_bytes("\udcff\udcfe") == b"\xff\xfe"


def test_the_verifier_and_the_client_show_no_secret() -> None:
    assert repr(VERIFIER.stored_key)[2:10] not in repr(VERIFIER)
    assert "pencil" not in repr(rfc_client())


def test_the_binding_hash_follows_rfc_5929() -> None:
    assert len(scram.end_point_binding(b"der", "SHA1")) == 32
    assert len(scram.end_point_binding(b"der", "md5")) == 32
    assert len(scram.end_point_binding(b"der", "sha384")) == 48


def test_md5_is_what_postgresql_wants() -> None:
    assert md5_password("alice", "secret", b"\x01\x02\x03\x04") == "md598a0412b9c31436fc53776e863350083"
