"""A client's start: TLS before the token, clear refusals, settings under the rule of a constant SET."""

from __future__ import annotations

import pytest

from narrows.inspect.sql import SessionFacts
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.secret import Secret
from narrows.relay.machine import Close, Send, Side
from narrows.relay.postgres import signin, startup
from narrows.relay.postgres.signin import Authenticate, CancelSession, ClientSignIn, Command, StartTls
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.startup import (
    Startup,
    build_cancel_request,
    build_gss_request,
    build_ssl_request,
    build_startup,
)
from tests.relay.talk import VIEW, said

PASSWORD = frontend.build(frontend.PasswordMessage("nrw_token"))


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def chunk(request: pytest.FixtureRequest) -> int | None:
    size: int | None = request.param
    return size


def feed(machine: ClientSignIn, data: bytes, chunk: int | None = None) -> list[Command]:
    step = chunk or len(data)
    return [command for at in range(0, len(data), step) for command in machine.receive(data[at : at + step])]


def start(**parameters: str) -> bytes:
    return build_startup(Startup(3, 0, {"user": "ann", "database": "shop", **parameters}))


def in_tls(alpn: str | None = None) -> ClientSignIn:
    machine = ClientSignIn()
    assert feed(machine, build_ssl_request()) == [Send(Side.CLIENT, b"S"), StartTls()]
    assert machine.tls_started(alpn) == []
    return machine


def refused(commands: list[Command]) -> dict[str, str]:
    """The fields of the error that ends it."""
    send, close = commands
    assert isinstance(send, Send)
    assert isinstance(close, Close)
    assert send.data[:1] == b"E"
    return dict(backend.parse_error_response(send.data[5:]).fields)


def test_a_token_is_asked_for_inside_tls(chunk: int | None) -> None:
    machine = in_tls()
    asked = backend.build(backend.AuthenticationCleartextPassword())
    assert feed(machine, start(application_name="psql"), chunk) == [Send(Side.CLIENT, asked)]
    (found,) = feed(machine, PASSWORD, chunk)
    assert isinstance(found, Authenticate)
    assert (found.presented, found.user) == (Secret("nrw_token"), "ann")
    assert (found.connection, found.database, found.application) == ("shop", None, "psql")
    assert "nrw_token" not in repr(found)


def test_another_database_of_the_connection() -> None:
    (_, found) = feed(in_tls(), start(database="shop/other") + PASSWORD)
    assert isinstance(found, Authenticate)
    assert (found.connection, found.database) == ("shop", "other")


def test_outside_tls_the_token_is_not_even_asked_for(chunk: int | None) -> None:
    machine = ClientSignIn(has_tls=False)
    assert feed(machine, build_ssl_request(), chunk) == [Send(Side.CLIENT, b"N")]
    fields = refused(feed(machine, start(), chunk))
    assert (fields["S"], fields["C"]) == ("FATAL", "28000")
    assert "NW033" in fields["D"]
    assert machine.receive(PASSWORD) == []


def test_gss_encryption_is_declined_and_then_tls(chunk: int | None) -> None:
    machine = ClientSignIn()
    assert feed(machine, build_gss_request(), chunk) == [Send(Side.CLIENT, b"N")]
    assert feed(machine, build_ssl_request(), chunk) == [Send(Side.CLIENT, b"S"), StartTls()]


def test_bytes_behind_an_encryption_request_are_refused() -> None:
    fields = refused(ClientSignIn().receive(build_ssl_request() + start()))
    assert fields["C"] == "08P01"
    machine = ClientSignIn()
    machine.receive(build_ssl_request())
    assert refused(machine.receive(start()))["C"] == "08P01"


def test_direct_tls_hands_over_its_bytes_and_needs_alpn() -> None:
    machine = ClientSignIn()
    assert machine.receive(b"\x16\x03\x01abc") == [StartTls(b"\x16\x03\x01abc")]
    assert machine.tls_started("postgresql") == []
    for alpn in (None, "h2"):
        machine = ClientSignIn()
        machine.receive(b"\x16")
        assert refused(machine.tls_started(alpn))["C"] == "08P01"


def test_a_cancel_request_is_passed_on() -> None:
    commands = ClientSignIn().receive(build_cancel_request(7, b"k" * 32))
    assert commands[0] == CancelSession(7, b"k" * 32)
    assert isinstance(commands[1], Close)


def test_newer_protocols_are_negotiated_down() -> None:
    for minor, agreed in ((0, 0), (2, 2), (9, 2)):
        newer = build_startup(Startup(3, minor, {"user": "ann"}, {"_pq_.x": "1"}))
        (sent, found) = feed(in_tls(), newer + PASSWORD)
        assert isinstance(sent, Send)
        assert sent.data[:1] == b"v"
        assert isinstance(found, Authenticate)
        assert found.protocol_minor == agreed


