"""The file of another store, to read and never to write to, nor beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist.store.database import StoreError, file_of
from fmnist.words import reason

MAX_BYTES = 256 * 2**20
"""Of one thing in the file, packed or not."""
WAL_MODE = b"\2\2"
"""Bytes 18 and 19 of a file that is written by way of a -wal file (sqlite.org/fileformat.html, "Database Header")."""


class ImportRefused(StoreError):
    """A file that can't be imported. The message is a sentence for the user."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one state of the file from beginning to end."""
    path = file_of(path)
    try:
        if not path.is_file():
            raise ImportRefused(f"There is no file {path}.")
        before = _state(path)
        with path.open("rb") as file:
            wal_mode = file.read(20)[18:] == WAL_MODE
        # Nobody has a file in WAL mode open that has no -wal beside it: it can be read as it lies there, without the
        # files that SQLite would make. Any other may be written to at this moment, and SQLite has to look out.
        still = wal_mode and not _log(path).exists()
        mode = "mode=ro&immutable=1" if still else "mode=ro"
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
        try:
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
            # sqlite.org/security.html: nothing that the file's schema defines is run.
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")
            db.execute("PRAGMA mmap_size = 0")
            db.execute("BEGIN")
            yield db
        finally:
            db.close()
        if still and _state(path) != before:
            raise ImportRefused(f"{path} was written to while it was read: import it again.")
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        why = {
            sqlite3.SQLITE_NOTADB: "it is not a store of this program",
            sqlite3.SQLITE_CORRUPT: "it is damaged",
            sqlite3.SQLITE_TOOBIG: f"something in it is larger than {MAX_BYTES // 2**20} MiB",
            sqlite3.SQLITE_BUSY: "another program is writing to it; try again",
            sqlite3.SQLITE_CANTOPEN: "it can't be opened; if there is a file beside it that ends with -wal, copy "
            "both into a folder that can be written",
        }.get(code, reason(error))
        raise ImportRefused(f"{path} can't be imported: {why}.") from None
    except OSError as error:
        raise ImportRefused(f"{path} can't be read: {reason(error)}.") from None


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _state(path: Path) -> tuple[int, int, bool]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, _log(path).exists()
