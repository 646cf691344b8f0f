"""`env:` and `file:`: the value, or why not, from the file that was opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from narrows.credentials import CredentialError
from narrows.credentials.env import EnvProvider
from narrows.credentials.file import LIMIT_BYTES, FileProvider
from tests.credentials.conftest import SHOP


def test_a_variable_is_read_each_time() -> None:
    environ = {"SHOP": "one"}
    provider = EnvProvider(environ)
    assert provider.read("SHOP", SHOP).reveal() == "one"
    environ["SHOP"] = "two"
    assert provider.read("SHOP", SHOP).reveal() == "two"


def test_the_gateways_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_TEST_SHOP", "three")
    assert EnvProvider().read("NARROWS_TEST_SHOP", SHOP).reveal() == "three"


@pytest.mark.parametrize("environ", [{}, {"SHOP": ""}])
def test_a_variable_that_is_missing_or_empty_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(CredentialError, match=r"SHOP is not set.*Set it"):
        EnvProvider(environ).read("SHOP", SHOP)


def _write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"one", "one"),
        (b"one\n", "one"),
        (b"one\r\n", "one"),
        (b"one\n\n", "one\n"),
        (b" one \n", " one "),
        ("gehe\N{LATIN SMALL LETTER I WITH DIAERESIS}m".encode(), "geheïm"),
    ],
)
def test_a_file_is_read_without_its_last_newline(tmp_path: Path, data: bytes, value: str) -> None:
    _write(tmp_path / "shop", data)
    assert FileProvider(tmp_path).read("shop", SHOP).reveal() == value
    assert FileProvider(Path("/")).read(str(tmp_path / "shop"), SHOP).reveal() == value


def test_a_link_to_a_file_is_followed_as_mounted_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(_write(tmp_path / "shop", b"one"))
    assert FileProvider(tmp_path).read("link", SHOP).reveal() == "one"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o666, 0o644])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = _write(tmp_path / "shop", b"hunter2", mode)
    with pytest.raises(CredentialError, match=rf"mode {mode:04o}.*chmod 600 {path}"):
        FileProvider(tmp_path).read("shop", SHOP)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_closed_to_others_is_read(tmp_path: Path, mode: int) -> None:
    _write(tmp_path / "shop", b"one", mode)
    assert FileProvider(tmp_path).read("shop", SHOP).reveal() == "one"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(_write(tmp_path / "shop", b"hunter2"), 65534, 65534)
    with pytest.raises(CredentialError, match="belongs to another user"):
        FileProvider(tmp_path).read("shop", SHOP)


def test_what_is_no_file_is_refused_and_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder", "/dev/null"):
        with pytest.raises(CredentialError, match="not a regular file"):
            FileProvider(tmp_path).read(name, SHOP)


@pytest.mark.parametrize("name", ["missing", "missing/too", "nul\0"])
def test_what_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CredentialError, match="cannot be read"):
        FileProvider(tmp_path).read(name, SHOP)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * (LIMIT_BYTES + 1), "is over"),
        (b"hunter2\xff", "is not UTF-8"),
    ],
)
def test_what_is_no_value_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    _write(tmp_path / "shop", data)
    with pytest.raises(CredentialError, match=said) as caught:
        FileProvider(tmp_path).read("shop", SHOP)
    assert caught.value.__context__ is None


def test_the_largest_value_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "shop", b"x" * LIMIT_BYTES)
    assert len(FileProvider(tmp_path).read("shop", SHOP).reveal()) == LIMIT_BYTES
