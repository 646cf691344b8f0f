"""What somebody does to the journal's files is named by `narrows journal verify`, offline and from the outside."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import gateway
from tests.servers.gateway import NARROWS
from tests.servers.postgres import Database


@pytest.fixture(scope="module")
def written(shared_shop15: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A stopped gateway's directory with some records, and the head that was exported before the end."""
    kept = tmp_path_factory.mktemp("journal")
    with gateway.started(shared_shop15) as gw:
        for n in range(20):
            gw.psql("alice", f"select {n}", "select name from customers limit 1")
        head = kept / "head.json"
        head.write_text(json.dumps(gw.operate("journal", "head")))
        gw.running.stop()
        shutil.copytree(gw.directory, kept / "gateway")
    yield kept / "gateway", head


@pytest.fixture
def copy(written: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    directory, head = written
    shutil.copytree(directory, tmp_path / "gateway")
    return tmp_path / "gateway", head


def _verify(directory: Path, head: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [NARROWS, "journal", "verify", str(directory), *(["--head", str(head)] if head else [])]
    return subprocess.run(words, capture_output=True, text=True)


def _segment(directory: Path) -> Path:
    return min((directory / "state" / "journal").rglob("*.jsonl"))


def test_what_was_written_is_intact(written: tuple[Path, Path]) -> None:
    directory, head = written
    assert _verify(directory).returncode == 0
    assert _verify(directory, head).returncode == 0


def _change(lines: list[bytes]) -> None:
    at = next(n for n, line in enumerate(lines) if b"select 7" in line)
    lines[at] = lines[at].replace(b"select 7", b"select 8")


def _drop(lines: list[bytes]) -> None:
    del lines[20]


def _swap(lines: list[bytes]) -> None:
    lines[20], lines[21] = lines[21], lines[20]


def _double(lines: list[bytes]) -> None:
    lines.insert(20, lines[20])


@pytest.mark.parametrize("tamper", [_change, _drop, _swap, _double])
def test_a_line_that_was_tampered_with_is_named(
    copy: tuple[Path, Path], tamper: Callable[[list[bytes]], None]
) -> None:
    directory, _ = copy
    path = _segment(directory)
    lines = path.read_bytes().splitlines(keepends=True)
    tamper(lines)
    path.write_bytes(b"".join(lines))
    told = _verify(directory)
    assert told.returncode == 5
    assert path.name.removesuffix(".jsonl") in told.stdout + told.stderr, told.stdout + told.stderr


def test_a_cut_tail_is_named_against_the_head_that_was_exported(copy: tuple[Path, Path]) -> None:
    directory, head = copy
    path = _segment(directory)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:30]))
    told = _verify(directory, head)
    assert told.returncode == 5, told.stdout
    assert "control" in told.stdout + told.stderr


def test_a_missing_writer_is_named_against_the_head(copy: tuple[Path, Path]) -> None:
    directory, head = copy
    shutil.rmtree(_segment(directory).parent)
    told = _verify(directory, head)
    assert told.returncode == 5, told.stdout
    assert "control" in told.stdout + told.stderr


def test_a_head_that_somebody_else_signed_is_refused(copy: tuple[Path, Path], tmp_path: Path) -> None:
    directory, head = copy
    forged = json.loads(head.read_text())
    forged["writers"]["control"][1] = 3
    other = tmp_path / "forged.json"
    other.write_text(json.dumps(forged))
    assert _verify(directory, other).returncode == 5
