"""Reads the files of a configuration directory, each up to a size; what is wrong is collected and never raised."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from narrows.config.faults import Fault

ROOT_FILE = "narrows.yaml"
LABELS_FILE = "labels.yaml"
POLICY_FOLDER = "policies"

FILE_LIMIT_BYTES = 1024 * 1024
LABELS_LIMIT_BYTES = 4 * 1024 * 1024
POLICY_FILES_LIMIT = 500


@dataclass
class Reading:
    """One pass over a directory: what was found wrong so far."""

    directory: Path
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def text(self, name: str, limit_bytes: int, remedy: str) -> str:
        """The file's text; empty, with a fault, where it cannot be read."""
        try:
            with (self.directory / name).open("rb") as file:
                data = file.read(limit_bytes + 1)
            if len(data) <= limit_bytes:
                return data.decode("utf-8")
            fault = Fault(name, f"larger than {limit_bytes} bytes", "split or shorten it")
        except UnicodeDecodeError as error:
            fault = Fault(name, f"not UTF-8 at byte {error.start}", "save it as UTF-8")
        except FileNotFoundError:
            fault = Fault(name, "missing", remedy)
        except OSError as error:
            fault = Fault(name, f"cannot be read: {error.strerror}", "mend its permissions")
        self.faults.append(fault)
        return ""


def policy_files(reading: Reading) -> tuple[dict[str, str], dict[str, str]]:
    """(policies, cases) by file name such as `policies/payroll.cedar`."""
    folder = reading.directory / POLICY_FOLDER
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        reading.faults.append(
            Fault(POLICY_FOLDER, f"cannot be listed: {error.strerror}", "put the *.cedar files there")
        )
        return {}, {}
    if len(names) > POLICY_FILES_LIMIT:
        reading.faults.append(
            Fault(POLICY_FOLDER, f"{len(names)} files; {POLICY_FILES_LIMIT} is the limit", "merge some")
        )
        return {}, {}
    policies = {name: _policy_text(reading, name) for name in names if name.endswith(".cedar")}
    cases = {name: _policy_text(reading, name) for name in names if name.endswith(".test.yaml")}
    reading.warnings += [
        Fault(
            f"{POLICY_FOLDER}/{name}",
            "neither *.cedar nor *.test.yaml, so it is not read",
            "rename or remove it",
        )
        for name in names
        if not name.endswith((".cedar", ".test.yaml", ".md"))
    ]
    if not policies:
        reading.faults.append(
            Fault(POLICY_FOLDER, "no *.cedar file, so nothing at all would be permitted", "write a policy")
        )
    return _under(policies), _under(cases)


def _policy_text(reading: Reading, name: str) -> str:
    return reading.text(f"{POLICY_FOLDER}/{name}", FILE_LIMIT_BYTES, "put it back")


def _under(texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{POLICY_FOLDER}/{name}": text for name, text in texts.items()}
