"""`file:PATH`: the content of a file that only the gateway can read, such as a mounted secret.

Laws: a regular file of bounded size, owned by the gateway's user or root, closed to group and others; what
is checked is the file that was opened, not its name. One newline at the end is not part of the value.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from narrows.credentials.base import Binding, CredentialError
from narrows.model.secret import Secret

LIMIT_BYTES = 64 * 1024


class FileProvider:
    """Reads the file each time it is asked; a relative path stands under `base`."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def read(self, name: str, binding: Binding) -> Secret:  # noqa: ARG002 - whoever wrote the file decides
        return read_secret_file(self._base / name)


def read_secret_file(path: Path) -> Secret:
    """The file's text; raises CredentialError where it is missing, open to others, too large or empty."""
    descriptor = _open(path)
    try:
        _check(path, os.fstat(descriptor))
        found = _value(path, descriptor)
    finally:
        os.close(descriptor)
    if isinstance(found, CredentialError):
        raise found
    return found


def _open(path: Path) -> int:
    try:
        # Without O_NONBLOCK a named pipe would hold this thread until somebody writes to it.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise CredentialError(
            f"The file {path} cannot be read: {why}", "Check the path and its permissions."
        ) from error


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CredentialError(f"{path} is not a regular file", "Name a file.")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise CredentialError(f"Others may use the file {path} (mode {mode:04o})", f"Run `chmod 600 {path}`.")
    if status.st_uid not in (0, os.geteuid()):
        raise CredentialError(
            f"The file {path} belongs to another user", "Give it to the user that runs narrows, or to root."
        )


def _value(path: Path, descriptor: int) -> Secret | CredentialError:
    """The error is returned, not raised: a traceback from here would hold the content."""
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(LIMIT_BYTES + 1)
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return CredentialError(f"The file {path} is not UTF-8 text", "Write the value as UTF-8.")
    except OSError as error:
        return CredentialError(f"The file {path} cannot be read: {error.strerror}", "Check its disk.")
    if len(data) > LIMIT_BYTES:
        return CredentialError(
            f"The file {path} is over {LIMIT_BYTES} bytes", "It should hold one value only."
        )
    return Secret(text) if text else CredentialError(f"The file {path} is empty", "Write the value into it.")
