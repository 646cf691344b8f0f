"""How the command fails: one sentence, one remedy, one exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the shell sees; docs/cli.md says the same and these never change."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_SIGNED_IN = 4
    VERIFICATION_FAILED = 5
    CONFIG_INVALID = 6
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "it worked",
    ExitCode.FAILED: "it failed or was denied",
    ExitCode.USAGE: "the command line is not understood",
    ExitCode.UNREACHABLE: "the gateway cannot be reached",
    ExitCode.NOT_SIGNED_IN: "nobody is signed in, or the token does not hold any more",
    ExitCode.VERIFICATION_FAILED: "the journal does not verify, or a policy test fails",
    ExitCode.CONFIG_INVALID: "the configuration directory does not validate",
    ExitCode.INTERRUPTED: "interrupted at the keyboard",
}


class CliError(Exception):
    """The command ends here; `remedy` says what to do next."""

    def __init__(
        self,
        message: str,
        remedy: str = "",
        code: ExitCode = ExitCode.FAILED,
        details: tuple[str, ...] = (),
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code
        self.details = details
        """Lines printed above the sentence, such as the faults of a directory."""
        self.more = more or {}
        """Further fields for --json."""
