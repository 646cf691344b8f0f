"""Lines that are about to be written together; the chain moves on only once they stand in the file."""

from __future__ import annotations

from dataclasses import dataclass

from narrows.journal import line
from narrows.journal.errors import RecordTooLarge
from narrows.journal.keys import Keys


@dataclass(slots=True)
class Chain:
    """Where a chain ends."""

    seq: int
    hash: bytes
    unsigned: int
    """Lines after the last signed one."""


class Draft:
    """The next lines of a chain, for one write."""

    __slots__ = ("_lines", "chain", "ends_outage", "is_signed")

    def __init__(self, chain: Chain) -> None:
        self.chain = Chain(chain.seq, chain.hash, chain.unsigned)
        self.is_signed = False
        self.ends_outage = False
        self._lines: list[bytes] = []

    def add(self, at: float, encoded: bytes) -> None:
        """One line from a record's JSON object."""
        chain = self.chain
        body = line.build_body(chain.seq + 1, at, encoded)
        self._link(body)
        chain.unsigned += 1

    def add_signed(self, at: float, encoded: bytes, keys: Keys) -> None:
        """One signed line; it vouches for all before it."""
        body = line.build_body(self.chain.seq + 1, at, encoded)
        self._link(line.sign(body, self.chain.hash, keys.signing, keys.id))
        self.chain.unsigned = 0
        self.is_signed = True

    def content(self) -> bytes:
        lines = self._lines
        return lines[0] if len(lines) == 1 else b"".join(lines)

    def _link(self, body: bytes) -> None:
        if len(body) > line.LINE_BYTES - line.BODY_AT - 1:
            raise RecordTooLarge(
                "A record is larger than a journal line may be, so what it stands for does not run."
            )
        chain = self.chain
        chain.hash = line.digest(chain.hash, body)
        chain.seq += 1
        self._lines.append(line.build_line(chain.hash, body))
