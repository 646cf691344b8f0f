"""Where `login` keeps what it was given: one sign-in, in files that only their owner can read.

    $XDG_CONFIG_HOME/narrows/login.json   the address, who, and the token
    $XDG_CONFIG_HOME/narrows/pgpass       the same token as libpq reads it
    $XDG_CONFIG_HOME/narrows/ca.crt       the certificate authority of the gateway

Law: each file is written beside its place as 0600 and then moved there, so that none is ever wider or half.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from narrows.cli.errors import CliError, ExitCode


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in."""

    url: str
    principal: str
    token: str = field(repr=False)
    has_ca: bool = False
    expires_at: float | None = None


def folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "narrows"


def login_path() -> Path:
    return folder() / "login.json"


def passfile_path() -> Path:
    return folder() / "pgpass"


def ca_path() -> Path:
    return folder() / "ca.crt"


def load() -> Login | None:
    """The kept sign-in; None where there is none."""
    path = login_path()
    try:
        if path.stat().st_mode & 0o077:
            raise CliError(f"{path} can be read by others", f"Run: chmod 600 {path}", ExitCode.NOT_SIGNED_IN)
        found = json.loads(path.read_text("utf-8"))
        return Login(**{name: found[name] for name in Login.__slots__ if name in found})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise CliError(f"{path} is damaged", "Run `narrows login` again.", ExitCode.NOT_SIGNED_IN) from None


def save(login: Login, ca: bytes | None, host: str, port: int) -> None:
    """Keep a sign-in in place of the one before."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    if ca is not None:
        _write(ca_path(), ca)
    _write(passfile_path(), _passfile_line(host, port, login.token).encode())
    _write(login_path(), json.dumps(asdict(login), indent=2).encode())


def forget() -> bool:
    """Remove everything that `save` wrote; False where nothing was there."""
    paths = (login_path(), passfile_path(), ca_path())
    had_any = any(path.exists() for path in paths)
    for path in paths:
        path.unlink(missing_ok=True)
    return had_any


def _passfile_line(host: str, port: int, token: str) -> str:
    """libpq: `host:port:database:user:password`, with `:` and backslash escaped."""
    escaped = [part.replace("\\", "\\\\").replace(":", "\\:") for part in (host, str(port))]
    return ":".join((*escaped, "*", "*", token.replace("\\", "\\\\").replace(":", "\\:"))) + "\n"


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
