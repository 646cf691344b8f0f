"""The master key: made once and whole, never over another, never where it would orphan what is sealed."""

from __future__ import annotations

import os
import pickle
import stat
import threading
from pathlib import Path

import pytest

from narrows.credentials import CredentialError, master_key
from narrows.credentials.master_key import MasterKey, MasterKeys
from narrows.model.secret import Secret
from tests.store.test_open import unprivileged


def test_the_first_start_makes_a_key_and_the_second_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "master.key"
    before = os.umask(0)
    try:
        made = master_key.load(f"file:{path}", may_create=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]
    read = master_key.load(f"file:{path}", may_create=True)
    assert read.current.reveal() == made.current.reveal()
    assert len(made.current.reveal()) == 32


def test_a_lost_key_is_not_replaced_while_something_needs_it(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"is missing and stored credentials need it.*backup"):
        master_key.load(f"file:{tmp_path / 'master.key'}", may_create=False)
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    found: list[bytes] = []
    reference = f"file:{tmp_path / 'master.key'}"

    def start() -> None:
        found.append(master_key.load(reference, may_create=True).current.reveal())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    master_key.create_file(path)
    path.chmod(0o640)
    with pytest.raises(CredentialError, match="Others may use"):
        master_key.load(f"file:{path}", may_create=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    from tests.servers.processes import scratch_directory

    folder = scratch_directory("key")
    folder.chmod(0o555)
    with unprivileged(), pytest.raises(CredentialError, match="cannot be written"):
        master_key.load(f"file:{folder / 'master.key'}", may_create=True)
    folder.rmdir()


def test_a_key_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = MasterKeys(master_key.generate(), (master_key.generate(),))
    monkeypatch.setenv("NARROWS_KEY", master_key.render(keys).reveal().replace("\n", " "))
    read = master_key.load("env:NARROWS_KEY", may_create=False)
    assert [key.id for key in (read.current, *read.earlier)] == [
        key.id for key in (keys.current, *keys.earlier)
    ]
    monkeypatch.delenv("NARROWS_KEY")
    with pytest.raises(CredentialError, match="NARROWS_KEY is not set"):
        master_key.load("env:NARROWS_KEY", may_create=True)


@pytest.mark.parametrize("reference", ["", "file:", "vault:x/y#z", "AAAA"])
def test_another_place_is_refused(reference: str) -> None:
    with pytest.raises(CredentialError, match=r"file:PATH or env:NAME"):
        master_key.load(reference, may_create=True)


SOUND = master_key.render(MasterKeys(MasterKey(bytes(range(32))))).reveal().strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hunter2",
        SOUND[:-4],
        SOUND + "AAAA",
        SOUND.removeprefix("narrows-"),
        f"{SOUND} hunter2",
        SOUND + "!",
    ],
)
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(CredentialError, match="is not a master key") as caught:
        master_key.parse(Secret(text), "env:KEY")
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_key_shows_only_its_id() -> None:
    key = MasterKey(bytes(range(32)))
    shown = f"{key!r} {key} {MasterKeys(key)!r} {master_key.render(MasterKeys(key))!r}"
    assert key.id in shown
    assert SOUND.removeprefix("narrows-key-1:") not in shown
    assert str(bytes(range(32))) not in shown
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(key)


def test_a_key_of_another_length_is_no_key() -> None:
    with pytest.raises(CredentialError, match="wrong length"):
        MasterKey(b"short")
