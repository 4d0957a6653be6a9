"""Deleting runs, and undoing the last deletion.

Deleting takes a run's row out of the table `runs`, where everything that is asked of a store begins, and puts it into
`deleted`. Curves, weights and names stay where they are, so undoing brings back exactly what was there, and nothing
large is moved. They go when the next runs are deleted, when somebody wants the space, or, a day later, when a scheduler
begins. Each of these steps is one transaction.

A recipe whose run was deleted counts as not trained. If it is trained again, and the deletion is then undone, there are
two runs of it, as if it had been trained a second time on purpose.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fmnist import words
from fmnist.store.database import THESE, StoreError, as_json, listed
from fmnist.store.queue import RunQueue
from fmnist.store.run import ACTIVE, Status
from fmnist.store.values import is_time

UNDO_SECONDS = 24 * 3600
"""After that, a scheduler that begins makes the deletion final."""

UNUSABLE = (
    *(ValueError, TypeError, AttributeError, OverflowError, RecursionError),
    *(sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
)
"""What is raised for a kept row that is none: where it is read as JSON, and where it is put into its table."""


@dataclass(frozen=True)
class Deleted:
    """The last deletion, as long as it can be undone."""

    ids: tuple[int, ...]
    when: float  # Unix time


class Deletion(RunQueue):
    """The runs of a store that can be deleted and brought back."""

    def delete(self, *ids: int, for_good: bool = False) -> list[int]:
        """Delete runs; what was deleted before can't be brought back any more.

        A queued or running run has to be stopped first, but for a damaged one that is queued, which no scheduler takes.
        Damaged runs are deleted for good, and so are those of which something is no text and no number.

        Args:
            for_good: these can't be brought back, either. While nothing is trained, the disk gets the space back.

        Returns:
            The ids of those that are deleted.
        """
        damaged = {id for id in ids if self.damage(id)}
        with self._keeping_what_hangs_on_runs(), self._write() as db:
            rows = {}
            for row in db.execute(f"SELECT * FROM runs WHERE id {THESE} ORDER BY id", (as_json(ids),)):
                if row["status"] not in ([Status.RUNNING] if row["id"] in damaged else ACTIVE):
                    rows[row["id"]] = dict(row)
            if not rows:
                return []
            self._make_final(db)
            db.execute(f"DELETE FROM runs WHERE id {THESE}", (as_json(rows),))
            bytes_in = {id for id, row in rows.items() if any(isinstance(value, bytes) for value in row.values())}
            gone = set(rows) if for_good else (damaged | bytes_in) & set(rows)
            _remove_what_hangs_on(db, gone)
            now = time.time()
            db.executemany(
                "INSERT INTO deleted (run, deleted, row_of_it) VALUES (?, ?, ?)",
                [(id, now, json.dumps(row)) for id, row in rows.items() if id not in gone],
            )
        self._give_space_back_if_idle()
        return list(rows)

    def last_deletion(self) -> Deleted | None:
        """What `undo_deletion` would bring back; None if nothing."""
        with self._read() as db:
            rows = db.execute("SELECT run, deleted FROM deleted ORDER BY run").fetchall()
        if not rows:
            return None
        when = rows[0][1]  # One that is damaged counts as long ago.
        return Deleted(tuple(row[0] for row in rows), when if is_time(when) else 0.0)

    def undo_deletion(self) -> list[int]:
        """Bring back the runs that were deleted last, with everything that belongs to them; their ids.

        Raises:
            StoreError: what was kept of some is damaged: these stay deleted, and the others are brought back.
        """
        restored, damaged = [], []
        with self._write() as db:
            columns = {row[0] for row in db.execute("SELECT name FROM pragma_table_info('runs')")}
            for id, text in db.execute("SELECT run, row_of_it FROM deleted ORDER BY run").fetchall():
                try:
                    values = {name: value for name, value in json.loads(text).items() if name in columns} | {"id": id}
                    db.execute(
                        f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                        tuple(values.values()),
                    )
                except UNUSABLE:
                    damaged.append(id)
                else:
                    db.execute("DELETE FROM deleted WHERE run = ?", (id,))
                    restored.append(id)
        if damaged:
            which, it = ("Run", "it") if len(damaged) == 1 else ("Runs", "them")
            which += f" {words.listed(map(str, damaged))}"
            others = f" Restored: {', '.join(map(str, restored))}." if restored else ""
            raise StoreError(f"{which} can't be restored: what was kept of {it} is damaged.{others}")
        return restored

    def make_deletion_final(self, older_than: float = 0) -> None:
        """Free the space of what was deleted, if that is so many seconds ago."""
        with self._write() as db:
            last = self.last_deletion()  # Within, for others may delete meanwhile.
            if last is None or time.time() - last.when < older_than:
                return
            self._make_final(db)
        self._give_space_back_if_idle()

    @staticmethod
    def _make_final(db: sqlite3.Connection) -> None:
        db.execute("SAVEPOINT removal")
        try:
            _remove_what_hangs_on(db, [row[0] for row in db.execute("SELECT run FROM deleted")])
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            db.execute("ROLLBACK TO removal")  # What lies in a damaged part stays there, and belongs to nothing.
        db.execute("RELEASE removal")
        db.execute("DELETE FROM deleted")

    @contextmanager
    def _keeping_what_hangs_on_runs(self) -> Iterator[None]:
        """Let rows of `runs` be deleted without those that refer to them."""
        with self._mutex, self._explained():  # Of this process nobody else uses the connection meanwhile.
            self._db.execute("PRAGMA foreign_keys = OFF")  # Has no effect within a transaction.
            try:
                yield
            finally:
                self._db.execute("PRAGMA foreign_keys = ON")

    def _give_space_back_if_idle(self) -> None:
        with self._read() as db:
            idle = not db.execute(f"SELECT 1 FROM runs WHERE status IN {listed(ACTIVE)} LIMIT 1").fetchone()
        if idle:  # A scheduler does not wait long for others.
            self._give_space_back()


def _remove_what_hangs_on(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Delete the rows of all tables that refer to these runs, whether or not the runs themselves are still there."""
    tables = db.execute(
        'SELECT tables.name, keys."from" FROM sqlite_master AS tables, pragma_foreign_key_list(tables.name) AS keys '
        "WHERE tables.type = 'table' AND keys.\"table\" = 'runs'"
    ).fetchall()
    for table, column in tables:
        db.execute(f"DELETE FROM {table} WHERE {column} {THESE}", (as_json(ids),))
