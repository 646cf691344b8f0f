"""The command line in this process, against the real API over real sockets with a fake gateway behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from narrows.cli.root import root
from tests.api.fake import FakeGateway, Running, config_in, running


@dataclass(frozen=True)
class Shell:
    """Runs `narrows` as a shell would, without a terminal."""

    home: Path

    def __call__(self, *args: str, input: str | None = None, **environ: str) -> Result:  # noqa: A002
        env = {"XDG_CONFIG_HOME": str(self.home), **environ}
        return CliRunner().invoke(root, list(args), input=input, env=env)

    def ok(self, *args: str, input: str | None = None, **environ: str) -> str:  # noqa: A002
        result = self(*args, input=input, **environ)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def json(self, *args: str, **environ: str) -> Any:
        return json.loads(self.ok(*args, "--json", **environ))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("NARROWS_CONFIG", "NARROWS_URL", "NARROWS_TOKEN", "NARROWS_CA", "NARROWS_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "xdg")


@pytest.fixture
def gateway(tmp_path: Path) -> FakeGateway:
    (tmp_path / "gw").mkdir()
    return FakeGateway(config_in(tmp_path / "gw"))


@pytest.fixture
def served(tmp_path: Path, gateway: FakeGateway) -> Iterator[Running]:
    with running(tmp_path / "gw", gateway) as found:
        yield found
