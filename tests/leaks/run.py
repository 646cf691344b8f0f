"""Runs the steps of one case and keeps what every one of its connections was answered."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.leaks.cases import Case, Place
from tests.leaks.client import STEP_S, Client, Door, Message, encode, message, value

MAIN = "a"
"""The session that is judged; others are other people's."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the server itself tells and does, where a case asks for it."""

    oid_of: Callable[[str], int]
    """A function's OID by its signature, for FunctionCall."""
    admin: Callable[[str], None]
    """Runs a statement as superuser, past whatever is tested."""


@dataclass
class Reply:
    """What came back."""

    messages: Mapping[str, list[Message]]
    seconds: float = 0.0
    """How long the last statement took."""
    failure: str | None = None
    """The connection broke without a word, or nobody answered."""
    first_bytes: bytes = b""

    @property
    def main(self) -> list[Message]:
        return self.messages.get(MAIN, [])

    @property
    def errors(self) -> list[bytes]:
        return [payload for kind, payload in self.main if kind == "E"]

    @property
    def rows(self) -> int:
        return sum(kind == "D" for kind, _ in self.main)

    def is_unanswered(self) -> bool:
        """A dead gateway proves nothing."""
        return self.failure is not None or not any(kind in "ECZDdTIsn123" for kind, _ in self.main)


def run(case: Case, door: Door, place: Place, outside: Outside) -> Reply:
    """Run a case from its first step to its last."""
    running = _Running(case, door, place, outside)
    failure = None
    try:
        for step in place.steps(case):
            running.take(step)
    except OSError as error:
        # What was refused may hang up on what is sent after it.
        failure = None if running.was_refused else repr(error)
    finally:
        running.close()
    return running.reply(failure)


class _Running:
    """The connections of a case that runs."""

    def __init__(self, case: Case, door: Door, place: Place, outside: Outside) -> None:
        self._case, self._door, self._place, self._outside = case, door, place, outside
        self._clients: dict[str, Client] = {}
        self._seconds = 0.0

    @property
    def was_refused(self) -> bool:
        return any(client.was_refused for client in self._clients.values())

    def reply(self, failure: str | None) -> Reply:
        messages = {name: client.messages for name, client in self._clients.items()}
        first = b"".join(client.first_bytes for client in self._clients.values())
        return Reply(messages, self._seconds, failure, first)

    def close(self) -> None:
        for client in self._clients.values():
            with contextlib.suppress(OSError):
                client.close()

    def take(self, step: Mapping[str, Any]) -> None:
        if "admin" in step:
            self._outside.admin(step["admin"])
            return
        client = self._client(step)
        for name, action in _BEFORE_START.items():
            if name in step:
                action(client, step)
                return
        if not client.is_started:
            client.start()
        for name, act in _CONVERSATIONS.items():
            if name in step:
                act(self, client, step)
                return
        self._send(client, step)

    def _client(self, step: Mapping[str, Any]) -> Client:
        name = step.get("session", MAIN)
        if name not in self._clients:
            user = step.get("user") or self._case.user
            self._clients[name] = Client(self._door, self._place.database, user)
        return self._clients[name]

    def _send(self, client: Client, step: Mapping[str, Any]) -> None:
        data, began = encode(step), time.perf_counter()
        pieces = int(step.get("split") or len(data))
        for at in range(0, len(data), pieces):
            client.send(data[at : at + pieces])
            if pieces < len(data):
                time.sleep(0.001)
        if "until_idle" in step:
            client.read_until("", step["until_idle"], step.get("max_bytes") or 0)
        elif "query" in step:
            self._after_query(client)
        elif {"query_hex", "sync", "extended"} & set(step):
            client.read_until("Z")
        self._seconds = time.perf_counter() - began

    def _after_query(self, client: Client) -> None:
        got = client.read_until("ZG")
        if got and got[-1][0] == "G":
            client.send(message(b"f", b"no data\0"))
            client.read_until("Z")

    def pipeline(self, client: Client, step: Mapping[str, Any]) -> None:
        inner = step["pipeline"]
        client.send(b"".join(encode(each) for each in inner))
        for _ in range(max(1, sum("query" in each or "sync" in each for each in inner))):
            client.read_until("Z")

    def function_call(self, client: Client, step: Mapping[str, Any]) -> None:
        name, arguments, result_format = step["funcall"]
        is_binary = bool(arguments) and str(arguments[0]).startswith("hex:")
        head = struct.pack(">Ihhh", self._outside.oid_of(name), 1, int(is_binary), len(arguments))
        client.send(message(b"F", head + b"".join(map(value, arguments)) + struct.pack(">h", result_format)))
        client.read_until("Z")

    def copy(self, client: Client, step: Mapping[str, Any]) -> None:
        text, data = step["copy_in"] if "copy_in" in step else (step["copy_fail"], None)
        client.send(encode({"query": text}))
        got = client.read_until("GZ")
        if not got or got[-1][0] != "G":
            return
        if data is None:
            client.send(message(b"f", b"stop\0"))
        else:
            raw = bytes.fromhex(data["hex"]) if isinstance(data, dict) else data.encode()
            client.send(message(b"d", raw) + message(b"c"))
        client.read_until("Z")

    def cancel(self, client: Client, step: Mapping[str, Any]) -> None:
        client.send(encode({"query": step["target"]}))
        time.sleep(0.3)
        client.cancel(client)
        client.read_until("Z", STEP_S)


_BEFORE_START: dict[str, Callable[[Client, Mapping[str, Any]], None]] = {
    "ssl_request": lambda client, step: client.ask_ssl(),
    "gssenc_request": lambda client, step: client.ask_gss(),
    "startup": lambda client, step: client.start(step["startup"]),
}
_CONVERSATIONS: dict[str, Callable[[_Running, Client, Mapping[str, Any]], None]] = {
    "pipeline": _Running.pipeline,
    "funcall": _Running.function_call,
    "copy_in": _Running.copy,
    "copy_fail": _Running.copy,
    "cancel": _Running.cancel,
}
