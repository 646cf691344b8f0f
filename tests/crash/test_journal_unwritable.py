"""A journal that cannot be written: nothing runs, everybody is told why, and service recovers by itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers import gateway, processes
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and changing users need root")

INSERT = "insert into tickets (subject) values ('x')"


def _tickets(database: Database) -> int:
    count: int = database.query("select count(*) from tickets")[0][0]
    return count


def _eventually(gw: Gateway, limit_s: float = 20) -> subprocess.CompletedProcess[str]:
    """Try until a statement passes again."""
    deadline = time.monotonic() + limit_s
    while True:
        done = gw.psql("alice", INSERT)
        if done.returncode == 0 or time.monotonic() > deadline:
            return done
        time.sleep(0.2)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A tmpfs of 2 MiB."""
    directory = processes.scratch_directory("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()


@root_only
def test_a_full_disk_refuses_statements_and_service_recovers(
    shop15: Database, small_disk: Path, tmp_path: Path
) -> None:
    changes = {"settings": {"store_url": f"sqlite:///{tmp_path}/narrows.db"}}
    with gateway.started(shop15, changes, at=small_disk / "gateway") as gw:
        assert gw.psql("alice", INSERT).returncode == 0
        before = _tickets(shop15)
        with psycopg.connect(**gw.parameters("alice"), autocommit=True) as session:
            _fill(small_disk)
            with pytest.raises(psycopg.Error) as refused:
                for _ in range(200):  # what is left of the last page still takes a few records
                    session.execute(INSERT)
            assert refused.value.sqlstate == "NW020"
            assert "journal" in str(refused.value)
            ran = _tickets(shop15) - before
            with pytest.raises(psycopg.Error):
                session.execute(INSERT)
            assert _tickets(shop15) - before == ran, "a statement ran that was refused"
            let_in = gw.psql("alice", INSERT)
            assert let_in.returncode != 0
            assert "journal" in let_in.stderr

            (small_disk / "filler").unlink()
            assert _eventually(gw).returncode == 0
            session.execute(INSERT)  # the open session goes on
        assert "intact" in gw.narrows("journal", "verify", str(gw.directory))
        assert any(entry.kind == "outage" for entry in gw.journal())


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    filler.write(b"\0" * size)
            except OSError:
                continue


@root_only
def test_no_permission_refuses_statements_and_service_recovers(shop15: Database) -> None:
    user = processes.unprivileged_user()
    with gateway.started(shop15, {"settings": {"journal_segment_bytes": "64KiB"}}, user=user) as gw:
        assert gw.psql("alice", INSERT).returncode == 0
        journal = gw.directory / "state" / "journal"
        paths = [journal, *journal.rglob("*")]
        modes = {path: path.stat().st_mode for path in paths}
        for path in paths:
            path.chmod(0)
        # The file that is open stays writable; the next segment cannot be made.
        with psycopg.connect(**gw.parameters("alice"), autocommit=True) as session:
            with pytest.raises(psycopg.Error) as refused:
                for _ in range(2000):
                    session.execute(INSERT)
            assert refused.value.sqlstate == "NW020"
            ran = _tickets(shop15)
            with pytest.raises(psycopg.Error):
                session.execute(INSERT)
            assert _tickets(shop15) == ran

            for path, mode in modes.items():
                path.chmod(mode)
            assert _eventually(gw).returncode == 0
            session.execute(INSERT)
        assert "intact" in gw.narrows("journal", "verify", str(gw.directory))
