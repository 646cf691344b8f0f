"""Key files: made once, closed to others, told apart."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from narrows.journal import keys
from narrows.journal.keys import KeyFault


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    made = keys.load_or_create(tmp_path / "keys")
    again = keys.load_or_create(tmp_path / "keys")
    assert made.id == again.id and made.values == again.values
    assert keys.key_id(keys.load_public(tmp_path / "keys" / keys.PUBLIC_FILE)) == made.id
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", [keys.SIGNING_FILE, keys.VALUES_FILE])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, name: str) -> None:
    keys.load_or_create(tmp_path)
    (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyFault, match="chmod 600"):
        keys.load(tmp_path)


@pytest.mark.parametrize("name", [keys.SIGNING_FILE, keys.VALUES_FILE])
def test_a_lost_key_is_not_made_anew_in_silence(tmp_path: Path, name: str) -> None:
    keys.load_or_create(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(KeyFault, match="restore it"):
        keys.load_or_create(tmp_path)


@pytest.mark.parametrize("name", [keys.SIGNING_FILE, keys.VALUES_FILE])
@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\xfe", b"00" * 16])
def test_junk_is_no_key(tmp_path: Path, name: str, content: bytes) -> None:
    keys.load_or_create(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KeyFault):
        keys.load(tmp_path)


def test_keys_that_cannot_be_made_are_a_fault_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFault, match="cannot be made"):
        keys.load_or_create(tmp_path / "file" / "keys")


def test_a_public_key_file_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFault, match="cannot be read"):
        keys.load_public(tmp_path / "none")
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(KeyFault, match="not a public key"):
        keys.load_public(tmp_path / "junk")


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    keys.load_or_create(tmp_path / "a")
    keys.load_or_create(tmp_path / "b")
    (tmp_path / "a" / keys.VALUES_FILE).unlink()
    (tmp_path / "a" / keys.VALUES_FILE).symlink_to(tmp_path / "b" / keys.VALUES_FILE)
    with pytest.raises(KeyFault):
        keys.load(tmp_path / "a")
