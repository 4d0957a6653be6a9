"""One SQLite file as a database of ours: opened, recognised, written in transactions; what goes wrong said in words."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fmnist import settings
from fmnist.store.run import Status
from fmnist.store.schema import APPLICATION_ID, NEEDED, SCHEMA_VERSION, UPGRADES, make, upgrade
from fmnist.words import reason

State = tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]
"""Of the store's file and of SQLite's log beside it: what changes when they do; None where there is none."""

BUSY_SECONDS = 10  # To wait for another process that writes.
MIN_UNUSED, MIN_SHARE_UNUSED = 10**6, 0.25  # Bytes, and share of the file, for which it is written anew.


class StoreError(Exception):
    """A store that can't be opened, read or written. The message is a sentence for the user."""


class DamagedStore(StoreError):
    """A part of the file can't be read; others may be."""


class DamagedRun(StoreError):
    """Something of a run can't be read; it is left out from now on. The message is a sentence for the user."""

    def __init__(self, source: str, id: int, what: str) -> None:
        super().__init__(say_damaged(source, id, what))
        self.run = source, id


def say_damaged(source: str, id: int, what: str) -> str:
    """ "Run 3 is damaged: its result can't be read. It is left out."."""
    address = str(id) if source == "own" else f"{source}-{id}"
    return f"Run {address} is damaged: {what}. It is left out."


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch a new file to a write-ahead log: SQLite does not wait here when another process does the same."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def file_of(path: Path) -> Path:
    """The file itself where the path is a link to one: beside it SQLite keeps its log, and we our lock."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - Path's own may raise.


class Database:
    """A file with our tables. Safe to share between threads; other processes open their own.

    Where the dashboard is read-only (`settings.read_only`) SQLite itself refuses to write, whoever asks; what other
    processes write is followed all the same.

    Args:
        path: made, with its folder, if it is not there and may be written.
        read_only: for the reference runs: the file is never changed, nor anything made beside it.

    Raises:
        StoreError: here and from every method, when the file can't be used; the message says why.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = file_of(path)
        self.read_only = read_only
        self.writable = not read_only and not settings.read_only()
        self._mutex = threading.RLock()
        self._valid_for: State | None = None  # The files' state for which the connection holds; None: for any.
        self._file: tuple[int, int] | None = None  # Device and inode of the file that is written; None for a reader.
        self._openings = 0
        with self._explained():
            self._db = self._open()

    # --- Opening ---

    def _open(self) -> sqlite3.Connection:
        if self.read_only:
            # immutable: no lock and no -wal file, so that it opens from a folder that can't be written.
            db = self._connect("mode=ro&immutable=1")
        elif self.writable:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # autocommit: transactions are begun and ended by _write alone.
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._file = self._identity()
        else:
            db = self._open_to_follow()
        self._openings += 1
        db.row_factory = sqlite3.Row
        # Else one damaged letter would end a query with all its rows.
        db.text_factory = lambda data: data.decode(errors="replace")
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _connect(self, how: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{how}"
        return sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)

    def _open_to_follow(self) -> sqlite3.Connection:
        """A connection that can't write, to a store that others make, fill and write to meanwhile.

        Where there is no store yet, an empty one in memory stands for it. A store in a folder that can't be written,
        to which nobody writes at the moment, is opened without the log that SQLite can't make there. Both hold until
        the files change (`_follow`).
        """
        state = self._state()
        for how, valid_for in (("mode=ro", None), ("mode=ro&immutable=1", state)):
            try:
                db = self._connect(how)
                if db.execute("PRAGMA schema_version").fetchone()[0]:
                    self._valid_for = valid_for
                    return db
                db.close()  # Somebody is just making it.
            except sqlite3.OperationalError as error:
                file, log = state
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or log or (file and valid_for):
                    raise
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        make(db)
        db.execute("PRAGMA query_only = ON")
        self._valid_for = state
        return db

    def _follow(self) -> None:
        """Open the store anew if it has changed in a way that its connection can't see."""
        if self._valid_for is not None and self._valid_for != self._state():
            db = self._open()
            self._db.close()
            self._db = db

    def _identity(self) -> tuple[int, int] | None:
        """Which file lies at our path; None where there is none."""
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_dev, status.st_ino

    def _check_there(self) -> None:
        """See that the file lies where it was: SQLite would go on with one that nobody finds any more.

        Raises:
            StoreError: it does not.
        """
        if self._file is not None and self._file != self._identity():
            raise StoreError(
                f"The store is gone: {self.path} was deleted, moved or replaced while it was in use. "
                "Nothing more can be saved in it: put it back, or start a new one."
            )

    def _state(self) -> State:

        def facts(path: Path) -> tuple[int, int, int] | None:
            try:
                status = path.stat()
            except FileNotFoundError:
                return None
            return status.st_ino, status.st_mtime_ns, status.st_size

        return facts(self.path), facts(self.path.with_name(self.path.name + "-wal"))

    def _prepare(self, db: sqlite3.Connection) -> None:
        if self.writable and not db.execute("PRAGMA schema_version").fetchone()[0]:
            _use_wal(db)
            db.execute("BEGIN IMMEDIATE")  # Two processes may be making the same new store.
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                make(db)
            db.execute("COMMIT")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path} is a SQLite file of another program: choose another place with FMNIST_RUNS.")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer version of this program (store version {version}; "
                f"this one reads {SCHEMA_VERSION}): update the program, or choose another place with FMNIST_RUNS."
            )
        if version < min(UPGRADES):
            raise StoreError(
                f"{self.path} claims to have version {version}, which no store has: it is damaged. Restore a copy of "
                f"it, or choose another place with FMNIST_RUNS."
            )
        for table, columns in NEEDED.items():
            if not columns <= {row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}:
                raise StoreError(
                    f"{self.path} is damaged: it does not have the tables of a store. Restore a copy of it, or "
                    "choose another place with FMNIST_RUNS."
                )
        if version < SCHEMA_VERSION and self.writable:
            self._keep_copy(db, version)
            upgrade(db)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")  # With WAL: a power cut loses the last moments, never the file.

    def _keep_copy(self, db: sqlite3.Connection, version: int) -> None:
        """Keep the store as an older version of this program wrote it, beside it, before it is upgraded in place."""
        copy = self.path.with_name(f"{self.path.name}.version-{version}")
        if copy.exists():
            return
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")  # Another process may be doing the same.
        try:
            unfinished.unlink(missing_ok=True)  # Left by one of our number that was killed; it would be in the way.
            db.execute("VACUUM INTO ?", (str(unfinished),))
            unfinished.replace(copy)
        finally:
            unfinished.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the system say into a sentence."""
        try:
            yield
        except sqlite3.Error as error:
            code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
            place = self.path
            kind = DamagedStore if code == sqlite3.SQLITE_CORRUPT else StoreError
            raise kind(
                {
                    sqlite3.SQLITE_FULL: f"The disk is full: nothing more can be saved in {place.parent}. "
                    "Free some space and try again; what was saved before is safe.",
                    sqlite3.SQLITE_NOTADB: f"{place} is not a store of this program: move it away, "
                    "or choose another place with FMNIST_RUNS.",
                    sqlite3.SQLITE_CORRUPT: f"{place} is damaged: move it away to start a new one, or restore a copy "
                    f"of it.",
                    sqlite3.SQLITE_READONLY: f"{place} can't be written: change its permissions, "
                    "or choose another place with FMNIST_RUNS.",
                    sqlite3.SQLITE_CANTOPEN: f"{place} can't be opened or created: check that its folder can be "
                    "written, or choose another place with FMNIST_RUNS.",
                    sqlite3.SQLITE_BUSY: f"{place} has been in use by another program for too long: try again.",
                    sqlite3.SQLITE_PROTOCOL: f"{place} can't be locked: its folder seems to be on a network drive. "
                    f"Choose one on this machine with FMNIST_RUNS.",
                    sqlite3.SQLITE_IOERR: f"{place} can't be read or written: the disk is full or faulty.",
                }.get(code, f"{place} can't be used: {reason(error)}.")
            ) from error
        except UnicodeEncodeError as error:
            raise StoreError(f"{self.path} can't hold text that is not UTF-8, such as {error.object!a}.") from error
        except UnicodeError as error:  # In SQLite's own message, which quotes what it found in the file.
            raise DamagedStore(
                f"{self.path} is damaged: move it away to start a new one, or restore a copy of it."
            ) from error
        except FileExistsError as error:  # Somebody has named a file, and not what is in a folder.
            raise StoreError(
                f"{self.path.parent} is neither a folder nor a store: name one of them with --runs or FMNIST_RUNS."
            ) from error
        except OSError as error:
            raise StoreError(
                f"{self.path.parent} can't be used for the results ({reason(error)}): "
                "choose another place with FMNIST_RUNS."
            ) from error

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, self._explained():
            self._follow()
            self._check_there()
            yield self._db

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing.

        Raises:
            StoreError: the dashboard is read-only, or the file can't be written.
        """
        if settings.read_only():
            raise StoreError(settings.READ_ONLY)
        with self._mutex, self._explained():
            self._check_there()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _give_space_back(self) -> None:
        """Make the file smaller where that pays: it stays as large as it was, and what is unused is filled first.

        For the time of it others can't write.
        """
        with self._mutex, suppress(sqlite3.Error):  # Others are reading, or the disk has no room for a copy: next time.
            unused, pages, size = (
                self._db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count", "page_size")
            )
            if unused * size >= MIN_UNUSED and unused >= MIN_SHARE_UNUSED * pages:
                self._db.execute("VACUUM")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self._mutex:
            self._db.close()


# --- Values in statements ---


def listed(statuses: Iterable[Status]) -> str:
    """Statuses in SQL, to stand after IN."""
    return "('" + "', '".join(statuses) + "')"


def inserted_id(cursor: sqlite3.Cursor) -> int:
    """The id of the row that a statement has inserted."""
    assert cursor.lastrowid is not None
    return cursor.lastrowid


THESE = "IN (SELECT value FROM json_each(?))"
"""In SQL: one of those given as a single parameter, by `as_json`."""


def as_json(ids: Iterable[int]) -> str:
    """Ids for SQLite's json_each: they may be more than a statement can have parameters."""
    return json.dumps([int(id) for id in ids])
