"""Journals for tests: a clock that is moved by hand, small limits, and ways to damage files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from narrows.journal import Durability, Journal, Limits
from narrows.journal import verify as verification
from narrows.journal.keys import Keys
from narrows.journal.records import OutcomeRecord, StatementRecord
from narrows.journal.report import Report
from narrows.model.secret import Secret

KEYS = Keys(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32), Secret("05" * 32))
"""The same in every process of a test."""
SMALL = Limits(segment_bytes=4096, checkpoint_records=20, checkpoint_s=10.0)


@dataclass
class Clock:
    """Time as the test says."""

    now: float = 1_763_800_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A journal directory and the clock and keys that go with it."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    keys: Keys = KEYS

    def open(
        self,
        *,
        writer: str = "control",
        durability: Durability = Durability.WRITE,
        limits: Limits = SMALL,
        must_open: bool = True,
        repair: bool = False,
    ) -> Journal:
        return Journal.open(
            self.directory,
            self.keys,
            writer=writer,
            durability=durability,
            clock=self.clock,
            limits=limits,
            must_open=must_open,
            repair=repair,
        )

    def verify(self, head: bytes | None = None) -> Report:
        return verification.verify(self.directory, self.keys.public, head, wait=lambda: None)

    def segment(self, number: int = 1, writer: str = "control") -> Path:
        return self.directory / writer / f"{number:06d}.jsonl"

    def lines(self, number: int = 1, writer: str = "control") -> list[bytes]:
        return self.segment(number, writer).read_bytes().splitlines(keepends=True)

    def put_lines(self, lines: list[bytes], number: int = 1, writer: str = "control") -> None:
        self.segment(number, writer).write_bytes(b"".join(lines))

    def kinds(self, number: int = 1, writer: str = "control") -> list[str]:
        return [line.split(b'"kind":"')[1].split(b'"')[0].decode() for line in self.lines(number, writer)]


def statement(text: str = "SELECT 1", **fields: object) -> StatementRecord:
    defaults: dict[str, object] = {
        "session": "s-1",
        "principal": "User/alice",
        "connection": "shop",
        "database": "shop",
        "effect": "allow",
        "statement": "select",
    }
    return StatementRecord(text=text, **{**defaults, **fields})  # type: ignore[arg-type]


def outcome(record: str, **fields: object) -> OutcomeRecord:
    return OutcomeRecord(record=record, session="s-1", **{"status": "done", "rows": 1, **fields})  # type: ignore[arg-type]


def fill(journal: Journal, number: int, start: int = 0) -> list[str]:
    """So many statements, each with its outcome and every fifth with its facts."""
    ids = []
    for index in range(start, start + number):
        facts = {"principal": 'User::"alice"', "number": index // 5}
        id_ = journal.append(statement(f"SELECT {index}"), facts=facts)
        journal.append(outcome(id_))
        ids.append(id_)
    return ids
