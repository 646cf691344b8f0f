"""The command line's way to a gateway: a Unix socket, or HTTPS with a token.

Laws: a token leaves this machine inside verified TLS only; no proxy of the environment is used; what the
gateway answers becomes a value or one CliError.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx

from narrows.cli import login_store
from narrows.cli.errors import CliError, ExitCode
from narrows.model.secret import Secret

DEFAULT_URL = "https://localhost:6433"
TIMEOUT_S = 30.0
SLOW_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach a gateway, and who asks."""

    url: str
    token: Secret | None = None
    socket: Path | None = None
    ca: Path | None = None
    ca_is_kept: bool = field(default=False)

    def __str__(self) -> str:
        return str(self.socket) if self.socket else self.url


class Client:
    """Asks one gateway; every method may raise CliError."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._http = httpx.Client(
            base_url="http://narrows" if way.socket else way.url,
            transport=_transport(way),
            headers={"Authorization": f"Bearer {way.token.reveal()}"} if way.token else {},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def get(self, path: str, **params: object) -> Any:
        wanted = {name: str(value) for name, value in params.items() if value is not None}
        return self._ask("GET", path, params=wanted)

    def post(self, path: str, body: Mapping[str, object] | None = None, timeout_s: float = TIMEOUT_S) -> Any:
        return self._ask("POST", path, json=body, timeout=timeout_s)

    def put(self, path: str, body: Mapping[str, object]) -> Any:
        return self._ask("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.TimeoutException:
            raise CliError(
                f"the gateway at {self.way} did not answer in time", "Try again.", ExitCode.UNREACHABLE
            ) from None
        except (httpx.TransportError, OSError) as error:
            raise _unreachable(self.way, error) from None
        if answer.is_success:
            return _json(answer, self.way)
        raise _refused(answer, self.way)


def part(text: str) -> str:
    """One segment of a path."""
    return quote(text, safe="")


@contextmanager
def connect() -> Iterator[Client]:
    """The gateway that the command's options, the environment or the kept sign-in name."""
    client = Client(find_way(click.get_current_context().meta))
    try:
        yield client
    finally:
        client.close()


def find_way(options: Mapping[str, Any]) -> Way:
    """--url, then --config (each may come from the environment), then the kept sign-in, then this directory."""
    if url := options.get("narrows.url"):
        return _way_by_url(str(url), options.get("narrows.ca"))
    if directory := options.get("narrows.config"):
        return way_by_directory(Path(directory))
    if os.environ.get("NARROWS_TOKEN"):
        return _way_by_url(DEFAULT_URL, options.get("narrows.ca"))
    if (login := login_store.load()) is not None:
        ca = login_store.ca_path() if login.has_ca else None
        return Way(login.url, Secret(login.token), ca=ca, ca_is_kept=login.has_ca)
    if Path("narrows.yaml").is_file():
        return way_by_directory(Path())
    raise CliError(
        "nobody is signed in",
        "Run `narrows login`, or name the gateway's directory with --config DIR.",
        ExitCode.NOT_SIGNED_IN,
    )


def way_by_directory(directory: Path) -> Way:
    """The control socket of a directory; NARROWS_TOKEN, where set, says who asks instead of the operator."""
    from narrows.config.load import read_settings

    if not (directory / "narrows.yaml").is_file():
        raise CliError(
            f"{directory} is not a narrows directory: narrows.yaml is missing", "Correct --config."
        )
    token = os.environ.get("NARROWS_TOKEN")
    socket = read_settings(directory).control_socket
    return Way("http://narrows", Secret(token) if token else None, socket=socket)


def _way_by_url(url: str, ca: Path | None) -> Way:
    login = login_store.load()
    is_kept = login is not None and login.url == url.rstrip("/")
    token = os.environ.get("NARROWS_TOKEN") or (login.token if login and is_kept else None)
    if token is None:
        raise CliError(
            f"nobody is signed in at {url}", f"Run: narrows login --url {url}", ExitCode.NOT_SIGNED_IN
        )
    if ca is None and login is not None and is_kept and login.has_ca:
        ca = login_store.ca_path()
    return Way(checked_url(url), Secret(token), ca=ca)


def checked_url(url: str) -> str:
    """The URL without a trailing slash; only https."""
    parsed = httpx.URL(url) if "://" in url else None
    if parsed is None or parsed.scheme != "https" or not parsed.host or parsed.userinfo:
        raise click.UsageError("--url: write https://HOST:PORT; a token is only sent inside TLS.")
    return url.rstrip("/")


def _transport(way: Way) -> httpx.HTTPTransport:
    if way.socket:
        return httpx.HTTPTransport(uds=str(way.socket))
    try:
        context = ssl.create_default_context(cafile=str(way.ca) if way.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise CliError(f"cannot read the CA certificate {way.ca}: {error}", "Correct --ca.") from None
    return httpx.HTTPTransport(verify=context)


def _unreachable(way: Way, error: Exception) -> CliError:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return CliError(
            f"the certificate of {way} does not verify",
            "Name the gateway's CA with --ca FILE, and use the host name that is in its certificate.",
            ExitCode.UNREACHABLE,
        )
    if way.socket and "ermission denied" in text:
        return CliError(
            f"the control socket {way.socket} belongs to another user",
            "Run as the gateway's user, or sign in with `narrows login`.",
            ExitCode.NOT_SIGNED_IN,
        )
    return CliError(
        f"the gateway at {way} cannot be reached",
        "Is it running? Start it with: narrows serve --config DIR",
        ExitCode.UNREACHABLE,
    )


def _json(answer: httpx.Response, way: Way) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise CliError(f"what answers at {way} is not a narrows gateway", "Correct --url.") from None


def _refused(answer: httpx.Response, way: Way) -> CliError:
    try:
        body = answer.json()
        message = str(body["message"])
    except (ValueError, KeyError, TypeError):
        return CliError(
            f"what answers at {way} is not a narrows gateway (HTTP {answer.status_code})", "Correct --url."
        )
    code = ExitCode.FAILED
    if answer.status_code == 401:
        code = ExitCode.NOT_SIGNED_IN
    elif body.get("code") == "NW052":
        code = ExitCode.CONFIG_INVALID
    rule = f" [{body['rule']}]" if body.get("rule") and str(body["rule"]) not in message else ""
    return CliError(
        f"{message}{rule} ({body.get('code', answer.status_code)})",
        str(body.get("remedy", "")),
        code,
        details=tuple(_fault_line(fault) for fault in body.get("faults", ())),
        more={name: body.get(name) for name in ("code", "rule", "retryable", "faults") if name in body},
    )


def _fault_line(fault: Mapping[str, Any]) -> str:
    place = ":".join(str(fault[name]) for name in ("file", "line") if fault.get(name))
    words = (place, fault.get("path"), fault.get("message"))
    remedy = f"; {fault['remedy']}" if fault.get("remedy") else ""
    return ": ".join(str(word) for word in words if word) + remedy
