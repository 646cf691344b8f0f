"""Opening a store: made or migrated whole, 0600, and one clear error for everything that is wrong with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from narrows import store
from narrows.store import Store, StoreError, migrations
from narrows.store.schema import metadata, tokens
from tests.servers import processes


def test_the_migrations_make_the_tables_that_the_code_expects(opened: Store) -> None:
    with opened.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert migrations.revision(connection) == "0001"


def test_foreign_keys_are_the_same(opened: Store) -> None:
    with opened.read() as connection:
        (key,) = sa.inspect(connection).get_foreign_keys("journal_tables")
    assert key["referred_table"] == "journal_index"
    assert key["options"] == {"ondelete": "CASCADE"}


def test_opening_twice_changes_nothing(target: str) -> None:
    for _ in range(2):
        store.open(target).close()


def test_processes_that_start_together_migrate_once(target: str) -> None:
    opened: list[Store] = []
    failed: list[BaseException] = []

    def start() -> None:
        try:
            opened.append(store.open(target))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in opened:
        found.close()
    assert failed == []
    assert len(opened) == 6


def test_an_interrupted_migration_leaves_nothing(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCutError(Exception):
        pass

    def cut(*args: object, **kwargs: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.create_index", cut)
        with pytest.raises(PowerCutError):
            store.open(target)
    found = store.open(target)
    with found.read() as connection:
        assert migrations.revision(connection) == "0001"
    found.close()


def test_a_store_of_a_newer_version_is_left_alone(opened: Store, target: str) -> None:
    with opened.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer narrows \(schema 9999\).*Upgrade narrows"):
        store.open(target)
    with opened.read() as connection:
        assert migrations.revision(connection) == "9999"


def test_a_failed_block_is_rolled_back(opened: Store) -> None:
    with pytest.raises(ZeroDivisionError), opened.write() as connection:
        connection.execute(sa.insert(tokens).values(_token_values()))
        raise ZeroDivisionError
    with opened.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tokens)).scalar() == 0


def test_a_duplicate_is_a_store_error(opened: Store) -> None:
    with opened.write() as connection:
        connection.execute(sa.insert(tokens).values(_token_values()))
    with pytest.raises(StoreError, match="breaks its rules"), opened.write() as connection:
        connection.execute(sa.insert(tokens).values(_token_values()))


def _token_values() -> dict[str, object]:
    return {
        "id": "t",
        "kind": "User",
        "name": "alice",
        "digest": b"x",
        "created_at": 1.0,
        "created_by": "",
        "expires_at": 2.0,
        "note": "",
    }


def test_the_file_and_its_companions_are_closed_to_others(sqlite_path: Path) -> None:
    before = os.umask(0)
    try:
        found = store.open(sqlite_path)
    finally:
        os.umask(before)
    with found.write() as connection:
        connection.execute(sa.insert(tokens).values(_token_values()))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sqlite_path.parent.iterdir()}
    assert modes == {"narrows.db": 0o600, "narrows.db-wal": 0o600, "narrows.db-shm": 0o600}
    assert stat.S_IMODE(sqlite_path.parent.stat().st_mode) == 0o700
    found.close()


def test_a_file_that_was_open_to_others_is_closed(sqlite_path: Path) -> None:
    store.open(sqlite_path).close()
    sqlite_path.chmod(0o644)
    store.open(sqlite_path).close()
    assert stat.S_IMODE(sqlite_path.stat().st_mode) == 0o600


def test_sqlite_runs_as_configured(sqlite_path: Path) -> None:
    found = store.open(sqlite_path)
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
    with found.read() as connection:
        for name, value in wanted.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value
    found.close()


def test_the_url_of_a_file_means_the_file(sqlite_path: Path) -> None:
    store.open(f"sqlite:///{sqlite_path}").close()
    assert sqlite_path.exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root:hunter2@db/x", "not understood"),
        ("nonsense://", "not understood"),
        ("://", "not understood"),
        ("sqlite://", "needs a file"),
        (":memory:", "needs a file"),
    ],
)
def test_other_places_are_refused(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        store.open(url)
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match=r"127.0.0.1:1") as caught:
        store.open("postgresql://narrows:hunter2@127.0.0.1:1/narrows?sslmode=disable")
    assert "hunter2" not in str(caught.value)


def test_something_else_in_the_file_is_named(sqlite_path: Path) -> None:
    sqlite_path.parent.mkdir()
    sqlite_path.write_bytes(b"this is not a database, whatever its name says " * 200)
    with pytest.raises(StoreError, match=r"not a SQLite database.*restore it from a backup"):
        store.open(sqlite_path)


def test_damage_is_named(sqlite_path: Path) -> None:
    store.open(sqlite_path).close()
    with sqlite_path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)
    with pytest.raises(StoreError, match=r"is damaged.*backup"):
        store.open(sqlite_path)


def test_damage_further_in_is_found_by_a_check(sqlite_path: Path) -> None:
    found = store.open(sqlite_path)
    with found.write() as connection:
        for number in range(2000):
            connection.execute(
                sa.insert(tokens).values(_token_values() | {"id": f"{number:08}", "note": "n" * 50})
            )
    found.check()
    found.close()
    size = sqlite_path.stat().st_size
    with sqlite_path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 8192)
    found = store.open(sqlite_path)
    with pytest.raises(StoreError, match="is damaged"):
        found.check()
    found.close()


def test_a_lock_that_stays_is_named_and_passing(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.open(sqlite_path).close()
    monkeypatch.setattr("narrows.store.engine.BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process") as caught:
        store.open(sqlite_path)
    assert caught.value.is_transient
    other.close()
    store.open(sqlite_path).close()


def test_a_reader_is_not_kept_waiting_by_a_writer(sqlite_path: Path) -> None:
    found = store.open(sqlite_path)
    with found.write() as writing, found.read() as reading:
        writing.execute(sa.insert(tokens).values(_token_values()))
        assert reading.execute(sa.select(sa.func.count()).select_from(tokens)).scalar() == 0
    found.close()


def test_writers_take_turns(sqlite_path: Path) -> None:
    """Each reads and then writes what it read plus one: none is lost and none fails."""
    found = store.open(sqlite_path)
    with found.write() as connection:
        connection.execute(sa.insert(tokens).values(_token_values() | {"created_at": 0.0}))

    def count() -> None:
        for _ in range(20):
            with found.write() as connection:
                seen = connection.execute(sa.select(tokens.c.created_at)).scalar_one()
                connection.execute(sa.update(tokens).values(created_at=seen + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with found.read() as connection:
        assert connection.execute(sa.select(tokens.c.created_at)).scalar_one() == 80
    found.close()


def test_a_full_disk_is_named(sqlite_path: Path) -> None:
    found = store.open(sqlite_path)
    with found.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 40")
    with pytest.raises(StoreError, match=r"no room to grow.*Free space"), found.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 40")
        connection.execute(sa.insert(tokens).values(_token_values() | {"note": "n" * 500_000}))
    found.close()


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o755), (0o600, 0o755), (None, 0o555)])
def test_what_may_not_be_written_is_named(file_mode: int | None, folder_mode: int) -> None:
    folder = processes.scratch_directory("store")
    path = folder / "narrows.db"
    if file_mode is not None:
        store.open(path).close()
        path.chmod(file_mode)
    folder.chmod(folder_mode)
    with unprivileged(), pytest.raises(StoreError, match=r"cannot be (opened|written).*write permission"):
        store.open(path)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_without_room_for_the_log_is_named() -> None:
    """The file itself may be written, but SQLite cannot put its -wal beside it."""
    folder = processes.scratch_directory("store")
    path = folder / "narrows.db"
    store.open(path).close()
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    folder.chmod(0o555)
    with unprivileged(), pytest.raises(StoreError, match=r"cannot be (opened|written).*directory"):
        store.open(path)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As nobody, where we are root: root may write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_errors_carry_no_parameters(sqlite_path: Path) -> None:
    found = store.open(sqlite_path)
    values = _token_values() | {"note": "looked-at-by-nobody"}
    with found.write() as connection:
        connection.execute(sa.insert(tokens).values(values))
    with pytest.raises(StoreError) as caught, found.write() as connection:
        connection.execute(sa.insert(tokens).values(values))
    assert "looked-at-by-nobody" not in f"{caught.value}{caught.value.__cause__}{caught.value!r}"
    found.close()
