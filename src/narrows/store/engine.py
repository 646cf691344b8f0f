"""Opens the store: SQLite in one file, or PostgreSQL, behind the same two ways in, `read` and `write`.

Laws: a SQLite file is 0600, in WAL mode, with foreign keys on; a writing transaction takes its lock at
BEGIN, because one that begins as a reader cannot wait for a writer in WAL mode, it fails at once; every
database error leaves as a `StoreError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from narrows.store import migrations
from narrows.store.errors import StoreError, translate

BUSY_TIMEOUT_S = 5.0
CONNECTIONS = 8


class Store:
    """An open store with the schema of this version."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._readers = engine
        self._writers = engine.execution_options(narrows_writes=True)
        self.where = where
        """The file or server, for messages; never with a password."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store."""
        with self._transaction(self._readers) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self._transaction(self._writers) as connection:
            yield connection

    def check(self) -> None:
        """Read the whole file and raise StoreError where it is damaged; slow on a large one."""
        with self.read() as connection:
            if connection.dialect.name != "sqlite":
                return
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise StoreError(f"The store {self.where} is damaged", "Restore the file from a backup.")

    def close(self) -> None:
        """Give back every connection; SQLite folds its log into the file with the last one."""
        self._readers.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise translate(error, self.where) from error

    def __repr__(self) -> str:
        return f"Store({self.where})"


def open(target: str | Path) -> Store:  # noqa: A001 - read as `store.open`
    """The store in this SQLite file or at this database URL, created or migrated as needed.

    Raises StoreError where it cannot be opened, is damaged, locked, not writable, or was written by a
    newer version of narrows.
    """
    url = _url(target)
    is_file = url.get_backend_name() == "sqlite"
    where = str(url.database) if is_file else url.render_as_string(hide_password=True)
    if is_file:
        _prepare_file(Path(where))
    store = Store(_engine(url, is_file), where)
    try:
        migrations.upgrade(store)
    except BaseException:
        store.close()
        raise
    return store


def _url(target: str | Path) -> URL:
    text = str(target)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            "The store's URL is not understood", "Use a file path, or postgresql://user@host/name."
        )
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if not url.database or url.database == ":memory:":
        raise StoreError("The store needs a file", "Name a path: a store in memory would forget revocations.")
    return url


def _prepare_file(path: Path) -> None:
    """Create the file as 0600 before SQLite would create it wider; its -wal and -shm take the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"The store {path} cannot be opened: {error.strerror}",
            "Check the path, and give the user that runs narrows write permission on file and directory.",
        ) from error


def _engine(url: URL, is_file: bool) -> Engine:
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": CONNECTIONS,
        "pool_timeout": BUSY_TIMEOUT_S,
    }
    if is_file:
        options["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
    else:
        options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": int(BUSY_TIMEOUT_S)}}
    try:
        engine = sa.create_engine(url, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            "No driver for PostgreSQL is installed", "Run `pip install 'psycopg[binary]'`."
        ) from error
    if is_file:
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver then leaves BEGIN to us, for DDL too
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # NORMAL can lose the last commits with the machine's power, not with the process, and never the
    # file's consistency; a lost token or index row is made again, and the journal syncs for itself.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("narrows_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
