"""The end of a result, as the sink sees it."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.sink import Sink, SinkError, command_tag
from bench.targets import Target
from narrows.wire.postgres import backend

READY = backend.build(backend.ReadyForQuery("I"))
COMPLETE = backend.build(backend.CommandComplete("SELECT 1000000"))
ROW = backend.build(backend.DataRow((b"1", b"SELECT 7", None)))


def test_the_tag_is_found_after_any_row() -> None:
    assert command_tag(ROW + COMPLETE + READY) == "SELECT 1000000"
    assert command_tag(COMPLETE + READY) == "SELECT 1000000"


def test_an_error_is_not_a_result() -> None:
    error = backend.build(backend.ErrorResponse({"S": "ERROR", "C": "42501", "M": "no"}))
    with pytest.raises(SinkError, match="42501"):
        command_tag(error + READY)


@pytest.mark.parametrize("piece", [1, 3, 7, 100_000])
def test_a_result_in_any_pieces_is_drained_whole(piece: int) -> None:
    answer = ROW * 500 + COMPLETE + READY
    with _serving(answer, piece) as target, Sink(target) as sink:
        drained = sink.query("select")
    assert (drained.size_bytes, drained.tag) == (len(answer), "SELECT 1000000")


def test_it_stops_when_told() -> None:
    with _serving(ROW * 100_000, 100_000) as target, Sink(target) as sink:
        drained = sink.query("select", is_over=lambda: True)
    assert drained.tag == ""
    assert 0 < drained.size_bytes < len(ROW) * 100_000


def test_a_target_that_goes_away_is_an_error() -> None:
    with _serving(ROW, 100) as target, Sink(target) as sink, pytest.raises(SinkError, match="went away"):
        sink.query("select")


class _serving:  # noqa: N801  # reads as a word of the `with`
    """A server for one client, which asks for a password and answers one query."""

    def __init__(self, answer: bytes, piece: int) -> None:
        self._answer, self._piece = answer, piece
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Target:
        self._thread.start()
        return Target("fake", self._listener.getsockname()[1], "db", "user", "password")

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.recv(1000)
            client.sendall(backend.build(backend.AuthenticationCleartextPassword()))
            assert b"password" in client.recv(1000)
            client.sendall(backend.build(backend.AuthenticationOk()) + READY)
            client.recv(1000)
            try:
                for start in range(0, len(self._answer), self._piece):
                    client.sendall(self._answer[start : start + self._piece])
            except OSError:
                return  # told to stop, it left
