"""The control API: every call by somebody known, settled first, answered with no secret and no surprise."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from narrows.api import server
from narrows.api.application import build, described
from narrows.api.calls import Peer
from narrows.api.ports import Check, JournalEntry, State
from narrows.model.reason import Reason
from narrows.settings import Address
from tests.api.fake import NOW, FakeGateway, Running, config_in, running, unavailable

OLGA = {"Authorization": "Bearer olga-token"}
ALICE = {"Authorization": "Bearer alice-token"}

OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
SIGNED_IN_ONLY = {("GET", "/v1/whoami"), ("GET", "/v1/connections")}

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/tokens"): {"principal": "alice"},
    ("PUT", "/v1/credentials/{name}"): {"connection": "shop", "value": "s3cret-value"},
    ("POST", "/v1/explain"): {"connection": "shop", "action": "select", "on": "public.payroll"},
}


def routes(gateway: FakeGateway) -> list[tuple[str, str]]:
    return [
        (method.upper(), path) for path, methods in described(gateway)["paths"].items() for method in methods
    ]


def send(client: Any, method: str, path: str, headers: dict[str, str]) -> Any:
    url = re.sub(r"{\w+}", "x", path)
    body = BODIES.get((method, path))
    return client.request(method, url, json=body, headers=headers)


@pytest.fixture
def client(gateway: FakeGateway) -> TestClient:
    """Over no socket: nobody but a token."""
    return TestClient(build(gateway), raise_server_exceptions=False, base_url="https://gw")


def test_every_route_asks_who_calls(client: TestClient, gateway: FakeGateway) -> None:
    for method, path in routes(gateway):
        answer = send(client, method, path, {})
        if (method, path) in OPEN:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "NW030"), (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert gateway.order == []


def test_every_route_is_settled_before_the_gateway_is_shown_or_changed(
    client: TestClient, gateway: FakeGateway
) -> None:
    tried = 0
    for method, path in routes(gateway):
        if (method, path) in OPEN | SIGNED_IN_ONLY:
            continue
        gateway.order.clear()
        send(client, method, path, OLGA)
        assert gateway.order[:2] == ["sign_in", "settle"], (method, path)
        assert gateway.order[-1].startswith("finished:"), (method, path)
        tried += 1
    assert tried >= 15


def test_a_refused_call_reaches_nothing_and_says_why(client: TestClient, gateway: FakeGateway) -> None:
    for method, path in routes(gateway):
        if (method, path) in OPEN | SIGNED_IN_ONLY:
            continue
        gateway.order.clear()
        answer = send(client, method, path, ALICE)
        assert gateway.order == ["sign_in", "settle"], (method, path)
        assert (answer.status_code, answer.json()["code"]) == (403, "NW001"), (method, path)


def test_the_record_says_what_was_asked_and_never_a_secret(client: TestClient, gateway: FakeGateway) -> None:
    client.put("/v1/credentials/shop", json=BODIES["PUT", "/v1/credentials/{name}"], headers=OLGA)
    client.post("/v1/tokens", json={"principal": "alice", "ttl_s": 60, "note": "n"}, headers=OLGA)
    texts = [statement.text for _, statement, _ in gateway.journal]
    assert texts == [
        "PUT /v1/credentials/shop connection='shop'",
        "POST /v1/tokens principal='alice' ttl_s=60.0",
    ]
    session = gateway.journal[0][0]
    assert (session.principal.id, session.client.is_tls) == ("User/olga", True)


def test_a_refusal_has_the_same_fields_as_in_every_protocol(client: TestClient) -> None:
    answer = client.get("/v1/sessions", headers=ALICE)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code", "message", "retryable", "remedy"} <= set(body)
    assert body["retryable"] is False


def test_nothing_runs_while_the_journal_cannot_be_written(client: TestClient, gateway: FakeGateway) -> None:
    gateway.journal_fails = True
    answer = client.delete("/v1/sessions/s1", headers=OLGA)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "NW020", True)
    assert len(gateway.sessions_) == 1


def test_a_credential_goes_in_and_never_comes_out(client: TestClient, gateway: FakeGateway) -> None:
    body = {"connection": "shop", "value": "s3cret-value"}
    stored = client.put("/v1/credentials/shop", json=body, headers=OLGA)
    listed = client.get("/v1/credentials", headers=OLGA)
    wrong = client.put("/v1/credentials/shop", json={**body, "extra": 1}, headers=OLGA)
    gone = client.put("/v1/credentials/shop", json={**body, "connection": "nope"}, headers=OLGA)
    assert [answer.status_code for answer in (stored, listed, wrong, gone)] == [200, 200, 422, 404]
    assert gateway.credentials_["shop"][1].reveal() == "s3cret-value"
    for answer in (stored, listed, wrong, gone):
        assert "s3cret" not in answer.text
    assert "s3cret" not in repr(gateway.journal)


@pytest.mark.parametrize("name", ["a b", "..", "x" * 200, "%2e%2e%2fetc"])
def test_a_credentials_name_is_plain(client: TestClient, gateway: FakeGateway, name: str) -> None:
    answer = client.put(f"/v1/credentials/{name}", json=BODIES["PUT", "/v1/credentials/{name}"], headers=OLGA)
    assert answer.status_code in (404, 405, 422)
    assert gateway.credentials_ == {}


def test_a_token_is_made_for_whom_narrows_yaml_declares(client: TestClient) -> None:
    def create(**body: object) -> Any:
        return client.post("/v1/tokens", json=body, headers=OLGA)

    made = create(principal="alice")
    assert made.status_code == 201 and made.json()["secret"].startswith("nrw_")
    assert made.json()["token"]["expires_at"] == NOW + 12 * 3600
    assert create(principal="Service/reports").status_code == 201
    for refused in ("nobody", "Service/alice", "operator", "User/operator"):
        assert create(principal=refused).status_code == 404, refused
    assert create(principal="alice", ttl_s=31 * 86400).status_code == 422
    assert create(principal="alice", ttl_s=-1).status_code == 422
    assert "secret" not in client.get("/v1/tokens", headers=OLGA).text


def test_revoking_what_is_not_there_is_said(client: TestClient) -> None:
    for path in ("/v1/tokens/none", "/v1/sessions/none", "/v1/credentials/none"):
        answer = client.delete(path, headers=OLGA)
        assert (answer.status_code, answer.json()["code"]) == (404, "NW051")


def test_bound_values_need_a_right_of_their_own(client: TestClient) -> None:
    assert client.get("/v1/journal/main:1", headers=OLGA).status_code == 200
    assert client.get("/v1/journal/main:1?values=true", headers=OLGA).status_code == 403


def test_a_search_is_paged_without_gap_or_repeat(client: TestClient, gateway: FakeGateway) -> None:
    gateway.entries = [JournalEntry(f"main:{n}", NOW - n, "statement") for n in range(25)]
    seen: list[str] = []
    before: str | None = None
    while True:
        params = {"limit": 10, **({"before": before} if before else {})}
        page = client.get("/v1/journal", params=params, headers=OLGA).json()
        seen += [entry["id"] for entry in page["entries"]]
        before = page["next"]
        if before is None:
            break
    assert seen == [entry.id for entry in gateway.entries]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=2026-11-22T09:00:00Z", 200),
        ("since=1795000000.5", 200),
        ("since=yesterday", 422),
        ("limit=0", 422),
        ("limit=501", 422),
        ("text=" + "x" * 300, 422),
    ],
)
def test_a_search_takes_times_and_bounds(client: TestClient, query: str, status: int) -> None:
    assert client.get(f"/v1/journal?{query}", headers=OLGA).status_code == status


def test_whoami_shows_groups_rights_and_rungs(client: TestClient) -> None:
    me = client.get("/v1/whoami", headers=ALICE).json()
    assert (me["principal"], me["groups"], me["operate"]) == ("User/alice", ["support"], [])
    shop = next(known for known in me["connections"] if known["connection"] == "shop")
    assert "connect" in shop["allowed"] and "drop" not in shop["allowed"] + shop["partly"]
    assert "select" in shop["partly"]  # payroll is not hers
    assert shop["rungs"] == {"email": "none", "pii": "none", "salary": "none", "ssn": "partial"}
    assert "reload" in client.get("/v1/whoami", headers=OLGA).json()["operate"]


def test_connections_are_those_that_the_caller_may_open(client: TestClient) -> None:
    (shop,) = client.get("/v1/connections", headers=ALICE).json()
    assert shop["name"] == "shop" and "db.internal" not in str(shop)
    assert (shop["host"], shop["port"], shop["user"], shop["sslmode"]) == (
        "localhost",
        6432,
        "alice",
        "verify-full",
    )
    assert client.get("/v1/connections", headers=OLGA).json() == []


def test_reload_answers_every_fault_and_keeps_what_was(client: TestClient, gateway: FakeGateway) -> None:
    before = gateway.config
    (gateway.config.directory / "policies/main.cedar").write_text("permit (")
    answer = client.post("/v1/reload", headers=OLGA)
    assert (answer.status_code, answer.json()["code"]) == (409, "NW052")
    assert answer.json()["faults"][0]["file"] == "policies/main.cedar"
    assert gateway.config is before


def test_explain_says_why_for_an_action_and_for_sql(client: TestClient) -> None:
    ask = {"principal": "alice", "connection": "shop"}
    by_action = client.post(
        "/v1/explain", json={**ask, "action": "select", "on": "public.payroll"}, headers=OLGA
    )
    by_sql = client.post("/v1/explain", json={**ask, "sql": "SELECT * FROM payroll"}, headers=OLGA)
    for answer in (by_action, by_sql):
        (found,) = answer.json()
        assert (found["effect"], found["code"], found["policies"]) == ("deny", "NW002", ["payroll"])
        assert any("payroll" in step for step in found["steps"])
    unparsable = client.post("/v1/explain", json={**ask, "sql": "SELEC"}, headers=OLGA)
    assert unparsable.json()["code"] == "NW010"
    for wrong in (ask, {**ask, "sql": "x", "action": "select"}, {**ask, "action": "fly", "on": ""}):
        assert client.post("/v1/explain", json=wrong, headers=OLGA).status_code == 422


def test_a_body_over_the_limit_is_refused_declared_or_not(client: TestClient) -> None:
    large = b"x" * 9000
    declared = client.post("/v1/tokens", content=large, headers=OLGA)
    streamed = client.post("/v1/tokens", content=iter([large[:5000], large[5000:]]), headers=OLGA)
    assert [declared.status_code, streamed.status_code] == [413, 413]
    assert streamed.json()["code"] == "NW011"


def test_a_part_that_cannot_answer_is_named_and_a_failure_is_not_shown(
    client: TestClient, gateway: FakeGateway
) -> None:
    gateway.failing = unavailable()
    answer = client.get("/v1/tokens", headers=OLGA)
    assert (answer.status_code, answer.json()["code"]) == (503, "NW021")
    gateway.failing = RuntimeError("password=hunter2")
    answer = client.get("/v1/tokens", headers=OLGA)
    assert (answer.status_code, answer.json()["code"]) == (500, "NW026")
    assert "hunter2" not in answer.text
    assert gateway.order[-1] == "finished:error"


def test_an_unknown_route_and_a_wrong_method_are_problems_too(client: TestClient) -> None:
    for answer in (client.get("/nope"), client.post("/healthz")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "NW051"


def test_readiness_names_what_fails_and_nothing_more(client: TestClient, gateway: FakeGateway) -> None:
    gateway.checks = (Check("journal", State.FAIL, "disk full at /secret/path"), Check("store", State.OK, ""))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "failing": ["journal"]}


def test_metrics_need_a_right_unless_made_public(client: TestClient, gateway: FakeGateway) -> None:
    assert client.get("/metrics", headers=ALICE).status_code == 403
    assert client.get("/metrics", headers=OLGA).text == "narrows_sessions 1\n"
    settings = dataclasses.replace(gateway.config.settings, metrics_public=True)
    gateway.config = dataclasses.replace(gateway.config, settings=settings)
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("value", ["Basic x", "Bearer", "Bearer  ", "Bearer " + "x" * 9000, "olga-token"])
def test_a_token_is_written_one_way(client: TestClient, value: str) -> None:
    assert client.get("/v1/whoami", headers={"Authorization": value}).status_code == 401


def test_answers_are_not_cached(client: TestClient) -> None:
    for path in ("/healthz", "/v1/whoami", "/nope"):
        assert client.get(path).headers["cache-control"] == "no-store"


# Over real sockets ---------------------------------------------------------------------------------------


def test_the_socket_is_its_owners_and_its_peer_is_the_operator(
    served: Running, by_socket: httpx.Client
) -> None:
    assert stat.S_IMODE(served.socket.stat().st_mode) == 0o600
    me = by_socket.get("/v1/whoami").json()
    assert (me["principal"], me["method"], me["expires_at"]) == ("User/operator", "socket", None)
    assert by_socket.get("/v1/sessions").status_code == 200
    session = served.gateway.journal[0][0]
    assert session.client.address.startswith("unix:uid=")


def test_a_token_on_the_socket_means_its_owner(by_socket: httpx.Client) -> None:
    assert by_socket.get("/v1/whoami", headers=ALICE).json()["principal"] == "User/alice"
    assert by_socket.get("/v1/whoami", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_another_users_process_on_the_socket_is_nobody(
    served: Running, by_socket: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_peer", lambda _connection: Peer(uid=65534, pid=1))
    assert by_socket.get("/v1/sessions").json()["code"] == "NW030"


def test_over_https_nobody_is_the_operator(by_https: httpx.Client) -> None:
    assert by_https.get("/v1/whoami").status_code == 401
    assert by_https.get("/v1/whoami", headers=OLGA).json()["principal"] == "User/olga"
    forged = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=unix"}
    assert by_https.get("/v1/sessions", headers=forged).status_code == 401


def test_plain_http_at_the_https_port_is_not_answered(served: Running) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(served.url.replace("https", "http") + "/healthz", trust_env=False)


def test_garbage_on_the_wire_ends_that_connection_only(served: Running, by_socket: httpx.Client) -> None:
    for garbage in (
        b"\x00\xff\n\n",
        b"GET " + b"/" * 100_000,
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(5)
            raw.connect(str(served.socket))
            raw.sendall(garbage)
            while raw.recv(65536):
                pass
    assert by_socket.get("/healthz").status_code == 200


def test_a_dawdling_connection_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_TIMEOUT_S", 0.2)
    with running(tmp_path, FakeGateway(config_in(tmp_path))) as served, socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(str(served.socket))
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(100) == b""


def test_the_socket_is_gone_after_a_stop_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    gateway = FakeGateway(config_in(tmp_path))
    with running(tmp_path, gateway) as served:
        path = served.socket
        with pytest.raises(server.ListenError, match="another gateway"):
            server.bind((), path)
    assert not path.exists()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    listeners = server.bind((), path)
    listeners.close()
    path.unlink()


def test_an_address_that_is_taken_names_its_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(server.ListenError, match="control_listen"):
            server.bind((address,), tmp_path / "c.sock")
    assert not (tmp_path / "c.sock").exists()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(server.ListenError, match="not a socket"):
        server.bind((), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_every_reason_has_a_status() -> None:
    from narrows.api.problems import problem

    assert all(400 <= problem(reason, "x").status < 600 for reason in Reason)