@pytest.mark.parametrize(
    ("parameters", "sqlstate", "code"),
    [
        ({"replication": "true"}, "0A000", "NW013"),
        ({"replication": "database"}, "0A000", "NW013"),
        ({"options": "-c"}, "NW014", "NW014"),
        ({"options": "--single"}, "NW014", "NW014"),
        ({"options": "-o x"}, "NW014", "NW014"),
        ({"a b": "1"}, "NW014", "NW014"),
    ],
)
def test_what_is_refused_before_the_token(parameters: dict[str, str], sqlstate: str, code: str) -> None:
    fields = refused(feed(in_tls(), start(**parameters)))
    assert fields["C"] == sqlstate
    assert code in fields["D"]


def test_protocol_2_is_refused() -> None:
    packet = b"\0\0\0\x0c\0\2\0\0user"
    assert refused(feed(in_tls(), packet))["C"] == "0A000"


def test_anything_but_a_password_ends_it() -> None:
    machine = in_tls()
    machine.receive(start())
    assert refused(machine.receive(frontend.build(frontend.Query("select 1"))))["C"] == "08P01"


def test_the_welcome_carries_the_target_s_parameters_and_our_key() -> None:
    machine = in_tls()
    query = frontend.build(frontend.Query("select 1"))
    machine.receive(start() + PASSWORD + query)
    (sent,) = machine.welcome({"server_version": "15.1", "TimeZone": "UTC"}, 7, b"key!")
    assert isinstance(sent, Send)
    assert sent.data == said(
        backend.AuthenticationOk(),
        backend.ParameterStatus("server_version", "15.1"),
        backend.ParameterStatus("TimeZone", "UTC"),
        backend.BackendKeyData(7, b"key!"),
        backend.ReadyForQuery("I"),
    )
    assert machine.take_rest() == query


def test_a_refusal_speaks_in_codes_that_clients_act_upon() -> None:
    for reason, sqlstate in {
        Reason.SIGN_IN_FAILED: "28P01",
        Reason.PRINCIPAL_DISABLED: "28000",
        Reason.UNKNOWN_DATABASE: "3D000",
        Reason.UPSTREAM_UNAVAILABLE: "57P03",
        Reason.BUSY: "53300",
        Reason.INTERNAL: "NW026",
    }.items():
        machine = in_tls()
        machine.receive(start() + PASSWORD)
        fields = refused(machine.refuse(Refusal(reason, "no")))
        assert fields["C"] == sqlstate
        assert reason.code in fields["D"]
        assert fields["H"] == reason.remedy
        assert machine.refuse(Refusal(reason, "again")) == []


def test_every_code_for_the_start_is_a_standard_one() -> None:
    from narrows.relay.postgres.sqlstates import CONDITIONS

    assert set(signin.SQLSTATES.values()) <= set(CONDITIONS)


# -- start-up settings


def decided(**parameters: str) -> startup.Start | Refusal:
    wanted = startup.read_settings({"user": "ann", **parameters})
    assert isinstance(wanted, startup.Wanted)
    return startup.decide(wanted, VIEW)


def test_start_up_settings_become_facts() -> None:
    found = decided(options='-c search_path=other,\\ "Odd"', client_encoding="UTF8", TimeZone="UTC")
    assert isinstance(found, startup.Start)
    assert found.facts.search_path == ("other", "Odd")
    assert list(found.values) == ["search_path", "client_encoding", "TimeZone"]
    assert found.statement is not None
    assert {operation.action.value for operation in found.statement.operations} == {"configure"}


def test_start_up_settings_stand_under_the_rule_of_a_constant_set() -> None:
    for parameters in (
        {"standard_conforming_strings": "off"},
        {"options": "-c standard_conforming_strings=off"},
        {"options": "--standard-conforming-strings=off"},
        {"client_encoding": "SJIS"},
        {"no_such_setting": "1"},
        {"session_preload_libraries": "x"},
    ):
        found = decided(**parameters)
        assert isinstance(found, Refusal), parameters
        assert found.reason is Reason.SETTING_REFUSED


def test_a_start_up_value_cannot_break_out_of_its_quotes() -> None:
    found = decided(TimeZone="'; drop table customers; --")
    assert isinstance(found, startup.Start)
    assert found.statement is not None
    assert {operation.action.value for operation in found.statement.operations} == {"configure"}


def test_nothing_to_set_is_nothing_to_settle() -> None:
    assert decided() == startup.Start({}, SessionFacts(), None)
