"""Commands in the order in which they must be carried out, with the bytes for one side kept together.

Law: bytes never pass a command that must come between them (an `Own` before the statement it announces, an
`Ask` before what depends on it); a `Finished` orders nothing.
"""

from __future__ import annotations

from narrows.model.outcome import Outcome
from narrows.relay.machine import Command, Finished, Send, Side


class Outbox:
    """Collects the commands of one turn; `take` hands them over."""

    __slots__ = ("_client", "_commands", "_upstream")

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._client: list[bytes] = []
        self._upstream: list[bytes] = []

    def to_client(self, data: bytes) -> None:
        self._client.append(data)

    def to_upstream(self, data: bytes) -> None:
        self._upstream.append(data)

    def add(self, command: Command) -> None:
        """A command that what was sent so far must precede."""
        self._settle_bytes()
        self._commands.append(command)

    def finished(self, outcome: Outcome) -> None:
        self._commands.append(Finished(outcome))

    def take(self) -> list[Command]:
        self._settle_bytes()
        commands, self._commands = self._commands, []
        return commands

    def _settle_bytes(self) -> None:
        if self._client:
            self._commands.append(Send(Side.CLIENT, b"".join(self._client)))
            self._client.clear()
        if self._upstream:
            self._commands.append(Send(Side.UPSTREAM, b"".join(self._upstream)))
            self._upstream.clear()
