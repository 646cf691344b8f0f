"""One error for everything that can go wrong with the store, and the remedy for each cause.

Law: the message names the file or server, never a value that was stored.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft


class StoreError(Exception):
    """The store cannot be used; the text says why and what to do."""

    def __init__(self, what: str, remedy: str, *, is_transient: bool = False) -> None:
        super().__init__(f"{what}. {remedy}")
        self.remedy = remedy
        self.is_transient = is_transient
        """True where the same call can succeed later without anybody doing anything."""


_BUSY = (
    "is locked by another process",
    "Try again; if it stays so, stop the other process that has it open.",
    True,
)
_SQLITE: dict[str, tuple[str, str, bool]] = {
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_CORRUPT": (
        "is damaged",
        "Stop narrows and restore the file from a backup; the journal itself is kept elsewhere.",
        False,
    ),
    "SQLITE_NOTADB": (
        "is not a SQLite database",
        "Check the path; if it is right, the file was overwritten: restore it from a backup.",
        False,
    ),
    "SQLITE_READONLY": (
        "cannot be written",
        "Give the user that runs narrows write permission on the file and its directory.",
        False,
    ),
    "SQLITE_PERM": (
        "may not be opened",
        "Give the user that runs narrows permission on the file and its directory.",
        False,
    ),
    "SQLITE_CANTOPEN": (
        "cannot be opened",
        "Check that the directory exists and that the user that runs narrows may write in it.",
        False,
    ),
    "SQLITE_FULL": ("has no room to grow", "Free space on the disk that holds it.", True),
    "SQLITE_IOERR": (
        "cannot be read or written",
        "Check the disk that holds it; SQLite needs a local file system.",
        True,
    ),
}


def translate(error: SQLAlchemyError, where: str) -> StoreError:
    """The StoreError for a database error; `where` names the store without its password."""
    if isinstance(error, NoConnectionLeft):
        return StoreError(f"The store {where} is busy", "Try again shortly.", is_transient=True)
    cause = getattr(error, "orig", None)
    if isinstance(error, IntegrityError):
        return StoreError(
            f"The store {where} refused a row that breaks its rules", "Report this as a defect."
        )
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(cause, where)
    first_line = str(cause or error).partition("\n")[0].strip().rstrip(".")
    return StoreError(
        f"The store {where} failed: {first_line}",
        "Check that the database server runs and that narrows may use it.",
        is_transient=bool(getattr(error, "connection_invalidated", False)),
    )


def _from_sqlite(cause: sqlite3.Error, where: str) -> StoreError:
    name = getattr(cause, "sqlite_errorname", "")
    family = "_".join(name.split("_")[:2])
    known = _SQLITE.get(family)
    if known is None:
        return StoreError(f"The store {where} failed: {cause}", "Check the file; restore it from a backup.")
    what, remedy, is_transient = known
    return StoreError(f"The store {where} {what}", remedy, is_transient=is_transient)
