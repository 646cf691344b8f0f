"""`serve` hands the directory and the settings of its flags to the application, and says what is wrong."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import narrows
from narrows.api.server import ListenError
from narrows.cli.errors import ExitCode
from narrows.config.load import load
from narrows.settings import SETTINGS
from tests.cli.conftest import Shell

Serve = Callable[[Path, dict[str, str]], int | None]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A stand-in for the application, which tests elsewhere start for real."""
    module = types.ModuleType("narrows.app")
    monkeypatch.setitem(sys.modules, "narrows.app", module)
    monkeypatch.setattr(narrows, "app", module, raising=False)
    return module


def set_serve(app: types.ModuleType, serve: Serve) -> None:
    app.serve = serve  # type: ignore[attr-defined]


def test_every_setting_that_is_no_secret_is_a_flag(shell: Shell, app: types.ModuleType) -> None:
    seen: list[Any] = []
    set_serve(app, lambda directory, flags: seen.append((directory, flags)))
    shell.ok("init", "gw")
    shell.ok(
        "serve",
        "--config",
        "gw",
        "--log-level",
        "debug",
        "--sessions-limit",
        "7",
        "--plaintext-allowed",
        "true",
    )
    assert seen == [(Path("gw"), {"log_level": "debug", "sessions_limit": "7", "plaintext_allowed": "true"})]
    settings = load(Path("gw"), {}, seen[0][1]).settings
    assert (settings.log_level, settings.sessions_limit, settings.plaintext_allowed) == ("debug", 7, True)
    text = shell.ok("serve", "--help")
    assert all((setting.flag or "") in text for setting in SETTINGS)
    assert "vault-token" not in text


def test_a_directory_with_faults_is_not_served(shell: Shell, app: types.ModuleType) -> None:
    def serve(directory: Path, flags: dict[str, str]) -> None:
        load(directory, {}, flags)

    set_serve(app, serve)
    shell.ok("init", "gw")
    result = shell("serve", "--config", "gw", "--sessions-limit", "none")
    assert result.exit_code == ExitCode.CONFIG_INVALID and "--sessions-limit" in result.stderr


def test_an_address_that_is_taken_is_one_sentence(shell: Shell, app: types.ModuleType) -> None:
    def serve(directory: Path, flags: dict[str, str]) -> int:
        raise ListenError("cannot listen on 127.0.0.1:6433 (control_listen): Address already in use")

    set_serve(app, serve)
    shell.ok("init", "gw")
    result = shell("serve", "--config", "gw")
    assert result.exit_code == ExitCode.FAILED and result.stderr.startswith("Error: cannot listen on")
