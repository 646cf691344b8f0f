"""What is wrong with a configuration directory: every fault at once, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend: the file, the line where it is known, the path inside the file."""

    file: str
    message: str
    remedy: str = ""
    line: int | None = None
    path: str = ""

    @property
    def place(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" + (f" {self.path}" if self.path else "")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")


class ConfigError(Exception):
    """The directory does not validate, so nothing of it is used; mend the faults that the message lists."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.file, f.line or 0, f.path, f.message)))
        super().__init__("\n".join(str(fault) for fault in self.faults))
